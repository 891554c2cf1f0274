"""Steps: how good a result is, by measures that each one gets and by slower ones that a share gets."""

from __future__ import annotations

import threading
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import structlog

import codec
from codec.metrics import LEAST_SIDE_PX
from config.sampling import position

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from config.jobs import Job
    from config.settings import MetricsSettings
    from worker.decode import Picture

_log = structlog.get_logger(__name__)

_one_at_a_time = threading.Lock()
"""Full measures take half a gigabyte for each megapixel: the threads of a process take turns."""


def measure(picture: Picture, decoded: NDArray[np.uint8], importance: NDArray[np.float32]) -> dict[str, float | None]:
    """Return the fields of `codec.Metrics` by name."""
    return asdict(codec.measure(picture.pixels, decoded, importance))


def measure_full(
    job: Job, picture: Picture, decoded: NDArray[np.uint8], settings: MetricsSettings
) -> dict[str, float | None]:
    """Return the fields of `codec.FullMetrics` by name.

    All are None where the job is not in the sample, and where a package fails: a result is not lost for its measures.
    """
    nothing: dict[str, float | None] = dict.fromkeys(field.name for field in fields(codec.FullMetrics))
    if position(job.bucket, job.key) >= settings.full_share:
        return nothing
    window = _middle(picture.pixels.shape[0], picture.pixels.shape[1], settings.full_max_pixels)
    try:
        with _one_at_a_time:
            return asdict(codec.measure_full(picture.pixels[window], decoded[window]))
    except Exception:  # noqa: BLE001  whatever it is, the result stands
        _log.exception("not measured in full")
        return nothing


def _middle(height: int, width: int, most_pixels: int) -> tuple[slice, slice]:
    """Return the rows and columns of the window in the middle of a picture.

    It has the picture's aspect ratio, but is not narrower than the measures need where the picture is not.
    """
    short, long = sorted((height, width))
    scale = min(1.0, (most_pixels / (short * long)) ** 0.5)
    narrow = min(short, max(LEAST_SIDE_PX, int(short * scale)))
    wide = min(long, most_pixels // narrow)
    sides = (narrow, wide) if height == short else (wide, narrow)
    (top, high), (left, across) = (
        ((length - side) // 2, side) for length, side in zip((height, width), sides, strict=True)
    )
    return slice(top, top + high), slice(left, left + across)
