"""Importance maps made visible: laid over the picture as heat."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEAT_STOPS = np.array([(13, 8, 64), (120, 28, 109), (221, 81, 58), (252, 180, 40), (255, 250, 190)], dtype=np.float32)
"""Colours at 0, ¼, ½, ¾ and 1: dark and cool to bright and warm, and rising in lightness for the colour-blind."""

HEAT_SHARE = 0.55
"""How much of what one sees is heat; the rest is the picture under it."""

_LONGEST_SIDE_PX = 1280
"""Maps and overlays are there to be looked at: they are never larger than this."""


def map_image(importance: NDArray[np.float32], width: int, height: int) -> Image.Image:
    """Scale a map to its picture's aspect ratio.

    Args:
        importance: float32 `[h', w']` in 0..1.
        width: The picture's width in pixels.
        height: The picture's height in pixels.

    Returns:
        An 8-bit grey image, white where the map is 1; of the picture's size, or scaled down to 1280 pixels a side.
    """
    shrink = min(1.0, _LONGEST_SIDE_PX / max(width, height))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = Image.fromarray(np.ascontiguousarray(importance, dtype=np.float32))
    levels = np.asarray(small.resize(size, Image.Resampling.BICUBIC))
    return Image.fromarray(np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8))


def overlay_image(pixels: NDArray[np.uint8], importance: NDArray[np.float32]) -> Image.Image:
    """Lay a map over its picture.

    Args:
        pixels: uint8 `[h, w, 3]` or `[h, w]`.
        importance: float32 `[h', w']` in 0..1.

    Returns:
        An RGB image, of the size of `map_image`.
    """
    levels = map_image(importance, pixels.shape[1], pixels.shape[0])
    picture = Image.fromarray(pixels).convert("RGB").resize(levels.size, Image.Resampling.LANCZOS, reducing_gap=2)
    return Image.blend(picture, heat_image(levels).convert("RGB"), HEAT_SHARE)


def heat_image(levels: Image.Image) -> Image.Image:
    """Colour a map.

    Args:
        levels: 8-bit grey, white where the map is 1.

    Returns:
        An image of the same size whose palette is the colours of heat.
    """
    stops = np.linspace(0, 255, len(_HEAT_STOPS))
    channels = [np.interp(np.arange(256), stops, _HEAT_STOPS[:, c]) for c in range(3)]
    heat = levels.copy()
    heat.putpalette(np.stack(channels, axis=-1).astype(np.uint8).tobytes())
    return heat


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return an image as a file of Pillow's format `kind`, such as `PNG`, made with that format's own options."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
