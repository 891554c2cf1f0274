"""Encoding and measuring many pictures in many processes, each of one thread."""

from __future__ import annotations

import os
import signal
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import codec
from config.errors import SemjpegError
from semjpeg.benchmark.encoders import ENCODERS
from semjpeg.benchmark.measures import Judge
from semjpeg.benchmark.pictures import ellipse, read_mask, read_picture
from semjpeg.benchmark.plan import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from semjpeg.benchmark.plan import Plan, Setting

    Maps = Mapping[str, NDArray[np.floating[Any]]]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What the libraries under NumPy and SciPy read when they are loaded."""


@dataclass(frozen=True, slots=True)
class Record:
    """One file.

    picture: path of the picture.
    pixels: width × height.
    measures: by the names in `measures.TITLES`; the slow ones only where they were asked for.
    """

    picture: Path
    pixels: int
    setting: Setting
    size_bytes: int
    measures: Mapping[str, float]

    @property
    def bits_per_pixel(self) -> float:
        """Size over area."""
        return 8 * self.size_bytes / self.pixels


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that could not be measured, and why."""

    picture: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to measure.

    mask: the file of its mask; None without masks.
    salient: the network's map of it, `float32[h',w']` in 0..1.
    """

    picture: Path
    mask: Path | None
    salient: NDArray[np.float32]
    plan: Plan


def measure_picture(job: Job) -> list[Record]:
    """Encode one picture in every way and measure each file.

    Raises:
        SemjpegError: The picture or its mask cannot be read, or an encoder failed.
    """
    pixels = read_picture(job.picture)
    regions: dict[str, NDArray[np.floating[Any]]] = {"ellipse": ellipse()}
    if job.mask is not None:
        regions["mask"] = read_mask(job.mask)
    judge = Judge(pixels, job.salient, regions)
    maps = {**regions, "network": job.salient}
    records = []
    for setting, slow in job.plan.settings().items():
        jpeg = _encode(pixels, setting, maps)
        measures = judge.judge(jpeg, slow)
        records.append(Record(job.picture, pixels.shape[0] * pixels.shape[1], setting, len(jpeg), measures))
    return records


def _encode(pixels: NDArray[np.uint8], setting: Setting, maps: Maps) -> bytes:
    if setting.encoder == OURS:
        importance = maps.get(setting.map)
        return codec.encode(
            pixels,
            importance,
            rate=setting.rate,
            method=setting.method,
            aim=setting.aim,
            strength=setting.strength,
        ).data
    if not isinstance(setting.rate, codec.Quality):
        raise TypeError(f"{setting.encoder} is asked for a quality, not a {type(setting.rate).__name__}")
    return ENCODERS[setting.encoder].encode(pixels, setting.rate.quality)


def measure_all(
    pictures: Sequence[Path], masks: Path | None, plan: Plan, jobs: int, tell: Callable[[Path, str], None]
) -> tuple[list[Record], list[Failure]]:
    """Measure pictures side by side.

    The network's maps are made in this process, so that TensorFlow is loaded once and the others start without it.

    Args:
        pictures: Their files.
        masks: Folder of grey pictures, `STEM.png`; None without masks.
        plan: What to encode.
        jobs: How many processes.
        tell: Called for each picture that is done, with an empty text or the reason why it failed.

    Returns:
        Records in the order of the pictures, and the pictures that failed.
    """
    from semjpeg.api import network

    model = network()
    found: dict[Path, list[Record]] = {}
    failures: list[Failure] = []

    def failed(path: Path, reason: str) -> None:
        failures.append(Failure(path, reason))
        tell(path, reason)

    with processes(jobs) as pool:
        futures: dict[Future[list[Record]], Path] = {}
        for path in pictures:
            mask = masks / f"{path.stem}.png" if masks else None
            try:
                job = Job(path, mask, model.importance(read_picture(path)), plan)
                futures[pool.submit(measure_picture, job)] = path
            except (SemjpegError, BrokenExecutor) as error:
                failed(path, str(error))
        for future in as_completed(futures):
            try:
                found[futures[future]] = future.result()
            except (SemjpegError, BrokenExecutor) as error:
                failed(futures[future], str(error))
            else:
                tell(futures[future], "")
    return [record for path in pictures for record in found.get(path, [])], failures


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Start fresh processes whose libraries keep to one thread; on an error, what has not begun is dropped.

    They are spawned: a fork of a process that has loaded TensorFlow may hang. Ctrl-C ends them without a traceback.
    """
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        with ProcessPoolExecutor(
            count, get_context("spawn"), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_DFL)
        ) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
