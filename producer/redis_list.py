"""Notifications from a Redis list, to which MinIO's `redis` target pushes with the format `access`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import redis
import structlog

from config.errors import BrokerUnavailableError, ConfigurationError, InvalidMessageError
from producer.polling import meanwhile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from config.settings import Settings
    from producer.intake import Intake

LEASE_S = 60
"""For so long a poller that gave no sign of life is believed to live; then others take what it held."""
WAIT_S = 5
"""How long one request waits for a notification."""
_SOCKET_TIMEOUT_S = 20
_CONNECT_TIMEOUT_S = 5
_log = structlog.get_logger(__name__)

_RENEW = """
local now = tonumber(redis.call('TIME')[1])
local returned = 0
for _, taken in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
    while redis.call('LMOVE', taken, KEYS[2], 'RIGHT', 'LEFT') do
        returned = returned + 1
    end
    redis.call('ZREM', KEYS[1], taken)
end
if tonumber(ARGV[1]) > 0 then
    redis.call('ZADD', KEYS[1], now + ARGV[1], KEYS[3])
end
return returned
"""
"""Keys: the pollers by the end of their leases, the list, what this poller has taken. In one step and by Redis' clock
it gives back what dead pollers held, to the head of the list, and renews this poller's own lease."""


class RedisListPoller:
    """Moves a notification at a time to a list of its own, has its jobs queued, and removes it.

    A poller that dies leaves the notification in its list; the next one to look after the end of the lease gives it
    back. A malformed notification is logged and removed.
    """

    def __init__(self, settings: Settings, intake: Intake, *, wait_s: int = WAIT_S, lease_s: int = LEASE_S) -> None:
        """Prepare; nothing connects before the first poll.

        Args:
            settings: Names the list and the server.
            intake: Queues the jobs.
            wait_s: How long one request waits for a notification.
            lease_s: How long this poller is believed to live after its last sign of life.

        Raises:
            ConfigurationError: No list is named.
        """
        if not settings.events.redis_list:
            raise ConfigurationError("events.redis_list is not set: nothing says where notifications arrive")
        self._list = settings.events.redis_list
        prefix = f"{settings.broker.key_prefix}events:{self._list}"
        self._pollers = f"{prefix}:pollers"
        self._taken = f"{prefix}:taken:{uuid4().hex}"
        self._intake = intake
        self._wait_s = wait_s
        self._lease_s = lease_s
        self._redis = redis.Redis.from_url(
            (settings.events.redis_url or settings.broker.url).get_secret_value(),
            socket_timeout=_SOCKET_TIMEOUT_S,
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
            decode_responses=True,
            encoding_errors="surrogateescape",  # what is no UTF-8 is refused when it is read, and must be removable
        )
        self._renew_script: Callable[..., Any] = self._redis.register_script(_RENEW)

    def poll_once(self) -> int:
        """Wait for a notification, have its jobs queued, remove it.

        Returns:
            The number of jobs queued.

        Raises:
            ConfigurationError: What stands under the list's name is none, or the server refuses the credentials.
            BrokerUnavailableError: The list or the broker cannot be reached; the notification is tried again.
            StorageUnavailableError: A store that had to be asked cannot be reached; likewise.
        """
        with self._translated():
            self._renew(self._lease_s)
            # first what an earlier poll could not finish
            body = self._redis.lindex(self._taken, 0) or self._redis.blmove(
                self._list, self._taken, self._wait_s, "LEFT", "RIGHT"
            )
        if body is None:
            return 0
        queued = 0
        with meanwhile(self._keep_lease, self._lease_s / 3):
            try:
                queued = self._intake.take(body).queued
            except InvalidMessageError as error:
                _log.error("notification dropped", reason=str(error))
        with self._translated():
            self._redis.lrem(self._taken, 1, str(body))
        return queued

    def close(self) -> None:
        """Give back what was taken and not finished.

        Raises:
            BrokerUnavailableError: The server cannot be reached; it is given back after the end of the lease.
        """
        with self._translated():
            self._redis.zadd(self._pollers, {self._taken: 0})
            self._renew(0)

    def _renew(self, lease_s: int) -> None:
        returned = self._renew_script(keys=[self._pollers, self._list, self._taken], args=[lease_s])
        if returned and lease_s:
            _log.warning("took over from a dead poller", notifications=returned)

    def _keep_lease(self) -> None:
        """Give a sign of life. A notification that comes to a second poller does no harm, so failure is only told."""
        try:
            with self._translated():
                self._redis.zadd(self._pollers, {self._taken: self._now_s() + self._lease_s})
        except (BrokerUnavailableError, ConfigurationError) as error:
            _log.warning("lease not renewed", reason=str(error))

    def _now_s(self) -> int:
        return int(self._redis.time()[0])

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise redis-py's errors as ours; none of them shows the password."""
        try:
            yield
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            raise ConfigurationError(f"the list {self._list!r}: {error}") from error
        except redis.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise BrokerUnavailableError(f"the list {self._list!r}: {error}") from error
            raise ConfigurationError(
                f"{self._list!r} is no list: the store must send notifications in the format 'access'"
            ) from error
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"the list {self._list!r}: {error}") from error
