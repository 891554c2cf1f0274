"""From the buckets to a folder that can be looked at."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from config.places import ResultKeys
from config.settings import LimitSettings
from semjpeg.files import write_file
from semjpeg.overlay import encoded, map_image, overlay_image
from worker.decode import decode
from worker.probe import probe

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from semjpeg.demo.system import System

_BROWSER_FORMATS = {"AVIF", "BMP", "GIF", "JPEG", "PNG", "WEBP"}
_MAX_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class ImageResult:
    """What became of one photograph. Paths are relative to the output folder, with `/`.

    Attributes:
        key: Its key in the source bucket.
        status: `done` or `failed`.
        reason: Why it failed, else None.
        bytes_in: Size of the source.
        bytes_out: Size of the result; nought if it failed.
        bytes_libjpeg: Size of what libjpeg makes of it at the same quality; nought if it failed.
        metrics: Quality metrics by name; see `codec.Metrics`.
        seconds: Seconds that the worker spent on it.
        original: The source, or a PNG of it where browsers do not show its format.
        jpeg: The result.
        map: The importance map.
        overlay: The map over the picture.
    """

    key: str
    status: str
    reason: str | None
    bytes_in: int
    bytes_out: int = 0
    bytes_libjpeg: int = 0
    metrics: dict[str, float | None] | None = None
    seconds: float = 0.0
    original: str | None = None
    jpeg: str | None = None
    map: str | None = None
    overlay: str | None = None


def collect(system: System, photos: dict[str, Path], out: Path) -> list[ImageResult]:
    """Fetch every result into `out`, draw overlays, and write `summary.json`.

    Returns:
        One entry for each photograph, by key.
    """
    results = [_collect_one(system, key, path, out) for key, path in sorted(photos.items())]
    write_file(out / "summary.json", (json.dumps(_summary(results), indent=2, ensure_ascii=False) + "\n").encode())
    return results


def totals(results: list[ImageResult]) -> dict[str, Any]:
    """Add up: images by status, bytes of the finished ones, the share saved, and mean metrics."""
    done = [result for result in results if result.status == "done"]
    bytes_in, bytes_out = sum(r.bytes_in for r in done), sum(r.bytes_out for r in done)
    libjpeg = sum(r.bytes_libjpeg for r in done)
    names = done[0].metrics or {} if done else {}
    columns = {name: [v for r in done if r.metrics and (v := r.metrics[name]) is not None] for name in names}
    return {
        "images": len(results),
        "done": len(done),
        "failed": len(results) - len(done),
        "bytes_in": bytes_in,
        "bytes_out": bytes_out,
        "bytes_libjpeg": libjpeg,
        "saved": 1 - bytes_out / bytes_in if bytes_in else None,
        "saved_against_libjpeg": 1 - bytes_out / libjpeg if libjpeg else None,
        "metrics": {name: float(np.mean(column)) for name, column in columns.items() if column},
    }


def _summary(results: list[ImageResult]) -> dict[str, Any]:
    return {"totals": totals(results), "images": [asdict(result) for result in results]}


def _collect_one(system: System, key: str, path: Path, out: Path) -> ImageResult:
    keys = ResultKeys.of(key, "")
    if system.output.head(keys.jpeg) is None:
        failure = json.loads(system.output.get(keys.failure, max_bytes=_MAX_BYTES))
        return ImageResult(key, "failed", failure["reason"], bytes_in=path.stat().st_size)
    record = json.loads(system.output.get(keys.metrics, max_bytes=_MAX_BYTES))
    grid = _levels(system.output.get(keys.map, max_bytes=_MAX_BYTES))
    original, pixels = _original(key, path, out)
    files = {
        f"jpeg/{key}.jpg": system.output.get(keys.jpeg, max_bytes=_MAX_BYTES),
        f"maps/{key}.png": encoded(map_image(grid, pixels.shape[1], pixels.shape[0]), "PNG"),
        f"overlays/{key}.jpg": encoded(overlay_image(pixels, grid), "JPEG"),
        f"metrics/{key}.json": (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode(),
    }
    for name, data in files.items():
        write_file(out / name, data)
    return ImageResult(
        key=key,
        status="done",
        reason=None,
        bytes_in=record["bytes_in"],
        bytes_out=record["bytes_out"],
        bytes_libjpeg=record["bytes_libjpeg"],
        metrics=record["metrics"],
        seconds=record["seconds"]["total"],
        original=original,
        jpeg=f"jpeg/{key}.jpg",
        map=f"maps/{key}.png",
        overlay=f"overlays/{key}.jpg",
    )


def _original(key: str, path: Path, out: Path) -> tuple[str, NDArray[np.uint8]]:
    """Copy the source to where the page can show it."""
    data = path.read_bytes()
    limits = LimitSettings()
    source = probe(data, limits)
    pixels = decode(source).pixels
    if source.format in _BROWSER_FORMATS:
        name = f"originals/{key}"
    else:
        name, data = f"originals/{key}.png", encoded(Image.fromarray(pixels), "PNG")
    write_file(out / name, data)
    return name, pixels


def _levels(png: bytes) -> NDArray[np.float32]:
    """Read a grey picture as numbers of 0..1."""
    return np.asarray(Image.open(io.BytesIO(png)), dtype=np.float32) / np.float32(255)
