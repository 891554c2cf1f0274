"""Bytes and quality of `codec.encode` against libjpeg, as Pillow writes it optimised and progressive.

    python benchmarks/codec_rd.py --data PICTURES [--masks MASKS] [--qualities 50 75 90] [--strength 0.6] [--limit N]

Without masks, pictures are encoded without a map and with an ellipse in the middle as map; with a folder of masks (grey
pictures of the same names, white where it matters) without a map and with the mask as map. "region" is where the map is
at least one half.

For each quality: bytes relative to libjpeg's, and by how many decibels (or SSIM) ours is better, all as means over the
pictures. The last lines give the BD-rate: by how much bytes differ at equal PSNR-HVS-M of the region, of the whole
picture, and at equal PSNR and SSIM, on curves through the qualities.
"""

from __future__ import annotations

import argparse
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import codec
from codec import hvsm, reference, weights
from codec.transform import luma_plane

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".webp"}
MEASURES = ("region PSNR-HVS-M", "PSNR-HVS-M", "PSNR", "SSIM")


@dataclass(frozen=True)
class Result:
    """Size of one file and its measures, in the order of `MEASURES`."""

    size_bytes: int
    values: tuple[float, ...]


def ellipse(height: int, width: int) -> np.ndarray:
    """Map that falls from 1 in the middle to 0 at the edges."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.asarray(np.clip(1.5 - 2 * np.hypot(y, x), 0, 1), np.float32)


def libjpeg(pixels: np.ndarray, quality: int) -> bytes:
    """Encode with Pillow, optimised and progressive."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
    return buffer.getvalue()


def judge(pixels: np.ndarray, jpeg: bytes, importance: np.ndarray) -> Result:
    """Measure a file."""
    decoded = reference.decode(jpeg)
    whole = codec.measure(pixels, decoded)
    height, width = (side // 8 * 8 for side in pixels.shape[:2])
    blocks = (luma_plane(reference.luma(p)[:height, :width]).coefficients for p in (pixels, decoded))
    errors = hvsm.block_errors(*blocks)[1]
    grid = weights.grid_importance(importance, (height // 8, width // 8), 8, pixels.shape[:2])
    region = hvsm.decibels(float(errors[grid >= min(0.5, grid.max())].mean()))
    return Result(len(jpeg), (region, whole.psnr_hvs_m, whole.psnr, whole.ssim))


def bd_rate(ours: list[Result], theirs: list[Result], measure: int) -> float:
    """Mean difference of log bytes at equal quality, curves linear between their points; NaN if they do not overlap."""
    curves = []
    for results in (ours, theirs):
        points = sorted((result.values[measure], np.log(result.size_bytes)) for result in results)
        curves.append(np.array(points).T)
    low, high = max(curve[0, 0] for curve in curves), min(curve[0, -1] for curve in curves)
    if high <= low:
        return float("nan")
    at = np.linspace(low, high, 200)
    return float(np.mean(np.interp(at, *curves[0]) - np.interp(at, *curves[1])))


def percent(logs: list[float]) -> str:
    """Mean of log ratios as a difference in percent."""
    return f"{100 * np.expm1(np.nanmean(logs)):+.1f} %"


def curves(
    pixels: np.ndarray, importance: np.ndarray, qualities: list[int], strength: float
) -> dict[str, list[Result]]:
    """Encode one picture in each way at each quality."""
    found: dict[str, list[Result]] = {"libjpeg": [], "no map": [], "map": []}
    for quality in qualities:
        rate = codec.Quality(quality)
        jpegs = {
            "libjpeg": libjpeg(pixels, quality),
            "no map": codec.encode(pixels, rate=rate).data,
            "map": codec.encode(pixels, importance, rate=rate, strength=strength).data,
        }
        for name, jpeg in jpegs.items():
            found[name].append(judge(pixels, jpeg, importance))
    return found


def report(runs: list[dict[str, list[Result]]], qualities: list[int]) -> None:
    """Print means over the pictures."""
    for name in ("no map", "map"):
        for number, quality in enumerate(qualities):
            pairs = [(run[name][number], run["libjpeg"][number]) for run in runs]
            size = percent([float(np.log(ours.size_bytes / theirs.size_bytes)) for ours, theirs in pairs])
            gains = np.mean([np.subtract(ours.values, theirs.values) for ours, theirs in pairs], axis=0)
            listed = "   ".join(f"{measure} {gain:+.3f}" for measure, gain in zip(MEASURES, gains, strict=True))
            print(f"{name:7} quality {quality:3}: bytes {size:>8}   {listed}")
    for name in ("no map", "map"):
        for measure, title in enumerate(MEASURES):
            rates = [bd_rate(run[name], run["libjpeg"], measure) for run in runs]
            print(f"{name:7} BD-rate at equal {title:17}: {percent(rates):>8}")


def main() -> None:
    """Read the arguments, encode and print."""
    parser = argparse.ArgumentParser(description="bytes and quality of codec.encode against libjpeg")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--masks", type=Path)
    parser.add_argument("--qualities", type=int, nargs="+", default=[30, 50, 75, 90])
    parser.add_argument("--strength", type=float, default=codec.DEFAULT_STRENGTH)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    files = sorted(path for path in options.data.iterdir() if path.suffix.lower() in SUFFIXES)
    if options.limit:
        files = files[:: max(1, len(files) // options.limit)][: options.limit]
    if not files:
        parser.error(f"no pictures in {options.data}")

    runs = []
    for path in files:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        importance = ellipse(28, 28)
        if options.masks:
            mask = Image.open(options.masks / f"{path.stem}.png").convert("L")
            importance = np.asarray(mask, np.float32) / 255
        runs.append(curves(pixels, importance, options.qualities, options.strength))
    print(f"{len(files)} pictures, strength {options.strength}")
    report(runs, options.qualities)


if __name__ == "__main__":
    main()
