"""The paper's algorithm as its authors describe it: `python -m semjpeg.benchmark.pipeline.original FILE…`.

For each picture the map by VGG16 with the paper's heads, at its own size of 224 pixels, then the mosaic of JPEGs at
several qualities, saved once more at the quality whose size is that of libjpeg's file. One picture after the other, in
one thread. The weights are chance's: they do not change the time. Prints JSON: images and seconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

import codec
from models import backend

_SIDE_PX = 224
_CLASSES = 257
_STRIDE_PX = 8
_QUALITY = 50
"""Of libjpeg's file, whose size the authors match."""


def main() -> None:
    """Do one picture to warm up, then all, and tell how long that took."""
    paths = [Path(name) for name in sys.argv[1:]]
    backend.start(threads=1)
    from models.vgg import VGG16MSROI

    network = VGG16MSROI([str(number) for number in range(_CLASSES)])
    cells = np.ones((1, _SIDE_PX // _STRIDE_PX, _SIDE_PX // _STRIDE_PX, 1), np.float32)

    def compress(path: Path) -> None:
        image = Image.open(path).convert("RGB")
        canvas = np.asarray(image.resize((_SIDE_PX, _SIDE_PX)), np.float32)[None]
        found = network.predict_on_batch({"picture": canvas, "barrier": 0 * cells, "valid": cells})["map"]
        importance = np.clip(np.asarray(found, np.float32)[0], 0, 1)
        codec.encode(np.asarray(image), importance, rate=codec.MatchJpeg(_QUALITY), method="mosaic")

    compress(paths[0])
    began = time.perf_counter()
    for path in paths:
        compress(path)
    sys.stdout.write(json.dumps({"images": len(paths), "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
