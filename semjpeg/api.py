"""The public Python API: one picture at a time, without any server.

Everything heavy is imported when it is used, so that a producer, which has no TensorFlow, can import this package.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from config.recipes import Recipe
from config.settings import LimitSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models import ImportanceModel
    from worker.encode import Result

_fields = Recipe.model_fields


def compress(  # noqa: PLR0913  one picture, and one named argument for each choice that users have
    image: bytes,
    *,
    importance: NDArray[np.floating] | None = None,
    quality: int | None = None,
    match_jpeg: int | None = None,
    target_bytes: int | str | None = None,
    aim: str = _fields["aim"].default,
    method: str = _fields["method"].default,
    mosaic: dict[str, Any] | None = None,
    strength: float = _fields["strength"].default,
    metadata: str = _fields["metadata"].default,
) -> bytes:
    """Encode an image file as a semantic JPEG.

    Args:
        image: A file in any accepted format (JPEG, PNG, WebP, TIFF, AVIF, …).
        importance: Floating-point `[h', w']` in 0..1 of any size; None asks the network. A map of one value, such as
            `numpy.ones((1, 1))`, treats every part alike, and no network is loaded.
        quality: 1..100; where the map is high, at least as good as libjpeg at this quality. 75 unless `match_jpeg` or
            `target_bytes` is given: a picture has one of the three.
        match_jpeg: 1..100; as many bytes as libjpeg's plain file at this quality has.
        target_bytes: 1 or more; at most so many bytes, metadata included; also as text, such as `"200k"`.
        aim: The metric that decides where two disagree: `balanced` (none is bought with another), `hvs` (PSNR-HVS-M),
            `ssimulacra2` or `psnr`.
        method: `trellis`, or `mosaic` for the way of the paper by Prakash et al.
        mosaic: Options of the method `mosaic` that are not to be its defaults, by the names of `codec.Mosaic`:
            `levels`, `low`, `high`, `mixing`, `threshold`.
        strength: 0..1; how much the rest may lose.
        metadata: What EXIF data to keep: `keep`, `safe` (author and copyright) or `none`.

    Returns:
        A JPEG file. It is never larger than `image` where that is a JPEG itself.

    Raises:
        SemjpegError: The file cannot be compressed; see `config.errors`.
        ValueError: An argument is out of its range, or contradicts another.
    """
    recipe = Recipe.model_validate(
        {
            "quality": quality,
            "match_jpeg": match_jpeg,
            "target_bytes": target_bytes,
            "aim": aim,
            "method": method,
            "mosaic": mosaic,
            "strength": strength,
            "metadata": metadata,
        }
    )
    return encode_file(image, recipe, LimitSettings(), importance).data


def encode_file(
    image: bytes, recipe: Recipe, limits: LimitSettings, importance: NDArray[np.floating] | None = None
) -> Result:
    """Do what a worker does between download and upload: decode, mark, encode, verify.

    Args:
        image: A file in any accepted format.
        recipe: How to encode it.
        limits: How large it may be.
        importance: Floating-point `[h', w']` in 0..1 of any size; None asks the network.

    Raises:
        SemjpegError: The file cannot be compressed.
    """
    from worker.decode import decode
    from worker.encode import encode
    from worker.probe import probe
    from worker.verify import verify

    source = probe(image, limits)
    picture = decode(source)
    if importance is None:
        importance = network().importance(picture.pixels)
    result = encode(source, picture, importance, recipe)
    verify(result.data, picture, limits)
    return result


def importance_map(image: bytes) -> NDArray[np.float32]:
    """Mark the parts of an image that carry meaning.

    Args:
        image: A file in any accepted format.

    Returns:
        float32 `[h', w']` in 0..1, of the picture's aspect ratio (upright) and much smaller than it.

    Raises:
        SemjpegError: The file cannot be decoded.
    """
    from worker.decode import decode
    from worker.probe import probe

    return network().importance(decode(probe(image, LimitSettings())).pixels)


@cache
def network() -> ImportanceModel:
    """Return the network that the settings name, loaded once for a process. Thread-safe once it was called."""
    import models
    from config.settings import Settings

    return models.load(Settings.load().model.path)
