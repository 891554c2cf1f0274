"""What the tests of the codec share: pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data


def _text() -> np.ndarray:
    page = Image.new("RGB", (200, 120), "white")
    draw = ImageDraw.Draw(page)
    for line in range(9):
        draw.text((4, 13 * line), f"{line}: the quick brown fox jumps over it", fill=(0, 0, 40 * (line % 4)))
    return np.asarray(page)


def _gradient() -> np.ndarray:
    y, x = np.mgrid[0:97, 0:131]
    return np.stack((y * 2, x + 60, 255 - x - y // 2), axis=2).astype(np.uint8)


PICTURES = {
    "coffee": data.coffee,
    "astronaut": lambda: data.astronaut()[:384, :400],
    "cat": lambda: data.cat()[:299, :397],
    "camera": lambda: data.camera()[100:401, 60:370],
    "text": _text,
    "gradient": _gradient,
    "noise": lambda: np.random.default_rng(1).integers(0, 256, (90, 75, 3), dtype=np.uint8),
    "black": lambda: np.zeros((33, 47, 3), np.uint8),
    "white": lambda: np.full((16, 16), 255, np.uint8),
    "plain": lambda: np.full((40, 40, 3), (12, 200, 90), np.uint8),
}


@pytest.fixture(scope="session")
def picture():
    """Return a picture by its name."""
    cache: dict[str, np.ndarray] = {}

    def find(name: str) -> np.ndarray:
        if name not in cache:
            cache[name] = np.ascontiguousarray(PICTURES[name]())
        return cache[name]

    return find
