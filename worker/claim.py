"""Step: one worker at a time for one job, and an end to the jobs that kill their workers.

In Redis each claim is a key that holds its owner's token and expires; beside it stands the set of the attempts that
began and never came to an end. An attempt that ends, in whatever way, takes itself out of that set; one whose process
died stays in it until the job is settled.

A process that dies leaves behind all the attempts that ran side by side in it, and one of them at the most killed it.
So a job that was left behind once is then done alone in its process: whoever dies with it now, dies of it.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import redis

from config.deaths import begun_key
from config.errors import BrokerUnavailableError, JobInFlightError, PermanentError, WorkerLostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis
    from redis.commands.core import Script

    from worker.company import Company
    from worker.heartbeat import Heartbeat

_MOST_LOST: Final = 3
"""A job that so many workers died with is not begun again. It was beside others in the first of them, so this one may
have been another's victim, and alone in the rest: two, because a machine may also be switched off by others."""

_BEGUN_LIFETIME_S: Final = 30 * 24 * 3600

_HELD: Final = -1

_TAKE: Final = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return -1 end
local lost = redis.call('SCARD', KEYS[2])
if lost < tonumber(ARGV[3]) then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return lost
"""
"""Keys: claim, attempts that never ended. Returns how many there are of these; it may be called again."""

_BEGIN: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
"""
"""Keys: claim, attempts that never ended. It may be called again."""


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

    def __init__(self, client: Redis, key_prefix: str, heartbeat: Heartbeat, company: Company) -> None:
        self._prefix = key_prefix
        self._heartbeat = heartbeat
        self._company = company
        self._take = client.register_script(_TAKE)
        self._begin = client.register_script(_BEGIN)

    @contextmanager
    def hold(self, identity: str) -> Iterator[Claim]:
        """Hold the claim on a job. Should this process die, it ends by itself after the lease.

        A job that a worker died with waits, claimed, until it can be alone in this process.

        Raises:
            JobInFlightError: Another worker holds it.
            WorkerLostError: Three workers died with this job, in two of which it was alone.
            BrokerUnavailableError: Redis does not answer.
        """
        claim = Claim(identity, self._heartbeat.lease_s)
        asked_at = time.monotonic()
        lost = self._ask(self._take, claim, int(self._heartbeat.lease_s * 1000), _MOST_LOST)
        if lost == _HELD:
            raise JobInFlightError("is being compressed by another worker")
        if lost >= _MOST_LOST:
            raise WorkerLostError(
                f"is given up: {lost} workers died while they worked on it, and at last on nothing else"
            )
        claim.renewed(asked_at)
        with self._company.joined(alone=lost > 0) as seat, self._heartbeat.keeping(claim):
            seat.take()
            if not self._ask(self._begin, claim, _BEGUN_LIFETIME_S):
                raise JobInFlightError("is left to others: this worker lost its claim on it while it waited")
            try:
                yield claim
                claim.settled = True
            except PermanentError:
                claim.settled = True
                raise

    def _ask(self, script: Script, claim: Claim, *arguments: int) -> int:
        """Run a script on the two keys of a job."""
        keys = [claim_key(self._prefix, claim.identity), begun_key(self._prefix, claim.identity)]
        try:
            return int(script(keys=keys, args=[claim.token, *arguments]))
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"cannot claim: {error}") from error


def claim_key(key_prefix: str, identity: str) -> str:
    """Return the Redis key of a job's claim."""
    return f"{key_prefix}claim:{identity}"
