"""`semjpeg convert` on a checkpoint of the size and the names that the paper's authors published."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from models import backend

CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
NAMES = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "5_1", "5_2", "5_3")


def run(*arguments: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "semjpeg", *map(str, arguments)]
    environment = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, cwd=cwd, env=environment)


def write(path: Path, variables: dict[str, np.ndarray]) -> None:
    """Write a checkpoint as TensorFlow 1 does."""
    backend.start()
    import tensorflow as tf

    names, values = list(variables), list(variables.values())
    tf.raw_ops.SaveV2(prefix=str(path), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    shapes = {
        f"conv{name}": (3, 3, before, after) for name, before, after in zip(NAMES, CHANNELS, CHANNELS[1:], strict=False)
    }
    shapes |= {"conv6_1": (3, 3, 512, 32), "depth": (3, 3, 32, 32), "conv6": (3, 3, 1024, 1024)}
    random = np.random.default_rng(0)
    variables = {"GAP/W": random.normal(0, 0.03, (1024, 257)).astype(np.float32)}
    for name, shape in shapes.items():
        variables[f"{name}/W"] = random.standard_normal(shape, np.float32) * np.float32(1.4 / np.prod(shape[:3]) ** 0.5)
        variables[f"{name}/b"] = np.zeros(1024 if name == "depth" else shape[-1], np.float32)
    path = tmp_path_factory.mktemp("models") / "model-50"
    write(path, variables)
    return path


def test_the_authors_network_becomes_a_weights_file(checkpoint, tmp_path):
    names = [f"{index:03d}.thing" for index in range(1, 258)]
    (tmp_path / "labels.txt").write_text("\n".join(names))
    done = run("convert", checkpoint, "-o", "paper.keras", "--labels", "labels.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    sha256 = hashlib.sha256((tmp_path / "paper.keras").read_bytes()).hexdigest()
    assert done.stdout == f"paper.keras\nSHA-256 {sha256}\n"
    record = json.loads((tmp_path / "paper.json").read_text(encoding="utf-8"))
    assert (record["sha256"], record["classes"]) == (sha256, names)

    Image.fromarray(data.chelsea()).save(tmp_path / "cat.png")
    done = run("map", "cat.png", "-o", "maps", cwd=tmp_path, SEMJPEG_MODEL__PATH="paper.keras")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "maps/cat.png") as image:
        assert image.getextrema() != (0, 0)


def test_labels_of_another_data_set_are_bad_usage(checkpoint, tmp_path):
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    done = run("convert", checkpoint, "-o", "paper.keras", "--labels", "labels.txt", cwd=tmp_path)
    assert done.returncode == 2
    assert "labels.txt: names 2 classes, the checkpoint has 257" in done.stderr
    assert not (tmp_path / "paper.keras").exists()


def test_a_checkpoint_of_another_network_is_refused_by_its_variable(tmp_path):
    write(tmp_path / "model-50", {"GAP/W": np.zeros((512, 257), np.float32)})
    done = run("convert", "model-50", "-o", "paper.keras", cwd=tmp_path)
    assert done.returncode == 2
    assert "checkpoint model-50: conv1_1/W is missing, expected one of shape [3, 3, 3, 64]" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing", "-o", "paper.keras"), "checkpoint nothing: cannot be read"),
        (("nothing", "-o", "paper.h5"), "output: must end in .keras, got paper.h5"),
        (("nothing",), "Missing option '-o'"),
        (("nothing", "-o", "paper.keras", "--labels", "nowhere.txt"), "nowhere.txt"),
    ],
)
def test_bad_usage_is_told(tmp_path, arguments, told):
    done = run("convert", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
