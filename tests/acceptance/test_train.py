"""`semjpeg train` on one's own labelled pictures, and the map that comes out of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data


def run(*arguments: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "semjpeg", *map(str, arguments)]
    environment = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=250, cwd=cwd, env=environment)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory) -> Path:
    """Two classes of eight pictures, and one file that is none."""
    folder = tmp_path_factory.mktemp("labelled")
    random = np.random.default_rng(0)
    for name, picture in {"cat": data.chelsea(), "cup": data.coffee()}.items():
        (folder / name).mkdir()
        for number in range(8):
            y, x = random.integers(0, 100, 2)
            Image.fromarray(picture[y : y + 190, x : x + 220]).save(folder / name / f"{number}.jpg")
    (folder / "cat/broken.jpg").write_text("no picture")
    return folder


def test_a_network_is_trained_resumed_and_used(labelled, tmp_path):
    train = ("train", labelled, "-o", "mine.keras", "--batch-size", "4", "--epochs")
    first = run(*train, "1", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "broken.jpg" in first.stdout
    assert "2 classes" in first.stdout
    second = run(*train, "2", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert "going on after epoch 1" in second.stdout
    assert "epoch 2/2" in second.stdout

    Image.fromarray(data.chelsea()).save(tmp_path / "cat.png")
    maps = {}
    for name, variables in {"mine": {"SEMJPEG_MODEL__PATH": "mine.keras"}, "shipped": {}}.items():
        done = run("map", "cat.png", "-o", name, cwd=tmp_path, **variables)
        assert done.returncode == 0, done.stderr
        maps[name] = (tmp_path / name / "cat.png").read_bytes()
    assert maps["mine"] != maps["shipped"]


def test_a_damaged_network_is_refused_with_its_expected_hash(tmp_path):
    (tmp_path / "mine.keras").write_bytes(b"nonsense")
    (tmp_path / "mine.json").write_text('{"sha256": "0123abcd"}')
    Image.fromarray(data.chelsea()).save(tmp_path / "cat.png")
    for command in (("map", "cat.png"), ("compress", "cat.png"), ("worker",)):
        done = run(*command, cwd=tmp_path, SEMJPEG_MODEL__PATH="mine.keras")
        assert done.returncode == 2
        assert "mine.keras" in done.stderr
        assert "0123abcd" in done.stderr


def test_a_folder_without_pictures_is_bad_usage(tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("train", "empty", cwd=tmp_path)
    assert done.returncode == 2
    assert "empty" in done.stderr
