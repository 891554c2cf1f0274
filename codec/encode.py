"""`encode`: pixels and an importance map in, a standard JPEG out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from codec import arguments, budget, jfif, mosaic, promise, reference
from codec.aims import AIMS, DEFAULT_AIM, Aim
from codec.hvsm import decibels
from codec.mosaic import Mosaic
from codec.picture import prepare
from codec.rate import MatchJpeg, Quality, Rate, TargetBytes
from codec.tuning import TUNINGS, tuning

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.picture import Picture

Method = Literal["trellis", "mosaic"]
"""Names of the ways to encode; "mosaic" is `Mosaic()`."""

METHODS: Final[tuple[Method, ...]] = get_args(Method)
DEFAULT_METHOD: Final[Method] = "trellis"
DEFAULT_QUALITY: Final = Quality(75)
DEFAULT_STRENGTH: Final = 0.6
"""Lets the least important parts fall to steps twice as coarse as libjpeg's at the same quality: from 75 to 50."""

_MATCH: Final = 0.993
"""Least share of libjpeg's bytes, and the inverse of the most, that match them: well within 1 %."""
_FILLED: Final = 0.985
"""Share of the bytes available from which on a file is large enough."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A JPEG and what was decided on the way.

    data: the file.
    width, height: size in pixels.
    subsampling: "4:2:0", or "grey" for a picture of one component.
    scale: what the steps of Annex K are multiplied with; 1 is about libjpeg's quality 50. None for a mosaic.
    lagrangian: λ of a block of weight 1; 0 where libjpeg's own levels could not be bettered. None for a mosaic.
    measured_db, libjpeg_db: PSNR-HVS-M, or PSNR of luma if that is the aim, over the region of interest, of this file
        and of libjpeg's at the quality asked for; in a picture above 1 megapixel over a sample of that region. None if
        bytes were asked for, and for a mosaic, which promises nothing of the kind.
    final_quality: libjpeg's quality at which a mosaic was saved; None for the trellis.
    libjpeg_bytes: size of libjpeg's plain file of the picture at the quality that the rate names, where the encoder
        made that file on its way; `codec.libjpeg_bytes` tells it of every picture.
    """

    data: bytes = field(repr=False)
    width: int
    height: int
    subsampling: Literal["4:2:0", "grey"]
    scale: float | None = None
    lagrangian: float | None = None
    measured_db: float | None = None
    libjpeg_db: float | None = None
    final_quality: int | None = None
    libjpeg_bytes: int | None = None


def encode(  # noqa: PLR0913  one picture, and one named argument for each choice that users have
    pixels: NDArray[np.uint8],
    importance: NDArray[np.floating[Any]] | None = None,
    *,
    rate: Rate = DEFAULT_QUALITY,
    method: Method | Mosaic = DEFAULT_METHOD,
    aim: Aim = DEFAULT_AIM,
    strength: float = DEFAULT_STRENGTH,
    icc: bytes | None = None,
    exif: bytes | None = None,
) -> Encoded:
    r"""Encode a picture as a JPEG, colour at 4:2:0, that spends its bytes where the map says.

    The same arguments always give the same bytes.

    Args:
        pixels: RGB `uint8[h,w,3]` or grey `uint8[h,w]`, sides of 1 to 65 500 pixels.
        importance: map `float[h',w']` in 0..1, of any size, laid over the whole picture. Only differences count: a
            map of one value is the same as none.
        rate: what is promised. `Quality(q)`: over the region of interest, the blocks of at least half the highest
            importance, PSNR-HVS-M is no worse than libjpeg's at q, and over the rest no worse than libjpeg's with
            steps 10^(strength/2) times as coarse. `MatchJpeg(q)`: as many bytes as libjpeg's file at q has, within
            1 %. `TargetBytes(n)`: at most n bytes.
        method: "trellis" chooses each block's levels by the map, for a progressive file. "mosaic", or a `Mosaic` with
            other options than its defaults, is the way of Prakash et al.: the picture is put together from its own
            copies at several of libjpeg's qualities and saved once more, as a plain baseline file, which is what its
            sizes are compared as. It has no promise on quality: `Quality(q)` saves the mosaic at q. `MatchJpeg(q)`
            saves it at the highest quality whose file is within the mosaic's threshold of libjpeg's at q; quality is
            a whole number, so there may be none, and then it is the largest file below. `TargetBytes(n)` gives the
            largest file of at most n bytes. Without a map it is libjpeg's file of the picture.
        aim: the metric that decides where two disagree: none alone ("balanced"), PSNR-HVS-M ("hvs"), "ssimulacra2" or
            "psnr". What `Quality` promises is PSNR-HVS-M; with "psnr" it is PSNR of luma, and with "ssimulacra2" up to
            2 dB less in the region of interest. A mosaic has no use for it.
        strength: how far the map may take bytes from the least important parts, 0 (not at all: as without a map) to 1.
            To a mosaic, whose qualities decide that, all above 0 are the same.
        icc: ICC profile to embed, at most 16.7 MB.
        exif: EXIF data to embed, from the TIFF header on, with or without "Exif\0\0" before it, at most 65 527 bytes.

    Raises:
        TypeError: an argument has a wrong type or dtype.
        ValueError: an argument has a wrong shape or size, or values out of range.
        EncodingError: the bytes that the rate allows are too few for the picture.
    """
    arguments.check_pixels("pixels", pixels)
    if importance is not None:
        arguments.check_importance(importance)
    if not isinstance(rate, Quality | MatchJpeg | TargetBytes):
        raise TypeError(f"rate must be a Quality, a MatchJpeg or a TargetBytes, not {type(rate).__name__}")
    if not isinstance(method, Mosaic):
        arguments.check_choice("method", method, METHODS)
    arguments.check_choice("aim", aim, AIMS)
    arguments.check_strength(strength)
    arguments.check_segment("icc", icc, jfif.LARGEST_ICC)
    if isinstance(exif, bytes):
        exif = exif.removeprefix(jfif.EXIF_HEADER)
    arguments.check_segment("exif", exif, jfif.LARGEST_EXIF)

    pixels = np.ascontiguousarray(pixels)
    given = importance if strength > 0 else None
    metadata = jfif.metadata(icc, exif)
    if method == "trellis":
        encoded = _trellis(prepare(pixels, given, strength), aim, rate, strength, len(metadata))
    else:
        options = Mosaic() if method == "mosaic" else method
        data, final_quality = mosaic.save(pixels, given, options, rate, len(metadata))
        height, width = pixels.shape[:2]
        encoded = Encoded(data, width, height, _subsampling(pixels), final_quality=final_quality)
    return replace(encoded, data=jfif.embed(encoded.data, metadata))


def _trellis(picture: Picture, aim: Aim, rate: Rate, strength: float, metadata_bytes: int) -> Encoded:
    """Encode with levels chosen block by block."""
    height, width = picture.size
    if isinstance(rate, Quality):
        kept = promise.keep(picture, tuning(aim, rate.quality), rate.quality, strength)
        return Encoded(
            kept.data,
            width,
            height,
            _subsampling(picture.pixels),
            kept.scale,
            kept.lagrangian,
            measured_db=decibels(kept.error),
            libjpeg_db=decibels(kept.target),
            libjpeg_bytes=kept.libjpeg_bytes,
        )
    wanted = None
    if isinstance(rate, MatchJpeg):
        wanted = len(reference.libjpeg(picture.pixels, rate.quality))
        constants = tuning(aim, rate.quality)
        found = budget.at_bytes(picture, constants, _MATCH * wanted, wanted / _MATCH, rate.quality)
    else:
        available = rate.size_bytes - metadata_bytes
        found = budget.at_bytes(picture, TUNINGS[aim], _FILLED * available, available, metadata_bytes=metadata_bytes)
    point, data = found
    return Encoded(
        data, width, height, _subsampling(picture.pixels), point.scale, point.lagrangian, libjpeg_bytes=wanted
    )


def _subsampling(pixels: NDArray[np.uint8]) -> Literal["4:2:0", "grey"]:
    return "4:2:0" if pixels.ndim == 3 else "grey"  # noqa: PLR2004  rows, columns, colours
