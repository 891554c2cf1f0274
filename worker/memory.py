"""Step: wait until the picture's memory is free. All threads of a process share one budget."""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from config.sampling import position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.jobs import Job
    from config.settings import LimitSettings, MetricsSettings
    from worker.probe import Probe

BYTES_PER_PX: Final = 36
"""Peak of all steps together. Measured at 6 to 40 megapixels: WebP 34, the mosaic 31, AVIF, JPEG 2000 and pictures with
transparency 28, RGB and CMYK of any other format 25, grey 10 to 24."""

FULL_METRICS_BYTES_PER_PX: Final = 512

_COPIES_IN_FETCH: Final = 2
"""A file is joined from the chunks in which it came."""


_M_TRIM_THRESHOLD: Final = -1
"""`mallopt(3)`: how much of what is freed below that a thread may keep for its next picture."""

_M_MMAP_THRESHOLD: Final = -3
"""`mallopt(3)`: from how many bytes on a block is given back to the system at once when it is freed."""

_KEPT_BYTES: Final = 16 << 20
"""By glibc's own 128 KB a small picture takes its memory from the system anew a thousand times, 12 % of all its time
(24 Kodak pictures: 13 instead of 4,700 pages for each); with this a process of six threads grows by 20 MB."""

_LARGE_BLOCK_BYTES: Final = 4 << 20
"""Left to itself, glibc raises this to 32 MB, and each thread then keeps the planes of the largest picture it has
had: measured with six threads and pictures of 12 megapixels, twice the budget."""


def share_memory() -> None:
    """Make what large pictures free free for the other threads and the machine, and let small ones keep theirs.

    Where the C library has no such settings nothing happens.
    """
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


class Share:
    """What one picture may use of a budget."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self.bytes = 0
        self.grown = False

    def grow(self, total_bytes: int) -> None:
        """Wait until the share may be `total_bytes` in all; a picture asks for this once, before it is decoded."""
        self._budget.grow(self, total_bytes)


class MemoryBudget:
    """Admits pictures in the order in which they came, as long as there is memory for the next one.

    A picture that needs more than the whole budget is admitted when no other is being decoded. Those that have been
    read and wait to be decoded come before those that have yet to be read, so nothing is read that has to wait long.
    """

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes
        self._used = 0
        self._decoding = 0
        self._arriving: deque[Share] = deque()
        self._growing: deque[Share] = deque()
        self._changed = threading.Condition()

    @property
    def used_bytes(self) -> int:
        """What the pictures in flight may use just now."""
        return self._used

    @contextmanager
    def share(self, first_bytes: int) -> Iterator[Share]:
        """Wait for a share of `first_bytes`; it is free again when the block ends."""
        share = Share(self)
        with self._changed:
            self._arriving.append(share)
            self._changed.wait_for(lambda: self._arriving[0] is share and self._may_enter(first_bytes))
            self._arriving.popleft()
            self._used += first_bytes
            share.bytes = first_bytes
            self._changed.notify_all()
        try:
            yield share
        finally:
            with self._changed:
                self._used -= share.bytes
                self._decoding -= share.grown
                self._changed.notify_all()

    def grow(self, share: Share, total_bytes: int) -> None:
        """See `Share.grow`."""
        with self._changed:
            self._growing.append(share)
            self._changed.wait_for(lambda: self._growing[0] is share and self._may_grow(share, total_bytes))
            self._growing.popleft()
            self._used += total_bytes - share.bytes
            share.bytes = total_bytes
            share.grown = True
            self._decoding += 1
            self._changed.notify_all()

    def _may_enter(self, first_bytes: int) -> bool:
        return not self._growing and (self._used == 0 or self._used + first_bytes <= self._total)

    def _may_grow(self, share: Share, total_bytes: int) -> bool:
        return self._decoding == 0 or self._used - share.bytes + total_bytes <= self._total


def bytes_to_fetch(job: Job, limits: LimitSettings) -> int:
    """Estimate what reading a source takes."""
    return _COPIES_IN_FETCH * min(job.size, limits.max_bytes)


def bytes_to_process(job: Job, source: Probe, metrics: MetricsSettings) -> int:
    """Estimate what a picture takes at the most, from its file in memory to the measured result."""
    pixels = source.width * source.height
    needed = len(source.data) + pixels * BYTES_PER_PX
    if position(job.bucket, job.key) < metrics.full_share:
        needed += min(pixels, metrics.full_max_pixels) * FULL_METRICS_BYTES_PER_PX
    return needed
