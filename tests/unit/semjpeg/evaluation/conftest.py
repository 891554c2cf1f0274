"""What the tests of the evaluation share: pictures with masks, a network for them, and invented scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models import Prepared
from semjpeg.benchmark.runs import Failure
from semjpeg.evaluation.pairs import Pair, pair_up
from semjpeg.evaluation.run import BARRIER, CENTRE, MAP, Scored, evaluate
from semjpeg.evaluation.scoring import Score

HEIGHT, WIDTH = 72, 96


class Network:
    """Marks what is bright."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def maps(self, prepared: list[Prepared]) -> list[np.ndarray]:
        self.batches.append(len(prepared))
        grids = [Image.fromarray(each.canvas).convert("L").reduce(8) for each in prepared]
        return [np.asarray(grid, np.float32) / 255 for grid in grids]


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture(scope="session")
def box() -> Callable[[int, int, int, int], np.ndarray]:
    def make(top: int, left: int, bottom: int, right: int) -> np.ndarray:
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[top:bottom, left:right] = True
        return mask

    return make


@pytest.fixture(scope="session")
def levels_like() -> Callable[[np.ndarray], np.ndarray]:
    def make(mask: np.ndarray) -> np.ndarray:
        return np.where(mask, 255, 0).astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def write() -> Callable[[Path, np.ndarray], Path]:
    def write(path: Path, pixels: np.ndarray) -> Path:
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def folders(tmp_path, box, levels_like, write) -> tuple[Path, Path]:
    """Five pictures with masks: a box that is brighter than the noise around it."""
    rng = np.random.default_rng(3)
    for number, name in enumerate(["a", "b", "c", "grün", "日本"]):
        mask = box(10 + 6 * number, 20, 30 + 6 * number, 60)
        pixels = rng.integers(0, 100, (HEIGHT, WIDTH, 3), np.uint8)
        pixels[mask] += 120
        write(tmp_path / f"images/{name}.jpg", pixels)
        write(tmp_path / f"masks/{name}.png", levels_like(mask))
    return tmp_path / "images", tmp_path / "masks"


@pytest.fixture
def evaluated(network) -> Callable[..., tuple[list[Scored], list[Failure]]]:
    """Score the maps of two folders' pairs: the network's, or those of a third folder."""

    def scored(images: Path, masks: Path, maps: Path | None = None) -> tuple[list[Scored], list[Failure]]:
        return evaluate(pair_up(images, masks, maps, None).pairs, network if maps is None else None, lambda *_: None)

    return scored


@pytest.fixture(scope="session")
def invented() -> Callable[..., Scored]:
    def make(name: str, auc: float, f: np.ndarray, found: int = 1) -> Scored:
        scores = {kind: Score(auc, f, 1 - auc, 0.5, found) for kind in (MAP, CENTRE, BARRIER)}
        return Scored(Pair(Path(name), Path("m.png")), scores, 2, np.zeros((2, 2), np.uint8), None)

    return make
