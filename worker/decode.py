"""Step: from a probed file to the pixels that a viewer shows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

from config.errors import DamagedImageError, UnsupportedImageError
from worker.metadata import UPRIGHT
from worker.probe import UNDECODABLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.probe import Probe

_GREY = {"1", "L", "LA", "La"}
_DEEP = {"I", "F"}
_ALPHA = {"RGBA", "RGBa", "LA", "La", "PA"}
_WHITE = 255
_UINT8_MAX = 255
_UINT16_MAX = 65_535
_PROFILE_SPACE = slice(16, 20)
"""Where an ICC profile names its colour space (ICC.1:2022, 7.2.8)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a viewer sees.

    Attributes:
        pixels: uint8 `[h, w, 3]`, or `[h, w]` for a grey picture; upright, on white where it was transparent.
        icc: The ICC profile that the pixel values refer to; None means sRGB.
        exif: The source's EXIF data as it was, unparsed and unfiltered.
    """

    pixels: NDArray[np.uint8]
    icc: bytes | None
    exif: Image.Exif


def decode(source: Probe) -> Picture:
    """Decode, apply the orientation, and bring every mode to 8-bit grey or RGB that looks the same.

    Raises:
        DamagedImageError: The content ends early or cannot be decoded.
        UnsupportedImageError: Its numbers have no agreed meaning as grey levels.
    """
    image = source.image
    try:
        image.load()
        exif = image.getexif()
        turned = exif.get(ExifTags.Base.Orientation, UPRIGHT) != UPRIGHT
        upright = ImageOps.exif_transpose(image) if turned else image  # it copies what need not be turned
    except UNDECODABLE as error:
        raise DamagedImageError(f"cannot be decoded as {source.format}: {error}") from error
    icc = image.info.get("icc_profile") or None
    flat, icc = _to_grey_or_rgb(upright, icc)
    return Picture(pixels=np.asarray(flat), icc=icc, exif=exif)


def _to_grey_or_rgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, bytes | None]:
    if image.mode.startswith("I;16") or image.mode in _DEEP:
        image = _to_eight_bits(image)
    if image.mode in _ALPHA or "transparency" in image.info:
        image = _on_white(image)
    space = icc[_PROFILE_SPACE] if icc else None
    if image.mode in _GREY:
        return _in_mode(image, "L"), icc if space == b"GRAY" else None
    if image.mode in {"RGB", "P", "RGBX"}:
        return _in_mode(image, "RGB"), icc if space == b"RGB " else None
    return _to_srgb(image, icc), None


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Convert; a picture that has the mode already is not copied."""
    return image if image.mode == mode else image.convert(mode)


def _on_white(image: Image.Image) -> Image.Image:
    """Compose on white, the page on which a picture without a background is mostly shown."""
    grey = image.mode in _GREY
    layered = image.convert("LA" if grey else "RGBA")
    background = Image.new(layered.mode, layered.size, (_WHITE,) * len(layered.getbands()))
    return Image.alpha_composite(background.convert("RGBA"), layered.convert("RGBA")).convert("L" if grey else "RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Bring 16-bit, 32-bit and floating-point grey levels to 0..255.

    Integers are levels of 0..65535, which is what 16-bit files hold. Floating-point levels are taken for 0..1, else
    0..255, else 0..65535, whichever is the narrowest that holds them all.
    """
    levels = np.asarray(image)
    lowest, highest = float(levels.min()), float(levels.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)) or lowest < 0 or highest > _UINT16_MAX:
        raise UnsupportedImageError(f"has grey levels from {lowest:g} to {highest:g}, which have no agreed meaning")
    white = _UINT16_MAX
    if image.mode == "F":
        white = next(w for w in (1, _UINT8_MAX, _UINT16_MAX) if highest <= w)
    return Image.fromarray(np.rint(levels.astype(np.float32) * (_UINT8_MAX / white)).astype(np.uint8), "L")


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Convert CMYK, YCbCr, Lab and HSV to sRGB, by the profile that the picture brings where it fits."""
    if icc:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
            return cast("Image.Image", converted)
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken or foreign profile: the plain conversion below is what viewers do, too
    try:
        if image.mode == "LAB":
            lab = ImageCms.createProfile("LAB")
            converted = ImageCms.profileToProfile(image, lab, ImageCms.createProfile("sRGB"), outputMode="RGB")
            return cast("Image.Image", converted)
        return image.convert("RGB")
    except (ValueError, ImageCms.PyCMSError) as error:
        raise UnsupportedImageError(f"has colours of mode {image.mode}, which have no way to RGB: {error}") from error
