"""Step: what is this file, and may it be decoded? Answers from the header, before memory is taken."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from config.errors import DamagedImageError, NotAnImageError, TooLargeError, UnsupportedImageError

if TYPE_CHECKING:
    from config.settings import LimitSettings

FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA", "TIFF",
    "WEBP",
)  # fmt: skip
"""Pillow's decoders that may run. Those that start other programs, or that read vector graphics, may not. A
JPEG that carries a second view or a gain map is opened by `JPEG` and then bears the format `MPO`."""

Image.MAX_IMAGE_PIXELS = None  # `LimitSettings.max_pixels` holds instead, as an error that names the picture

UNDECODABLE = (
    OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, EOFError, RuntimeError, struct.error,
)  # fmt: skip
"""What Pillow's decoders raise for content that they cannot make sense of; AVIF's raises `RuntimeError`."""

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
"""First bytes that no other kind of file has."""

_NEW_SUBFILE_TYPE = 254
_REDUCED_RESOLUTION = 1
MAX_SIDE_PX = 65_500
"""The longest side that libjpeg accepts (JPEG_MAX_DIMENSION), hence the longest that every decoder does."""


@dataclass(frozen=True, slots=True)
class Probe:
    """An image whose header was read and whose pixels were not.

    Attributes:
        image: The opened image.
        data: The whole file.
        format: One of `FORMATS`, or `MPO`.
        width: Pixels, before any EXIF orientation.
        height: Pixels, before any EXIF orientation.
    """

    image: Image.Image
    data: bytes
    format: str
    width: int
    height: int


def probe(data: bytes, limits: LimitSettings) -> Probe:
    """Identify a file.

    Raises:
        NotAnImageError: None of the accepted formats.
        DamagedImageError: An accepted format with a header that makes no sense.
        TooLargeError: More pixels than `limits.max_pixels`, or a side longer than a JPEG can have.
        UnsupportedImageError: An animation or a document of several pages.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        if data.startswith(_SIGNATURES):
            raise DamagedImageError(
                "has a damaged header: it begins like an image and does not go on like one"
            ) from error
        raise NotAnImageError("is not an image in any accepted format") from error
    except UNDECODABLE as error:
        raise DamagedImageError(f"has a damaged header: {error}") from error
    width, height = image.size
    if width < 1 or height < 1:
        raise DamagedImageError(f"has a damaged header: it says {width}x{height} pixels")
    if width * height > limits.max_pixels:
        raise TooLargeError(f"has {width}x{height} pixels, more than the limit of {limits.max_pixels}")
    if max(width, height) > MAX_SIDE_PX:
        raise TooLargeError(f"has {width}x{height} pixels, and no JPEG has a side longer than {MAX_SIDE_PX}")
    _refuse_sequences(image)
    return Probe(image=image, data=data, format=image.format or "", width=width, height=height)


def _refuse_sequences(image: Image.Image) -> None:
    """Refuse what one picture cannot stand for; a second view for a stereo display or a preview may be left out."""
    if image.format in {"MPO", "ICO"}:
        return
    try:
        frames = int(getattr(image, "n_frames", 1))
        if frames > 1 and isinstance(image, TiffImagePlugin.TiffImageFile):
            frames = 1 + sum(_is_full_page(image, page) for page in range(1, frames))
            image.seek(0)
    except UNDECODABLE as error:
        raise DamagedImageError(f"has a damaged frame table: {error}") from error
    if frames > 1:
        kind = "pages" if image.format == "TIFF" else "frames: an animation"
        raise UnsupportedImageError(f"has {frames} {kind}, which one JPEG cannot show")


def _is_full_page(image: TiffImagePlugin.TiffImageFile, page: int) -> bool:
    """TIFF 6.0, section 8, NewSubfileType: bit 0 marks a reduced version of another page."""
    image.seek(page)
    return not int(image.tag_v2.get(_NEW_SUBFILE_TYPE, 0)) & _REDUCED_RESOLUTION
