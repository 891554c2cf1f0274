"""Time and memory of one large picture."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

import codec
from config.errors import SemjpegError
from semjpeg.benchmark.encoders import mozjpeg
from semjpeg.benchmark.pictures import ellipse, large_picture
from semjpeg.benchmark.runs import processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_QUALITY: Final = 75
_ROUNDS: Final = 5
_TILES: Final = 24
"""Most pictures that the large one is laid of."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What a picture costs, encoded with a map at quality 75.

    megapixels: its size.
    seconds, mozjpeg_seconds: processor time of one thread, medians.
    throughput: how many times as many pictures a second two threads of one process encode.
    memory_mb: by how much the process grows meanwhile, in 10^6 bytes; None where the system does not tell (it does on
        Linux).
    """

    megapixels: float
    seconds: float
    mozjpeg_seconds: float
    throughput: float
    memory_mb: float | None


def measure_speed(paths: list[Path], megapixels: float) -> Speed:
    """Measure on a picture of `megapixels` laid of the first of `paths`, in processes that do nothing else.

    Raises:
        SemjpegError: A picture cannot be read, or the process died.
    """
    tiles = paths[:_TILES]
    try:
        with processes(1) as pool:
            seconds, mozjpeg_seconds, throughput = pool.submit(_time, tiles, megapixels).result()
        with processes(1) as pool:
            memory_mb = pool.submit(_memory, tiles, megapixels).result()
    except BrokenExecutor as error:
        raise SemjpegError(f"the measurement of speed and memory died: {error}") from error
    return Speed(megapixels, seconds, mozjpeg_seconds, throughput, memory_mb)


def _encode(pixels: NDArray[np.uint8]) -> None:
    codec.encode(pixels, ellipse(), rate=codec.Quality(_QUALITY))


def _time(paths: list[Path], megapixels: float) -> tuple[float, float, float]:
    """Return processor seconds of ours and of mozjpeg, and the throughput of two threads over that of one.

    What is compared takes turns, so that a machine that slows down meanwhile slows both.
    """
    pixels = large_picture(paths, megapixels)
    _encode(pixels[:64, :64])
    mozjpeg(pixels[:64, :64], _QUALITY)
    ours, theirs, one, two = [], [], [], []
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_encode, [pixels[:64, :64]] * 2))
        for _ in range(_ROUNDS):
            ours.append(_seconds(time.thread_time, lambda: _encode(pixels)))
            theirs.append(_seconds(time.thread_time, lambda: mozjpeg(pixels, _QUALITY)))
            one.append(_seconds(time.perf_counter, lambda: _encode(pixels)))
            two.append(_seconds(time.perf_counter, lambda: list(pool.map(_encode, [pixels] * 2))))
    return statistics.median(ours), statistics.median(theirs), 2 * statistics.median(one) / statistics.median(two)


def _seconds(clock: Callable[[], float], work: Callable[[], object]) -> float:
    start = clock()
    work()
    return clock() - start


def _memory(paths: list[Path], megapixels: float) -> float | None:
    """Return by how much this process grows while it encodes, in MB."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None

    def resident(field: str) -> float:
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field))

    # Not `getrusage`: its peak is never lowered, and a new process inherits that of the one which started it.
    pixels = large_picture(paths, megapixels)
    _encode(np.ascontiguousarray(pixels[:64, :64]))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak (VmHWM) starts from here
    before = resident("VmRSS")
    _encode(pixels)
    return resident("VmHWM") - before
