"""A picture as the gallery shows it: scaled down as a whole, and a part of it pixel by pixel."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms

from semjpeg.overlay import HEAT_SHARE, encoded, heat_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.decode import Picture

WHOLE_PX = 720
"""The longest side of a whole view."""
DETAIL_PX = (512, 384)
"""Width and height of a detail, at most."""
_SMALLEST_WHOLE_PX = 240
"""Pictures whose longest side is shorter are enlarged by a whole number, so that their pixels can be seen."""
_HEAT_PX = 64
"""The longest side of a map; browsers make it smooth."""

_WHOLE_QUALITY, _DETAIL_QUALITY = 90, 96
"""WebP's, high enough that the page's own coding adds nothing that one sees."""
_SIMPLE_BYTES, _LOSSLESS_BYTES = 16 * 1024, 48 * 1024
"""Views that take so few bytes with loss, and no more than so many without, are kept without."""
_POSITIONS = 9
"""Details are sought at so many places in each direction."""
_PALETTE_COLOURS = 256
_OPAQUE = 255


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def edges(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom."""
        return self.left, self.top, self.left + self.width, self.top + self.height


def choose_detail(size: tuple[int, int], importance: NDArray[np.float32] | None) -> Box:
    """Choose the part in which importance differs most: there one sees what was kept beside what was not.

    Args:
        size: The picture's width and height in pixels.
        importance: float32 `[h', w']` in 0..1; None means that there is no map.

    Returns:
        512×384 pixels or less, without a map in the middle. Where several are equal, the one nearest to the middle.
    """
    width, height = min(size[0], DETAIL_PX[0]), min(size[1], DETAIL_PX[1])
    room = (size[0] - width, size[1] - height)
    if importance is None:
        return Box(room[0] // 2, room[1] // 2, width, height)
    shares = np.linspace(0, 1, _POSITIONS)
    places = sorted(((x, y) for y in shares for x in shares), key=lambda at: (at[0] - 0.5) ** 2 + (at[1] - 0.5) ** 2)
    boxes = [Box(round(room[0] * x), round(room[1] * y), width, height) for x, y in places]
    spread = [round(float(_part(importance, size, box).std()), 4) for box in boxes]
    return boxes[int(np.argmax(spread))]


def whole_view(picture: Picture) -> tuple[bytes, tuple[int, int]]:
    """Return all of a picture as WebP, 720 pixels or less on its longest side, and the view's width and height."""
    image = Image.fromarray(picture.pixels)
    longest = max(image.size)
    if longest < _SMALLEST_WHOLE_PX:
        times = -(-_SMALLEST_WHOLE_PX // longest)
        view = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    else:
        shrink = min(1.0, WHOLE_PX / longest)
        scaled = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
        view = image.resize(scaled, Image.Resampling.LANCZOS, reducing_gap=3)
    return _webp(_in_srgb(view, picture.icc), _WHOLE_QUALITY), view.size


def detail_view(picture: Picture, box: Box) -> bytes:
    """Return a part of a picture as WebP, pixel by pixel."""
    part = picture.pixels[box.top : box.top + box.height, box.left : box.left + box.width]
    return _webp(_in_srgb(Image.fromarray(part), picture.icc), _DETAIL_QUALITY)


def heat_view(importance: NDArray[np.float32], size: tuple[int, int], box: Box) -> bytes:
    """Return the map of a part of a picture of `size`, as a small PNG in the colours and with the alpha of heat."""
    scale = (importance.shape[1] / size[0], importance.shape[0] / size[1])
    left, top, right, bottom = box.edges
    region = (left * scale[0], top * scale[1], right * scale[0], bottom * scale[1])
    shrink = min(1.0, _HEAT_PX / max(box.width, box.height))
    small = (max(1, round(box.width * shrink)), max(1, round(box.height * shrink)))
    grid = Image.fromarray(np.ascontiguousarray(importance, dtype=np.float32))
    levels = np.asarray(grid.resize(small, Image.Resampling.BICUBIC, box=region))
    heat = heat_image(Image.fromarray(np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8)))
    return encoded(heat, "PNG", transparency=bytes([round(HEAT_SHARE * _OPAQUE)] * _PALETTE_COLOURS))


def data_url(data: bytes, kind: str) -> str:
    """Return a picture as an address that holds it; `kind` is `webp` or `png`."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _part(importance: NDArray[np.float32], size: tuple[int, int], box: Box) -> NDArray[np.float32]:
    """Return the cells of the map that a box touches."""
    left, top, right, bottom = box.edges
    rows, columns = importance.shape
    across = slice(left * columns // size[0], -(-right * columns // size[0]))
    return importance[top * rows // size[1] : -(-bottom * rows // size[1]), across]


def _webp(image: Image.Image, quality: int) -> bytes:
    lossy = encoded(image, "WEBP", quality=quality)
    if len(lossy) > _SIMPLE_BYTES:
        return lossy
    exact = encoded(image, "WEBP", lossless=True)
    return exact if len(exact) <= _LOSSLESS_BYTES else lossy


def _in_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Convert to what pages show; a profile that cannot be read is passed over, as viewers do."""
    if icc:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            pass
        else:
            return converted if converted is not None else image
    return image.convert("RGB")
