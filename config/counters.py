"""Small counters of the runs, in the broker's Redis. They may be lost: what was done stands in the object store.

Each run has a hash of counters, a set of the places that its results go to, a hash of what ended in the last minute
and, while `semjpeg enqueue` is at work for it, a set of the sources that are being listed. One sorted set names the
runs. Every moment is Redis' own, so the clocks of workers and producers need not agree. All of a run's keys expire
`LIFETIME_S` after its last change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis import Redis

LIFETIME_S = 30 * 24 * 3600
MOST_RUNS = 10_000
"""Runs that are remembered by name; beyond, the one that stood still for longest is forgotten."""

ENDED = ("done", "unchanged", "failed")
"""The counters of which each ended job adds one to one."""

BUCKET_S = 5
"""What ends is summed up by spans of so many seconds."""
BUCKETS = 12
"""Whole spans in the last minute; the one that has just begun counts as well."""
LEASE_S = 60
"""For so long a producer is believed to be at work after it said so."""

_ADD = """
local time = redis.call('TIME')
local run, place, lifetime, ended, bytes_in = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local bucket_s, buckets, most_runs = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local now_ms = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
for i = 9, #ARGV, 2 do
    redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('HSETNX', KEYS[1], 'began_ms', now_ms)
if ended > 0 then
    redis.call('HSETNX', KEYS[1], 'first_ended_ms', now_ms)
    redis.call('HSET', KEYS[1], 'last_ended_ms', now_ms)
    local bucket = math.floor(time[1] / bucket_s)
    if redis.call('HINCRBY', KEYS[4], bucket .. ':images', ended) == ended then
        for _, name in ipairs(redis.call('HKEYS', KEYS[4])) do
            if tonumber(string.match(name, '^%d+')) < bucket - buckets then
                redis.call('HDEL', KEYS[4], name)
            end
        end
    end
    redis.call('HINCRBY', KEYS[4], bucket .. ':bytes_in', bytes_in)
    redis.call('EXPIRE', KEYS[4], bucket_s * (buckets + 2))
end
redis.call('EXPIRE', KEYS[1], lifetime)
redis.call('ZADD', KEYS[2], now_ms, run)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now_ms - lifetime * 1000)
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -most_runs - 1)
if place ~= '' then
    redis.call('SADD', KEYS[3], place)
end
redis.call('EXPIRE', KEYS[3], lifetime)
"""
"""Keys: counters, runs, places, pace. One step and one round trip, by Redis' clock."""


@dataclass(frozen=True, slots=True)
class Recent:
    """What ended in the last minute.

    Attributes:
        images: Jobs that ended, whatever became of them.
        bytes_in: Bytes of the sources whose results were written.
        seconds: The span in which they ended: a minute, or since the run's first job ended if that is less.
    """

    images: int = 0
    bytes_in: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunCounts:
    """All that the broker knows of a run.

    Attributes:
        run: Its name.
        at_s: When this was read, in seconds since 1970 by Redis' clock.
        counts: The counters by name, and the moments `began_ms`, `first_ended_ms` and `last_ended_ms`.
        recent: What ended in the last minute.
        places: Output places, as URLs.
        sources: Where `semjpeg enqueue` is at work for this run, as URLs.
    """

    run: str
    at_s: float
    counts: Mapping[str, int] = field(default_factory=dict)
    recent: Recent = Recent()
    places: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class RunCounters:
    """Counts of jobs and bytes by run."""

    def __init__(self, client: Redis, key_prefix: str) -> None:
        self._client = client
        self._prefix = key_prefix
        self._runs = f"{key_prefix}runs"
        self._add = client.register_script(_ADD)

    def add(self, run: str, place: str = "", /, **amounts: int) -> None:
        """Add to counters of a run, all in one step; a counter that is not there starts at nought.

        Args:
            run: The run; it becomes the one that moved last.
            place: An output place that jobs of the run go to, as a URL.
            amounts: What to add, by counter.
        """
        ended = sum(amounts.get(name, 0) for name in ENDED)
        limits = (BUCKET_S, BUCKETS, MOST_RUNS)
        pairs = [part for pair in amounts.items() for part in pair]
        self._add(
            keys=[self._key("run", run), self._runs, self._key("places", run), self._key("pace", run)],
            args=[run, place, LIFETIME_S, ended, amounts.get("bytes_in", 0), *limits, *pairs],
        )

    def announce(self, run: str, source: str) -> None:
        """Say that a producer is listing `source` for the run; this holds for `LEASE_S`, so say it again before."""
        now_s, microseconds = self._client.time()
        now_ms = now_s * 1000 + microseconds // 1000
        with self._client.pipeline(transaction=True) as together:
            together.zadd(self._key("listing", run), {source: now_s + LEASE_S})
            together.expire(self._key("listing", run), LEASE_S)
            together.hsetnx(self._key("run", run), "began_ms", str(now_ms))
            together.expire(self._key("run", run), LIFETIME_S)
            together.zadd(self._runs, {run: now_ms})
            together.execute()

    def withdraw(self, run: str, source: str) -> None:
        """Say that the producer which listed `source` has come to its end."""
        self._client.zrem(self._key("listing", run), source)

    def runs(self, most: int = MOST_RUNS) -> list[str]:
        """Return the names of the runs, the one that moved last first."""
        oldest_ms = (int(self._client.time()[0]) - LIFETIME_S) * 1000
        return _texts(self._client.zrevrangebyscore(self._runs, "+inf", oldest_ms, start=0, num=most))

    def read(self, run: str) -> dict[str, int]:
        """Return all counters of a run by name; an unknown run has none."""
        return _numbers(self._client.hgetall(self._key("run", run)))

    def places(self, run: str) -> list[str]:
        """Return the output places, as URLs, that jobs of the run go to."""
        return sorted(_texts(self._client.smembers(self._key("places", run))))

    def snapshot(self, runs: Sequence[str]) -> list[RunCounts]:
        """Return all that is known of several runs, at one moment and in one round trip."""
        with self._client.pipeline(transaction=True) as together:
            together.time()
            for run in runs:
                together.hgetall(self._key("run", run))
                together.hgetall(self._key("pace", run))
                together.smembers(self._key("places", run))
                together.zrange(self._key("listing", run), 0, -1, withscores=True)
            (seconds, microseconds), *answers = together.execute()
        at_s = int(seconds) + int(microseconds) / 1e6
        counts, buckets, places, leases = (answers[first::4] for first in range(4))
        return [
            RunCounts(
                run=run,
                at_s=at_s,
                counts=(counted := _numbers(counts[i])),
                recent=recent(_numbers(buckets[i]), at_s, counted.get("first_ended_ms", 0) / 1000),
                places=tuple(sorted(_texts(places[i]))),
                sources=tuple(sorted(_texts(source for source, until_s in leases[i] if until_s > at_s))),
            )
            for i, run in enumerate(runs)
        ]

    def _key(self, kind: str, run: str) -> str:
        """Name a key; the kind stands first, for a run's name may hold colons."""
        return f"{self._prefix}{kind}:{run}"


def recent(buckets: Mapping[str, int], at_s: float, first_ended_s: float) -> Recent:
    """Sum up the buckets of the last minute.

    Args:
        buckets: Amounts by `<number>:images` and `<number>:bytes_in`; a bucket's number is its time over `BUCKET_S`.
        at_s: Now.
        first_ended_s: When the first job of the run ended.
    """
    oldest = int(at_s // BUCKET_S) - BUCKETS
    totals = {"images": 0, "bytes_in": 0}
    for field_name, amount in buckets.items():
        number, _, name = field_name.partition(":")
        if int(number) >= oldest:
            totals[name] += amount
    return Recent(totals["images"], totals["bytes_in"], at_s - max(oldest * BUCKET_S, first_ended_s))


def _numbers(stored: Mapping[Any, Any]) -> dict[str, int]:
    return {name: int(value) for name, value in zip(_texts(stored), stored.values(), strict=True)}


def _texts(stored: Any) -> list[str]:
    """Read names from a client that decodes answers and from one that does not."""
    return [name if isinstance(name, str) else name.decode() for name in stored]
