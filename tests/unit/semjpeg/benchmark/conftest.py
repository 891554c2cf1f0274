"""What the tests of the benchmark share: a photo, and a folder of its parts."""

from __future__ import annotations

import pytest
from PIL import Image
from skimage import data


@pytest.fixture(scope="session")
def coffee():
    return data.coffee()


@pytest.fixture
def folder(tmp_path, coffee):
    for number in range(7):
        Image.fromarray(coffee[10 * number :][:80, : 70 + number]).save(tmp_path / f"{number}.png")
    return tmp_path
