"""Processor time and memory that `codec.encode` and `codec.measure` take, beside libjpeg as Pillow runs it.

    python benchmarks/codec_speed.py --data PICTURES [--megapixels 12] [--limit 3] [--profile]

Pictures are scaled to the size given and encoded with an ellipse in the middle as map, on one thread. Seconds are of
the processor, the least of three runs. The memory is by how much the resident set of the process rises while it encodes
once (Linux only). `--profile` adds where the time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import pstats
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

import codec
from codec import reference

if TYPE_CHECKING:
    from collections.abc import Callable


def seconds(function: Callable[[], object]) -> float:
    """Least processor time of three calls."""
    spent = []
    for _ in range(3):
        start = time.thread_time()
        function()
        spent.append(time.thread_time() - start)
    return min(spent)


def memory_mb(field: str) -> float:
    """Resident set of this process, in MB of 10^6 bytes: `VmRSS` now, `VmHWM` at its peak."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field))


def libjpeg(pixels: np.ndarray) -> None:
    """Encode with Pillow at quality 75, optimised and progressive."""
    Image.fromarray(pixels).save(io.BytesIO(), "JPEG", quality=75, optimize=True, progressive=True)


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description="processor time and memory of codec.encode")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--limit", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()

    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    importance = np.clip(1.5 - 2 * np.hypot(y, x), 0, 1)
    codec.encode(np.zeros((64, 64, 3), np.uint8), importance)
    for path in sorted(options.data.iterdir())[: options.limit]:
        with Image.open(path) as image:
            factor = (options.megapixels * 1e6 / (image.width * image.height)) ** 0.5
            size = (round(image.width * factor), round(image.height * factor))
            pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts from here
        before = memory_mb("VmRSS")
        encoded = codec.encode(pixels, importance)
        rise = memory_mb("VmHWM") - before
        decoded = reference.decode(encoded.data)
        print(
            f"{path.name}: {pixels.shape[1]}x{pixels.shape[0]}"
            f"   encode {seconds(partial(codec.encode, pixels, importance)):.2f} s"
            f"   libjpeg {seconds(partial(libjpeg, pixels)):.2f} s"
            f"   measure {seconds(partial(codec.measure, pixels, decoded, importance)):.2f} s"
            f"   memory {rise:+.0f} MB over {before:.0f} MB"
        )
        if options.profile:
            profile = cProfile.Profile()
            profile.runcall(codec.encode, pixels, importance)
            pstats.Stats(profile).sort_stats("tottime").print_stats(14)


if __name__ == "__main__":
    main()
