"""How `codec.Quality` keeps its promise: PSNR-HVS-M of the region against libjpeg's, on what Pillow decodes.

    python benchmarks/promise.py --data PICTURES [--maps MAPS] [--qualities 50 75 90] [--aim balanced]

MAPS holds grey pictures of the same names, as `semjpeg map PICTURES/* -o MAPS` writes them. Without maps, and with an
ellipse in the middle as map, every picture is measured in any case.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import codec
from codec import hvsm, reference
from codec.transform import luma_plane
from codec.weights import INTERESTING, grid_importance
from semjpeg.benchmark.pictures import ellipse

NEAR_DB = 0.1
"""How far below libjpeg's a region may lie and still count as kept."""


def region_db(pixels: np.ndarray, jpeg: bytes, region: np.ndarray) -> float:
    """PSNR-HVS-M over the whole blocks `bool[rows,columns]` of a region."""
    height, width = (8 * side for side in region.shape)
    blocks = (
        luma_plane(np.ascontiguousarray(reference.luma(picture)[:height, :width])).coefficients
        for picture in (pixels, reference.decode(jpeg))
    )
    return hvsm.decibels(float(hvsm.block_errors(*blocks)[1][region.ravel()].mean()))


def main() -> None:
    """Read the arguments, measure and print."""
    parser = argparse.ArgumentParser(description="the promise of Quality, measured")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--maps", type=Path)
    parser.add_argument("--qualities", type=int, nargs="+", default=[50, 75, 90])
    parser.add_argument("--aim", choices=codec.AIMS, default=codec.DEFAULT_AIM)
    options = parser.parse_args()
    files = sorted(path for path in options.data.iterdir() if path.suffix.lower() in {".png", ".jpg", ".jpeg"})
    if not files:
        parser.error(f"no pictures in {options.data}")

    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for path in files:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        maps = {"none": None, "ellipse": ellipse()}
        if options.maps:
            given = Image.open(options.maps / f"{path.stem}.png").convert("L")
            maps["given"] = np.asarray(given, np.float32) / 255
        grid = (pixels.shape[0] // 8, pixels.shape[1] // 8)
        for name, importance in maps.items():
            values = grid_importance(importance, grid, 8, pixels.shape[:2]).reshape(grid)
            region = values >= INTERESTING * values.max()
            for quality in options.qualities:
                theirs = reference.libjpeg(pixels, quality)
                ours = codec.encode(pixels, importance, rate=codec.Quality(quality), aim=options.aim).data
                gain = region_db(pixels, ours, region) - region_db(pixels, theirs, region)
                found.setdefault((name, quality), []).append((gain, float(np.log(len(ours) / len(theirs)))))

    print(f"{len(files)} pictures, aim {options.aim}")
    for (name, quality), results in sorted(found.items()):
        gains, sizes = np.array(results).T
        near = float((gains >= -NEAR_DB).mean())
        print(
            f"map {name:8} quality {quality:3}: worst {gains.min():+.3f} dB, mean {gains.mean():+.3f} dB, "
            f"{near:.0%} within {NEAR_DB} dB, bytes {100 * np.expm1(sizes.mean()):+.1f} %"
        )


if __name__ == "__main__":
    main()
