"""Who is hurt when: uploads and injuries go on side by side until the time is up."""

from __future__ import annotations

import random
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from system import SOURCE

if TYPE_CHECKING:
    from system import System
    from world import Write

_EVERY_S = (3.0, 8.0)
"""Seconds between two injuries."""

_AWAY_S = (0.2, 4.0)
"""Seconds for which a broker that is restarted stays away."""

_PORTIONS = (
    ("worker SIGKILL", 7),
    ("workers SIGKILL", 1),
    ("worker SIGTERM", 4),
    ("connections cut", 4),
    ("broker SIGTERM", 2),
    ("broker SIGKILL", 2),
    ("poller SIGKILL", 1),
    ("poller SIGTERM", 1),
)
"""Injuries and how often each comes beside the others; `workers` are all of them at once."""

_ALL_LOST_AT = 0.3
"""So far into the time of mayhem the broker loses everything, once; what is uploaded later has to survive by itself."""

_FLUSH_REACH_S = 15.0
"""What was uploaded so long after the broker was emptied cannot have been in it."""

_BUSY_WITHIN_S = 3.0
"""A worker is struck when jobs are under way, if there are any within so many seconds."""


class Mayhem:
    """Injures a system."""

    def __init__(self, system: System, seed: int, say: Any) -> None:
        self._system = system
        self._random = random.Random(seed)  # noqa: S311 - a seed is what is wanted
        self._say = say
        self._bag: list[str] = []
        self._emptied_at: float | None = None
        self._written: dict[str, float] = {}

    def run(self, writes: list[Write], duration_s: float) -> None:
        """Upload everything over `duration_s` seconds while one injury follows the other."""
        began = time.monotonic()
        uploads = threading.Thread(target=self._upload, args=(writes, began, duration_s), name="uploads")
        uploads.start()
        while uploads.is_alive() or time.monotonic() < began + duration_s:
            time.sleep(self._random.uniform(*_EVERY_S))
            self._system.revive()
            all_lost = self._emptied_at is None and time.monotonic() > began + _ALL_LOST_AT * duration_s
            name = "broker FLUSHALL" if all_lost else self._draw()
            self._say(f"{time.monotonic() - began:6.1f} s  {name}")
            self._injure(name)
            self._system.done[name] += 1
        uploads.join()

    def outlived(self, key: str) -> bool:
        """Whether a key was last uploaded when the broker had lost everything already."""
        return self._emptied_at is not None and self._written[key] > self._emptied_at + _FLUSH_REACH_S

    def _draw(self) -> str:
        """Draw from a bag that holds every injury in its portion, so that even a short time knows many kinds."""
        if not self._bag:
            self._bag = [name for name, count in _PORTIONS for _ in range(count)]
            self._random.shuffle(self._bag)
        return self._bag.pop()

    def _injure(self, name: str) -> None:
        victim, how = name.split()
        system = self._system
        if victim == "connections":
            system.done["clients cut off"] += system.cut_connections()
        elif how == "FLUSHALL":
            self._await_work()
            system.lose_all()
            self._emptied_at = time.monotonic()
        elif victim == "broker":
            system.restart_broker(signal.Signals[how], self._random.uniform(*_AWAY_S))
        elif victim == "poller":
            system.end(["poller"], signal.Signals[how])
        else:
            workers = [name for name in system.running if name != "poller"]
            victims = workers if victim == "workers" else [self._random.choice(workers)]
            system.done["jobs under way when a worker was struck"] += self._await_work()
            system.end(victims, signal.Signals[how])

    def _await_work(self) -> int:
        """Wait for jobs to be under way, but not for long; return how many are."""
        until = time.monotonic() + _BUSY_WITHIN_S
        while not (busy := self._system.pending()["unacknowledged"]) and time.monotonic() < until:
            time.sleep(0.02)
        return busy

    def _upload(self, writes: list[Write], began: float, duration_s: float) -> None:
        for write in writes:
            time.sleep(max(0.0, began + write.at * duration_s - time.monotonic()))
            self._system.s3.put_object(Bucket=SOURCE, Key=write.version.key, Body=write.version.data)
            self._written[write.version.key] = time.monotonic()
