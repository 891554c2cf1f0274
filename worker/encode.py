"""Step: from pixels and map to the bytes that will be stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import codec
from worker.lossless import recode
from worker.metadata import exif_for

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from config.recipes import Recipe
    from worker.decode import Picture
    from worker.probe import Probe


@dataclass(frozen=True, slots=True)
class Result:
    """A JPEG file to be stored.

    Attributes:
        data: The file.
        kept_coefficients: Whether it holds the source's own coefficients, because no new ones took fewer bytes.
        libjpeg_bytes: What libjpeg makes of the same pixels at the quality that the recipe names, where the encoder
            has tried that.
    """

    data: bytes
    kept_coefficients: bool
    libjpeg_bytes: int | None = None


def encode(source: Probe, picture: Picture, importance: NDArray[np.float32], recipe: Recipe) -> Result:
    """Encode by the recipe; a JPEG source never grows.

    Where the source is a JPEG that is smaller already, its own coefficients are kept, which loses nothing.

    Raises:
        EncodingError: The recipe's bytes are too few for the picture.
    """
    encoded = codec.encode(
        picture.pixels,
        importance,
        rate=rate_of(recipe),
        method=method_of(recipe),
        aim=recipe.aim,
        strength=recipe.strength,
        icc=picture.icc,
        exif=exif_for(recipe.metadata, picture.exif),
    )
    if source.format in {"JPEG", "MPO"} and len(encoded.data) >= _WORTH_COMPARING * len(source.data):
        kept = recode(source.data, recipe.metadata, picture.exif)
        if len(kept) <= len(encoded.data):
            return Result(kept, kept_coefficients=True, libjpeg_bytes=encoded.libjpeg_bytes)
    return Result(encoded.data, kept_coefficients=False, libjpeg_bytes=encoded.libjpeg_bytes)


_RATES: Final[dict[str, Callable[[int], codec.Rate]]] = {
    "quality": codec.Quality,
    "match_jpeg": codec.MatchJpeg,
    "target_bytes": codec.TargetBytes,
}


def rate_of(recipe: Recipe) -> codec.Rate:
    """Return the recipe's rate as the encoder takes it."""
    name, value = recipe.rate
    return _RATES[name](value)


def method_of(recipe: Recipe) -> codec.Method | codec.Mosaic:
    """Return the recipe's method as the encoder takes it."""
    return recipe.method if recipe.mosaic is None else codec.Mosaic(**recipe.mosaic.model_dump())


_WORTH_COMPARING = 0.7
"""Recoding a JPEG without loss saves up to a third on pathological files and seldom above 15 %: when the new file is
smaller than this share of the source, the comparison is spared."""
