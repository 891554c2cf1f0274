"""What the rest of the world does: libjpeg as encoder and decoder, through Pillow, and the luma that measures see."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def decode(jpeg: bytes) -> NDArray[np.uint8]:
    """Decode a JPEG to `uint8[h,w,3]` RGB, or `uint8[h,w]` if it is grey."""
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image)


def libjpeg(pixels: NDArray[np.uint8], quality: int, *, optimize: bool = False) -> bytes:
    """Encode `uint8[h,w,3]` or `uint8[h,w]` as Pillow does if only the quality is given: baseline, colour at 4:2:0.

    optimize: make the Huffman codes to fit the picture.
    """
    with _memory_file() as file:
        Image.fromarray(pixels).save(file, "JPEG", quality=quality, optimize=optimize)
        file.seek(0)
        return file.read()


def _memory_file() -> BinaryIO:
    """Return a file in memory.

    Where the system has such files (Linux does) it has a descriptor. Pillow then leaves Python's global lock to others
    while it encodes: two threads encode twice as much as one, into a `BytesIO` no more than one.
    """
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("jpeg"), "w+b")
    return io.BytesIO()


def luma(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the BT.601 luma `uint8[h,w]` of RGB `uint8[h,w,3]`; grey `uint8[h,w]` is its own.

    It is the Y of JFIF as Pillow computes it, rounded down.
    """
    if pixels.ndim == 2:  # noqa: PLR2004  two axes are grey
        return pixels
    return np.asarray(Image.fromarray(pixels).convert("YCbCr").getchannel("Y"))
