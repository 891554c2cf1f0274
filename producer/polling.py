"""What all pollers share: they stop, pause and wait for room in the same way."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from config.errors import RetryableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from config.settings import ProducerSettings
    from producer.queue import JobQueue

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_ROOM_LOOK_S = 1.0
_log = structlog.get_logger(__name__)


class Room:
    """Back-pressure: full from the high-water mark on, until workers have drawn the queue to the low-water mark."""

    def __init__(self, queue: JobQueue, limits: ProducerSettings) -> None:
        self._queue = queue
        self._limits = limits
        self._full = False

    def is_full(self) -> bool:
        """Look at the queue.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        waiting = self._queue.waiting()
        if not self._full and waiting >= self._limits.high_water:
            self._full = True
            _log.info("queue full", high_water=self._limits.high_water, resume_at=self._limits.low_water)
        elif waiting <= self._limits.low_water:
            self._full = False
        return self._full


def poll(poll_once: Callable[[], int], room: Room, stop: threading.Event) -> None:
    """Poll until `stop` is set. While the queue of jobs is full, nothing is taken.

    Whatever is out of reach is tried again, with growing pauses.
    """
    pause_s = _FIRST_PAUSE_S
    while not stop.is_set():
        try:
            if room.is_full():
                stop.wait(_ROOM_LOOK_S)
                continue
            poll_once()
            pause_s = _FIRST_PAUSE_S
        except RetryableError as error:
            _log.warning("polling paused", reason=str(error), pause_s=pause_s)
            stop.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


@contextmanager
def meanwhile(action: Callable[[], None], interval_s: float) -> Iterator[None]:
    """Call `action` every `interval_s` seconds in a thread, for as long as the block takes; it must not raise."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(interval_s):
            action()

    thread = threading.Thread(target=repeat, name="meanwhile", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
