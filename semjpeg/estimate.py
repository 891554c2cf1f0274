"""What a backfill would take and save: all images are counted, and a sample of them is compressed and thrown away."""

from __future__ import annotations

import heapq
import os
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from config.errors import SemjpegError
from config.sampling import position
from semjpeg.status.words import span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from config.jobs import Job
    from config.recipes import Recipe
    from config.settings import LimitSettings
    from storage import ObjectStore

_KILO = 1000
_UNITS = ("B", "kB", "MB", "GB", "TB")
_WORKER_MODULES = ("numba", "numpy", "PIL", "tensorflow")
"""What a producer does not have and a worker does."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a listing tells.

    Attributes:
        images: How many there are.
        bytes_in: Their length.
        sample: Some of them, chosen by hash of bucket and key: the same ones every time.
    """

    images: int
    bytes_in: int
    sample: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """One image of the sample.

    Attributes:
        bytes_in: Its length.
        bytes_out: Of its result; None where there is none.
        cpu_s: Seconds of one core that it took.
    """

    bytes_in: int
    bytes_out: int | None
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What all images would take and save, as far as the sample tells.

    Attributes:
        bytes_out: Of all results together.
        bytes_out_low: Lower end of the interval that holds it in 95 of 100 samples.
        bytes_out_high: Upper end.
        bytes_saved: What the sources of these results have more than they.
        core_s: Seconds of one core.
        machine_s: Seconds of this machine with all its cores.
        tried: Images in the sample.
        failed: Those of them without a result.
    """

    bytes_out: int
    bytes_out_low: int
    bytes_out_high: int
    bytes_saved: int
    core_s: float
    machine_s: float
    tried: int
    failed: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


def can_compress() -> bool:
    """Whether this machine has what a worker needs."""
    return all(find_spec(module) for module in _WORKER_MODULES)


def count(jobs: Iterable[Job], sample: int) -> Counted:
    """Count images and choose a sample, in constant memory.

    Args:
        jobs: One for each image.
        sample: How many to choose, at least one.
    """
    images = bytes_in = 0
    chosen: list[tuple[float, int, Job]] = []  # those nearest to nought, the farthest of them first
    for job in jobs:
        images += 1
        bytes_in += job.size
        entry = (-position(job.bucket, job.key), images, job)
        if len(chosen) < sample:
            heapq.heappush(chosen, entry)
        elif entry > chosen[0]:
            heapq.heapreplace(chosen, entry)
    return Counted(images, bytes_in, tuple(job for *_, job in sorted(chosen, reverse=True)))


def attempt(
    jobs: Iterable[Job], store: ObjectStore, recipe: Recipe, limits: LimitSettings, warn: Callable[[str], None]
) -> list[Tried]:
    """Compress images as a worker would, and keep the figures alone.

    Args:
        jobs: The images.
        store: Their bucket.
        recipe: How to encode them.
        limits: How large they may be.
        warn: Gets the reason where an image has no result.

    Raises:
        ModelError: The network cannot be loaded.
    """
    from semjpeg.api import encode_file, network

    network().warm_up()
    tried = []
    for job in jobs:
        size, began_s = None, time.process_time()
        try:
            data = store.get(job.key, max_bytes=limits.max_bytes, etag=job.etag)
            size = len(encode_file(data, recipe, limits).data)
        except SemjpegError as error:
            warn(f"{job.key}: {error}")
        tried.append(Tried(job.size, size, time.process_time() - began_s))
    return tried


def estimate(counted: Counted, tried: list[Tried]) -> Estimate:
    """Conclude from a sample to all: bytes by the ratio of the sample's bytes, time by the image.

    Args:
        counted: All images.
        tried: Those of the sample, at least one that has bytes.
    """
    import numpy as np

    from semjpeg.evaluation.bootstrap import interval, resamples

    bytes_in = np.array([one.bytes_in for one in tried], np.float64)
    bytes_out = np.array([one.bytes_out or 0 for one in tried], np.float64)
    compressed = np.array([one.bytes_in if one.bytes_out is not None else 0 for one in tried], np.float64)
    weights = resamples(len(tried))
    ratios = (weights @ bytes_out) / np.maximum(weights @ bytes_in, 1e-9)
    low, high = interval(ratios)
    whole = counted.bytes_in / max(float(bytes_in.sum()), 1.0)
    core_s = counted.images * sum(one.cpu_s for one in tried) / len(tried)
    return Estimate(
        bytes_out=round(whole * float(bytes_out.sum())),
        bytes_out_low=round(counted.bytes_in * low),
        bytes_out_high=round(counted.bytes_in * high),
        bytes_saved=round(whole * float((compressed - bytes_out).sum())),
        core_s=core_s,
        machine_s=core_s / (os.cpu_count() or 1),
        tried=len(tried),
        failed=sum(one.bytes_out is None for one in tried),
    )


def lines(counted: Counted, figures: Estimate | None) -> list[str]:
    """Put what was found out into words.

    Args:
        counted: All images.
        figures: What the sample tells; None where it could not be tried.
    """
    told = [f"images    {counted.images:,}", f"bytes     {_size(counted.bytes_in)}"]
    if figures is None:
        if counted.images:
            told.append("what they would take and save: unknown, for this machine lacks the extra 'worker'")
        return told
    between = f"{_size(figures.bytes_out_low)} to {_size(figures.bytes_out_high)}"
    return [
        *told,
        f"results   {_size(figures.bytes_out)} (95 %: {between})",
        f"saved     {_size(figures.bytes_saved)}",
        f"time      {span(figures.core_s)} of one core, {span(figures.machine_s)} of this machine",
        f"sample    {figures.tried} images, {figures.failed} of them without a result",
    ]


def _size(amount_bytes: int) -> str:
    """Write bytes in decimal units."""
    value = float(amount_bytes)
    for unit in _UNITS[:-1]:
        if value < _KILO:
            return f"{value:.0f} {unit}" if unit == _UNITS[0] else f"{value:.1f} {unit}"
        value /= _KILO
    return f"{value:.1f} {_UNITS[-1]}"
