"""`semjpeg benchmark pipeline`, the whole of it, on two small pictures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage import data


@pytest.mark.timeout(600)
def test_a_whole_system_is_measured(tmp_path: Path):
    for name in ("coffee", "chelsea"):
        Image.fromarray(getattr(data, name)()).save(tmp_path / f"{name}.png")
    command = ["benchmark", "pipeline", "--data", str(tmp_path), "--small", str(tmp_path), "--rounds", "1", "--json"]
    done = subprocess.run([sys.executable, "-m", "semjpeg", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    for name in (
        "system_over_bare",
        "two_over_one",
        "cpu_over_pillow",
        "system_over_original",
        "mean_batch_over_max",
        "latency_median_s",
    ):
        assert values[name] > 0, name
    assert values["mean_batch_over_max"] <= 1
    assert values["latency_median_s"] <= values["latency_p99_s"]
    for parts in (values["cpu_ms_per_image"], values["cpu_ms_per_image_small"]):
        assert set(parts) == {"bare", "workers", "store", "broker"}
        assert min(parts["bare"], parts["workers"], parts["store"]) > 0  # the broker's may be less than a tick
    assert set(values["cpu_ms_per_megapixel"]) >= {"probe", "decode", "encode", "verify", "metrics", "Pillow"}
