"""Pictures made here, a network trained on them in seconds, and the shipped one."""

import functools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import models
from models import backend

backend.start()


def pytest_collection_modifyitems(items):
    """Let Keras 3.15 copy tensors to NumPy 2 its own way while it saves, where every other warning is an error."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"))


@pytest.fixture(scope="session")
def pictures_folder(tmp_path_factory):
    """Two classes of six pictures each: a bright disc or a dark square on coloured noise."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(7)
    rows, columns = np.mgrid[:60, :80]
    for name in ("disc", "square"):
        (folder / name).mkdir()
        for number in range(6):
            picture = random.integers(90, 130, (60, 80, 3))
            row, column = random.integers(20, 40), random.integers(20, 60)
            if name == "disc":
                inside = (rows - row) ** 2 + (columns - column) ** 2 < 144
            else:
                inside = np.maximum(abs(rows - row), abs(columns - column)) < 10
            picture[inside] = 240 if name == "disc" else 10
            Image.fromarray(picture.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_config(pictures_folder):
    """Make settings of a training that takes seconds."""

    def make(place, **changes):
        settings = {
            "datasets": (pictures_folder,),
            "output": place / "tiny.keras",
            "workspace": place / "workspace",
            "epochs": 1,
            "batch_size": 4,
            "validation_share": 0.3,
            "widths": (16, 16, 16, 16),
            "blocks": (1, 1, 1, 1),
            "channels": 16,
        }
        return models.TrainingConfig(**{**settings, **changes})

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory, tiny_config):
    """Train once; the outcome and the lines that were reported."""
    lines = []
    config = tiny_config(tmp_path_factory.mktemp("trained"))
    return models.train(config, lines.append), lines, config


@pytest.fixture(scope="session")
def shipped():
    """Load the network that semjpeg ships with."""
    return models.load()


@pytest.fixture
def uncompiled(monkeypatch):
    """Compiling takes longer than the few steps here."""
    from models.trainer import Lesson

    monkeypatch.setattr(Lesson, "compile", functools.partialmethod(Lesson.compile, run_eagerly=True))
