"""The pictures and maps that are measured with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from codec.metrics import LEAST_SIDE_PX
from config.errors import ConfigurationError, UnsupportedImageError
from config.settings import Settings
from semjpeg.demo.photos import find_photos
from semjpeg.files import read_file
from worker.decode import decode
from worker.probe import probe

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def find(folder: Path, limit: int | None) -> list[Path]:
    """List the pictures that lie in a folder itself, or `limit` of them at even distances.

    Raises:
        ConfigurationError: There is no such folder, or no picture in it.
    """
    paths = [path for path in find_photos(folder)[0].values() if path.parent == folder]
    if not paths:
        raise ConfigurationError(f"{folder} holds no image itself, only its subfolders do")
    if limit is None or limit >= len(paths):
        return paths
    return [paths[number * len(paths) // limit] for number in range(limit)]


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture as RGB `uint8[h,w,3]`, upright.

    Raises:
        SemjpegError: It cannot be read or is too small to be measured.
    """
    pixels = read_pixels(path)
    height, width = pixels.shape[:2]
    if min(height, width) < LEAST_SIDE_PX:
        raise UnsupportedImageError(f"has {width}x{height} pixels; measures need {LEAST_SIDE_PX} on each side")
    return np.asarray(Image.fromarray(pixels).convert("RGB"))


def read_mask(path: Path) -> NDArray[np.float32]:
    """Read a grey picture as map `float32[h',w']`, 0 for black and 1 for white.

    Raises:
        ConfigurationError: It is missing or no picture.
    """
    try:
        pixels = read_pixels(path)
    except Exception as error:
        raise ConfigurationError(f"has no usable mask: {path} {error}") from error
    return np.asarray(Image.fromarray(pixels).convert("L"), np.float32) / np.float32(255)


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """Read a picture of any size as `uint8[h,w,3]` (RGB) or `[h,w]` (grey), upright.

    Raises:
        SemjpegError: It cannot be read.
    """
    limits = Settings.load().limits
    return decode(probe(read_file(path, limits.max_bytes), limits)).pixels


def ellipse() -> NDArray[np.float32]:
    """Make a map that falls from 1 in the middle to 0 at the edges, of the size that the network's maps have."""
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    return np.asarray(np.clip(1.5 - 2 * np.hypot(y, x), 0, 1), np.float32)


def large_picture(paths: list[Path], megapixels: float) -> NDArray[np.uint8]:
    """Lay pictures side by side, each cut to the smallest of them, until they fill a picture of 4:3.

    Nothing is scaled, so texture and noise are those of photographs. Each round through the pictures is mirrored.

    Args:
        paths: The pictures, used again and again as needed.
        megapixels: Size of the result, in millions of pixels.

    Returns:
        RGB `uint8[h,w,3]`.

    Raises:
        SemjpegError: A picture cannot be read.
    """
    height = max(round((megapixels * 1e6 * 3 / 4) ** 0.5), 1)
    width = max(round(height * 4 / 3), 1)
    pictures = [read_picture(path)[:height, :width] for path in paths]
    tile_height, tile_width = np.min([picture.shape[:2] for picture in pictures], axis=0)
    canvas = np.empty((height, width, 3), np.uint8)
    columns = -(-width // tile_width)
    for number in range(columns * -(-height // tile_height)):
        turn, which = divmod(number, len(pictures))
        tile = pictures[which][:tile_height, :tile_width][:, :: -1 if turn % 2 else 1]
        place = canvas[number // columns * tile_height :, number % columns * tile_width :][:tile_height, :tile_width]
        place[:] = tile[: place.shape[0], : place.shape[1]]
    return canvas
