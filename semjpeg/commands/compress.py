"""`semjpeg compress IMAGE…`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from config.settings import LimitSettings, Settings
from semjpeg.api import encode_file, network
from semjpeg.batch import for_each_file
from semjpeg.files import read_file, refuse_collisions, write_file
from semjpeg.options import encoding_options, recipe_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALIKE = np.ones((1, 1), np.float32)
"""A map of one value is none."""

_JPEG_SUFFIXES = {".jpg", ".jpeg"}


@click.command(name="compress")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE…")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="A folder; for one image also a .jpg file. Default: NAME.semjpeg.jpg beside it.",
)
@encoding_options
@click.option(
    "--map",
    "map_file",
    type=click.Path(path_type=Path),
    help="A grey picture to use as importance map, white where it matters, instead of the network.",
)
@click.option("--no-map", is_flag=True, help="Treat every part of the picture alike; no network is loaded.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each image.")
def command(
    images: tuple[Path, ...],
    out: Path | None,
    map_file: Path | None,
    *,
    no_map: bool,
    as_json: bool,
    **encoding: Any,
) -> None:
    """Compress image files into smaller standard JPEGs.

    AVIF, BMP, GIF, ICO, JPEG, JPEG 2000, PCX, PNG, PPM, QOI, SGI, TGA, TIFF and WebP go in, a JPEG comes out. A JPEG
    never grows.
    """
    recipe = recipe_of(encoding)
    if map_file and no_map:
        raise click.UsageError("--map and --no-map contradict each other: give one")
    limits = Settings.load().limits
    targets = {image: _target(image, out, alone=len(images) == 1) for image in images}
    refuse_collisions(targets.items())
    importance = _ALIKE if no_map else _read_map(map_file, limits) if map_file else None
    if importance is None:
        network()

    def work(path: Path) -> dict[str, Any]:
        data = read_file(path, limits.max_bytes)
        result = encode_file(data, recipe, limits, importance)
        write_file(targets[path], result.data)
        return {"output": str(targets[path]), "bytes_in": len(data), "bytes_out": len(result.data)}

    def line(told: dict[str, Any]) -> str:
        saved = 1 - told["bytes_out"] / told["bytes_in"]
        sizes = f"{told['bytes_in']:,} → {told['bytes_out']:,} bytes ({saved:.1%} saved)"
        return f"{told['file']} → {told['output']}  {sizes}"

    sys.exit(1 if for_each_file(list(targets), work, line, as_json=as_json) else 0)


def _target(image: Path, out: Path | None, *, alone: bool) -> Path:
    if out is None:
        return image.with_name(f"{image.stem}.semjpeg.jpg")
    if alone and out.suffix.lower() in _JPEG_SUFFIXES and not out.is_dir():
        return out
    return out / f"{image.stem}.jpg"


def _read_map(path: Path, limits: LimitSettings) -> NDArray[np.float32]:
    """Read a picture's lightness as importance, 0 for black and 1 for white."""
    from PIL import Image

    from config.errors import ConfigurationError, SemjpegError
    from worker.decode import decode
    from worker.probe import probe

    try:
        pixels = decode(probe(read_file(path, limits.max_bytes), limits)).pixels
    except SemjpegError as error:
        raise ConfigurationError(f"the map {path} {error}") from error
    return np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.float32) / np.float32(255)
