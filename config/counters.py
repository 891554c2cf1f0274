"""Small counters of a run, in the broker's Redis. They may be lost: what was done stands in the object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

_LIFETIME_S = 30 * 24 * 3600


class RunCounters:
    """Counts of jobs and bytes, one hash for each run."""

    def __init__(self, client: Redis, key_prefix: str) -> None:
        self._client = client
        self._prefix = f"{key_prefix}run:"

    def add(self, run: str, **amounts: int) -> None:
        """Add to counters of a run, all in one step; a counter that is not there starts at nought."""
        with self._client.pipeline(transaction=True) as together:
            for name, amount in amounts.items():
                together.hincrby(f"{self._prefix}{run}", name, amount)
            together.expire(f"{self._prefix}{run}", _LIFETIME_S)
            together.execute()

    def read(self, run: str) -> dict[str, int]:
        """Return all counters of a run by name; an unknown run has none."""
        stored = self._client.hgetall(f"{self._prefix}{run}")
        return {name if isinstance(name, str) else name.decode(): int(value) for name, value in stored.items()}
