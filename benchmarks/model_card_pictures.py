"""Draw the pictures of the model card: photographs that scikit-image carries, each beside its map.

    python benchmarks/model_card_pictures.py [-o docs/images/maps.jpg] [--weights FILE]

The upper rows show what the network does, the last one where it fails or finds nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import skimage.data
from PIL import Image, ImageDraw, ImageFont

import models
from models.weights import SHIPPED
from semjpeg.overlay import overlay_image

SHOWN: Final = (
    ("astronaut", "coffee", "chelsea"),
    ("rocket", "camera", "cell"),
    ("brick", "page", "coins"),
)
CELL_PX: Final = (240, 200)
GAP_PX: Final = 8
TEXT_PX: Final = 14


def main() -> None:
    """Read the arguments and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("docs/images/maps.jpg"))
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    options = parser.parse_args()
    model = models.load(options.weights)
    width, height = 2 * CELL_PX[0] + GAP_PX, CELL_PX[1] + TEXT_PX + 2 * GAP_PX
    sheet = Image.new("RGB", (len(SHOWN[0]) * (width + 2 * GAP_PX), len(SHOWN) * height), "white")
    for row, names in enumerate(SHOWN):
        for column, name in enumerate(names):
            sheet.paste(pair(model, name), (column * (width + 2 * GAP_PX) + GAP_PX, row * height + GAP_PX))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(options.out, quality=85, optimize=True)


def pair(model: models.ImportanceModel, name: str) -> Image.Image:
    """Return a picture and its map over it, side by side, with the name below."""
    pixels = np.asarray(Image.fromarray(getattr(skimage.data, name)()).convert("RGB"))
    both = Image.new("RGB", (2 * CELL_PX[0] + GAP_PX, CELL_PX[1] + TEXT_PX + GAP_PX), "white")
    for number, image in enumerate((Image.fromarray(pixels), overlay_image(pixels, model.importance(pixels)))):
        image.thumbnail(CELL_PX, Image.Resampling.LANCZOS)
        left = number * (CELL_PX[0] + GAP_PX) + (CELL_PX[0] - image.width) // 2
        both.paste(image, (left, (CELL_PX[1] - image.height) // 2))
    font = ImageFont.load_default(TEXT_PX)
    ImageDraw.Draw(both).text((GAP_PX, CELL_PX[1]), name, "black", font)
    return both


if __name__ == "__main__":
    main()
