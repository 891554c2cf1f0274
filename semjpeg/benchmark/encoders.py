"""The encoders that ours is measured beside. Each turns RGB `uint8[h,w,3]` into a JPEG with colour at 4:2:0."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from codec import reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MOZJPEG_VERSION: Final = "mozjpeg403"
"""mozjpeg 4.0.3, as jpeglib names it."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Another encoder.

    encode: takes pixels and a quality of 1 to 100 on its own scale.
    equals: its quality where libjpeg's is `_LIBJPEG_QUALITIES` and both have the same PSNR-HVS-M.
    """

    encode: Callable[[NDArray[np.uint8], int], bytes]
    equals: tuple[int, ...]

    def quality(self, libjpeg_quality: int) -> int:
        """Return the quality on its own scale that looks like libjpeg's at `libjpeg_quality`."""
        return round(float(np.interp(libjpeg_quality, _LIBJPEG_QUALITIES, self.equals)))


def libjpeg_progressive(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Encode as Pillow does with `optimize=True, progressive=True`."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
    return buffer.getvalue()


def mozjpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Encode with mozjpeg's defaults: trellis, progressive, scans searched. One call at a time in a process."""
    import jpeglib

    with tempfile.TemporaryDirectory(prefix="semjpeg-mozjpeg-") as folder, jpeglib.version(MOZJPEG_VERSION):
        path = Path(folder) / "picture.jpg"
        jpeglib.from_spatial(np.ascontiguousarray(pixels)).write_spatial(str(path), qt=quality)
        return path.read_bytes()


def jpegli(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Encode with jpegli's defaults; its baseline scans are then replaced by the scan optimiser's."""
    import mozjpeg_lossless_optimization
    import pyjpegli

    height, width = pixels.shape[:2]
    optimised: bytes = mozjpeg_lossless_optimization.optimize(pyjpegli.encode(pixels.tobytes(), width, height, quality))
    return optimised


_LIBJPEG_QUALITIES: Final = (1, 20, 30, 50, 70, 90, 95, 100)

ENCODERS: Final = {
    "libjpeg-turbo": Encoder(reference.libjpeg, _LIBJPEG_QUALITIES),
    "libjpeg-turbo progressive": Encoder(libjpeg_progressive, _LIBJPEG_QUALITIES),
    "mozjpeg": Encoder(mozjpeg, (1, 29, 43, 64, 77, 92, 95, 100)),
    "jpegli": Encoder(jpegli, (1, 22, 46, 71, 84, 94, 96, 100)),
}
"""By name. Where scales differ, the equal qualities are means over 8 pictures each of Kodak and ECSSD."""
