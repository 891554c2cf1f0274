"""Processor time per megapixel, stage by stage: `python -m semjpeg.benchmark.pipeline.cpu FILE…`.

Beside it stands what Pillow takes to decode and encode the same pictures. Prints JSON: milliseconds per megapixel by
stage, and the ratio.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

import codec
from config.recipes import Recipe
from config.settings import LimitSettings
from models import prepare, refine
from semjpeg.api import network
from semjpeg.files import read_file
from worker.decode import decode
from worker.encode import encode
from worker.probe import probe
from worker.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMPARED: Final = ("probe", "decode", "encode", "verify", "metrics")
"""What is held against Pillow; the map and libjpeg's file for the record are not needed to make a JPEG."""

PILLOW: Final = "Pillow"
_PILLOW_QUALITY: Final = 75
_MEGA: Final = 1e6


class StageSeconds:
    """Seconds of processor time by stage, over several pictures."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.megapixels = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage while nothing else runs; what it leaves to threads of its own, as the network does, counts."""
        began = time.process_time()
        try:
            yield
        finally:
            self.seconds[name] += time.process_time() - began

    @property
    def over_pillow(self) -> float:
        """What the compared stages take, divided by what Pillow takes."""
        return sum(self.seconds[name] for name in COMPARED) / self.seconds[PILLOW]

    def per_megapixel(self) -> dict[str, float]:
        """Return milliseconds per megapixel by stage."""
        return {name: 1000 * seconds / self.megapixels for name, seconds in self.seconds.items()}


def measure_cpu(paths: Sequence[Path]) -> StageSeconds:
    """Compress each picture once in this thread, and once with Pillow: decoded, then encoded with optimised scans.

    Raises:
        SemjpegError: A picture cannot be compressed.
    """
    limits, recipe, model = LimitSettings(), Recipe(), network()
    model.warm_up(1)
    found = StageSeconds()
    for path in (paths[0], *paths):
        if path is paths[0]:
            found = StageSeconds()  # the first one, done twice, pays for what is loaded and compiled late
        data = read_file(path, limits.max_bytes)
        with found.stage("probe"):
            source = probe(data, limits)
        with found.stage("decode"):
            picture = decode(source)
        with found.stage("prepare"):
            prepared = prepare(picture.pixels)
        with found.stage("network"):
            coarse = model.maps([prepared])[0]
        with found.stage("refine"):
            importance = refine(prepared, coarse)
        with found.stage("encode"):
            result = encode(source, picture, importance, recipe)
        with found.stage("verify"):
            decoded = verify(result.data, picture, limits)
        with found.stage("metrics"):
            codec.measure(picture.pixels, decoded, importance)
        with found.stage("libjpeg"):
            codec.libjpeg_bytes(picture.pixels, _PILLOW_QUALITY)
        with found.stage(PILLOW), Image.open(io.BytesIO(data)) as image:
            image.convert("RGB").save(io.BytesIO(), "JPEG", quality=_PILLOW_QUALITY, optimize=True, progressive=True)
        found.megapixels += source.width * source.height / _MEGA
    return found


def main() -> None:
    """Measure the files of the command line."""
    found = measure_cpu([Path(name) for name in sys.argv[1:]])
    sys.stdout.write(json.dumps({"stages": found.per_megapixel(), "over_pillow": found.over_pillow}))


if __name__ == "__main__":
    main()
