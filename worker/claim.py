"""Step: one worker at a time for one job, and an end to the jobs that kill their workers.

In Redis each claim is a key that holds its owner's token and expires; beside it stands the set of the attempts that
began and never came to an end. An attempt that ends, in whatever way, takes itself out of that set; one whose process
died stays in it until the job is settled.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import redis

from config.errors import BrokerUnavailableError, JobInFlightError, PermanentError, WorkerLostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from worker.heartbeat import Heartbeat

_MOST_LOST: Final = 2
"""A job that so many workers died with is not begun again."""

_BEGUN_LIFETIME_S: Final = 30 * 24 * 3600

_HELD, _LOST_TOO_OFTEN = 0, -1

_TAKE: Final = """
local owner = redis.call('GET', KEYS[1])
if owner == ARGV[1] then return 1 end
if owner then return 0 end
if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[3]) then return -1 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return 1
"""
"""Keys: claim, attempts that never ended. A repeated call by the same owner changes nothing."""


class Claim:
    """A claim that is held, as long as its lease is renewed in time."""

    def __init__(self, identity: str, lease_s: float) -> None:
        self.identity = identity
        self.token = uuid4().hex
        self.settled = False
        """Whether the job needs no further attempt, so that earlier ones need not be remembered."""
        self._lease_s = lease_s
        self._valid_until = 0.0

    def renewed(self, asked_at: float) -> None:
        """Note that Redis granted the lease when asked at `asked_at`, by this process' monotonic clock."""
        self._valid_until = asked_at + self._lease_s

    def lost(self) -> None:
        """Note that the claim is another's or nobody's; this is final."""
        self._lease_s = self._valid_until = float("-inf")

    def check(self) -> None:
        """See that nobody else can have claimed the job.

        Raises:
            JobInFlightError: The lease ran out, for instance in a long pause of this machine, or Redis lost it.
        """
        if time.monotonic() >= self._valid_until:
            raise JobInFlightError("is left to others: this worker lost its claim on it")


class Claims:
    """Claims jobs for one process, whose heartbeat keeps them."""

    def __init__(self, client: Redis, key_prefix: str, heartbeat: Heartbeat) -> None:
        self._client = client
        self._prefix = key_prefix
        self._heartbeat = heartbeat
        self._take = client.register_script(_TAKE)

    @contextmanager
    def hold(self, identity: str) -> Iterator[Claim]:
        """Hold the claim on a job. Should this process die, it ends by itself after the lease.

        Raises:
            JobInFlightError: Another worker holds it.
            WorkerLostError: Two workers died with this job.
            BrokerUnavailableError: Redis does not answer.
        """
        claim = Claim(identity, self._heartbeat.lease_s)
        asked_at = time.monotonic()
        try:
            answer = int(
                self._take(
                    keys=[claim_key(self._prefix, identity), begun_key(self._prefix, identity)],
                    args=[claim.token, int(self._heartbeat.lease_s * 1000), _MOST_LOST, _BEGUN_LIFETIME_S],
                )
            )
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"cannot claim: {error}") from error
        if answer == _HELD:
            raise JobInFlightError("is being compressed by another worker")
        if answer == _LOST_TOO_OFTEN:
            raise WorkerLostError(f"is given up: {_MOST_LOST} workers died while they worked on it")
        claim.renewed(asked_at)
        with self._heartbeat.keeping(claim):
            try:
                yield claim
                claim.settled = True
            except PermanentError:
                claim.settled = True
                raise


def claim_key(key_prefix: str, identity: str) -> str:
    """Return the Redis key of a job's claim."""
    return f"{key_prefix}claim:{identity}"


def begun_key(key_prefix: str, identity: str) -> str:
    """Return the Redis key of the set of a job's attempts that began and never ended."""
    return f"{key_prefix}begun:{identity}"
