"""What this process tells Redis again and again while it is alive: these claims and these messages are still mine."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn

import redis
import structlog

from config.deaths import begun_key
from worker.claim import claim_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from redis import Redis

    from worker.claim import Claim

BEATS_PER_LEASE: Final = 3

_RENEW: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

_END: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
if ARGV[2] == '1' then return redis.call('DEL', KEYS[2]) end
return redis.call('SREM', KEYS[2], ARGV[1])
"""
"""Keys: claim, attempts that never ended."""

_log = structlog.get_logger(__name__)


class Heartbeat:
    """One thread that renews, in one round trip, all claims and messages of a process.

    A message that a worker took stands in kombu's sorted set of unacknowledged ones, by the moment when it was taken;
    once that is longer ago than the visibility timeout, it is given to another worker. The beat moves it on, so that
    the timeout can be short and yet no message is given away while its worker lives.
    """

    def __init__(self, client: Redis, key_prefix: str, visibility_timeout_s: float) -> None:
        """Start beating.

        Args:
            client: Its time limits should be well below the lease.
            key_prefix: Stands before every key.
            visibility_timeout_s: The broker's. A lease is half of it: a message that comes back finds no claim.
        """
        self.lease_s = visibility_timeout_s / 2
        self._client = client
        self._prefix = key_prefix
        self._renew = client.register_script(_RENEW)
        self._end = client.register_script(_END)
        self._lock = threading.Lock()
        self._claims: dict[Claim, Mapping[str, Any]] = {}
        self._given_back = False
        self._ended: set[Claim] = set()
        self._messages: set[str] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    @contextmanager
    def keeping(self, claim: Claim) -> Iterator[None]:
        """Renew a claim until the attempt ends, and give it back then, however long Redis is away.

        Once all have been given back, no attempt ends any more: what it would do next, others do.
        """
        with self._lock:
            too_late = self._given_back
            if not too_late:
                self._claims[claim] = structlog.contextvars.get_contextvars()
        if too_late:
            with suppress(redis.RedisError):
                self._give_back([claim])
            _wait_for_the_end()
        try:
            yield
        finally:
            with self._lock:
                too_late = self._given_back
                self._claims.pop(claim, None)
            if too_late:
                _wait_for_the_end()
            try:
                self._give_back([claim])
            except redis.RedisError as error:
                _log.warning("claim not released yet", reason=str(error))
                with self._lock:
                    self._ended.add(claim)

    @contextmanager
    def message(self, tag: str | None) -> Iterator[None]:
        """Keep the broker from giving the message with this delivery tag to another worker."""
        if tag is None:
            yield
            return
        with self._lock:
            self._messages.add(tag)
        try:
            yield
        finally:
            with self._lock:
                self._messages.discard(tag)

    @property
    def has_messages(self) -> bool:
        """Whether tasks are in hand."""
        return bool(self._messages)

    def give_back(self) -> list[Mapping[str, Any]]:
        """Give back every claim in the middle of its attempt, for good: these attempts publish nothing, and never end.

        Returns:
            What the log says of each of the attempts.
        """
        with self._lock:
            self._given_back = True
            attempts = dict(self._claims)
            claims = [*attempts, *self._ended]
        for claim in attempts:
            claim.lost()
        try:
            self._give_back(claims)
        except redis.RedisError as error:
            _log.warning("claims not released", reason=str(error))
        return list(attempts.values())

    def beat(self) -> None:
        """Renew everything once.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        with self._lock:
            claims, messages, ended = list(self._claims), list(self._messages), list(self._ended)
        if messages:
            # XX: a message that was acknowledged or given away meanwhile must not come back
            now = time.time()
            self._client.zadd(f"{self._prefix}unacked_index", dict.fromkeys(messages, now), xx=True)
        if claims:
            self._renew_all(claims)
        if ended:
            self._give_back(ended)
            with self._lock:
                self._ended.difference_update(ended)

    def close(self) -> None:
        """End the thread and close the connections; what is still held, or cannot be given back, ends by itself."""
        self._stopped.set()
        self._thread.join()
        with suppress(redis.RedisError):
            self._give_back(list(self._ended))
        self._client.close()

    def _run(self) -> None:
        while not self._stopped.wait(self.lease_s / BEATS_PER_LEASE):
            try:
                self.beat()
            except redis.RedisError as error:
                _log.warning("heartbeat missed", reason=str(error))

    def _renew_all(self, claims: list[Claim]) -> None:
        asked_at = time.monotonic()
        with self._client.pipeline(transaction=False) as together:
            for claim in claims:
                key = claim_key(self._prefix, claim.identity)
                self._renew(keys=[key], args=[claim.token, int(self.lease_s * 1000)], client=together)
            answers = together.execute()
        for claim, granted in zip(claims, answers, strict=True):
            if granted:
                claim.renewed(asked_at)
            else:
                claim.lost()

    def _give_back(self, claims: list[Claim]) -> None:
        with self._client.pipeline(transaction=False) as together:
            for claim in claims:
                keys = [claim_key(self._prefix, claim.identity), begun_key(self._prefix, claim.identity)]
                self._end(keys=keys, args=[claim.token, int(claim.settled)], client=together)
            together.execute()


def _wait_for_the_end() -> NoReturn:
    """Stand still until the process is gone."""
    while True:
        threading.Event().wait()
