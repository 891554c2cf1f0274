"""Whether a process gets on with its work, which is more than being up."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

WAITING: Final = "waiting"
"""The stage of an image that waits for its turn: for its claim, for memory, to be alone."""

SILENCE_S: Final = 120.0
"""For so long the broker may give no answer."""


@dataclass(eq=False, slots=True)
class _Image:
    """Where an image is, and since when."""

    stage: str
    since_s: float


class Progress:
    """What is in flight and what the broker said, and the verdict on both. Thread-safe.

    The broker is looked at when somebody asks, so spans are counted from the first look that showed the trouble: a
    process that nobody asked for an hour is not taken to have been idle for that hour.
    """

    def __init__(self, threads: int, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare.

        Args:
            threads: Images that may be in flight; 0 for a process that takes no jobs.
            patience_s: For so long an image may stay in one stage, and jobs may wait for a thread that is free.
            clock: Gives seconds that never go back.
        """
        self._threads = threads
        self._patience_s = patience_s
        self._clock = clock
        self._lock = threading.Lock()
        self._images: set[_Image] = set()
        self._moved_s = clock()
        self._idle_since_s: float | None = None
        self._silent_since_s: float | None = None

    def begin(self) -> _Image:
        """Note that an image was taken."""
        with self._lock:
            self._moved_s = self._clock()
            image = _Image(WAITING, self._moved_s)
            self._images.add(image)
            self._idle_since_s = None
            return image

    def enter(self, image: _Image, stage: str) -> None:
        """Note that an image entered a stage."""
        with self._lock:
            image.stage, image.since_s = stage, self._clock()
            self._moved_s = image.since_s

    def end(self, image: _Image) -> None:
        """Note that an image came to its end, whatever that is."""
        with self._lock:
            self._moved_s = self._clock()
            self._images.discard(image)

    def looked(self, waiting: int | None) -> None:
        """Note what a look at the broker showed.

        Args:
            waiting: Jobs in the queues of this process; None: the broker did not answer.
        """
        with self._lock:
            now = self._clock()
            if waiting is None:
                self._silent_since_s = now if self._silent_since_s is None else self._silent_since_s
                self._idle_since_s = None
                return
            self._silent_since_s = None
            if waiting == 0 or len(self._images) >= self._threads:
                self._idle_since_s = None
            elif self._idle_since_s is None:
                self._idle_since_s = now

    @property
    def in_flight(self) -> int:
        """Images that were taken and have not come to their end."""
        with self._lock:
            return len(self._images)

    def trouble(self) -> str | None:
        """Say why there is no progress; None where there is, or where nothing has to be done.

        An image that waits is in no trouble as long as others get on, for it waits for them.
        """
        with self._lock:
            now = self._clock()
            for image in self._images:
                since_s = max(image.since_s, self._moved_s) if image.stage == WAITING else image.since_s
                if now - since_s > self._patience_s:
                    return f"an image has been in the stage {image.stage!r} for {now - since_s:.0f} s"
            if self._idle_since_s is not None and now - self._idle_since_s > self._patience_s:
                return f"jobs wait and threads are free, but none was taken for {now - self._idle_since_s:.0f} s"
            if self._silent_since_s is not None and now - self._silent_since_s > SILENCE_S:
                return f"the broker has not answered for {now - self._silent_since_s:.0f} s"
            return None
