"""How long it takes from an upload to its result, on a system that has nothing else to do."""

from __future__ import annotations

import io
import sys
import time
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from config.errors import SemjpegError
from semjpeg.benchmark.pictures import read_pixels

if TYPE_CHECKING:
    from pathlib import Path

    from semjpeg.benchmark.pipeline.system import System

MEGAPIXELS: Final = 2.0
_QUALITY: Final = 90
_LOOK_S: Final = 0.005
_LATEST_S: Final = 60.0
_REST_S: Final = 0.2
"""Between two uploads, so that the system is idle at each."""


def photo(path: Path, megapixels: float = MEGAPIXELS) -> bytes:
    """Make a JPEG of so many megapixels of a picture, at quality 90 as a camera would write it."""
    image = Image.fromarray(np.asarray(read_pixels(path))).convert("RGB")
    scale = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
    small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def measure_latency(system: System, path: Path, uploads: int) -> list[float]:
    """Upload a photo again and again, told by notifications, and wait each time for its result.

    Returns:
        Seconds from the put to the moment when the result is seen, per upload.

    Raises:
        SemjpegError: A result did not come within a minute.
    """
    data = photo(path)
    system.processes.start("poller", sys.executable, "-m", "semjpeg", "events", "poll")
    seconds = []
    for number in range(uploads + 1):
        key = f"uploads/{number}.jpg"
        began = time.perf_counter()
        system.source.put(key, data, content_type="image/jpeg")
        while system.output.head(f"{key}.jpg") is None:
            system.processes.check()
            if time.perf_counter() - began > _LATEST_S:
                raise SemjpegError(f"no result of an upload came within {_LATEST_S:g} s")
            time.sleep(_LOOK_S)
        seconds.append(time.perf_counter() - began)
        time.sleep(_REST_S)
    return seconds[1:]  # the first one waits for the poller to start
