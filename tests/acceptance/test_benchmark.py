"""`semjpeg benchmark codec` as a user calls it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "semjpeg", "benchmark", "codec", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=250, cwd=cwd)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Two small pictures with their masks."""
    folder = tmp_path_factory.mktemp("set")
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for name, picture in {"cat": data.chelsea()[60:156, 100:212], "cup": data.coffee()[100:196, 200:300]}.items():
        Image.fromarray(picture).save(folder / f"images/{name}.png")
        mask = np.zeros(picture.shape[:2], np.uint8)
        mask[24:72, 24:72] = 255
        Image.fromarray(mask).save(folder / f"masks/{name}.png")
    return folder


def test_everything_is_measured_and_left_in_the_folder(pictures, tmp_path):
    done = run(
        "--data", pictures / "images", "--masks", pictures / "masks", "--speed-megapixels", "0.05", "--json",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "cat.png: done" in done.stderr
    assert "2/2" in done.stderr
    told = json.loads(done.stdout)
    assert (told["pictures"], told["failed"]) == (2, [])
    assert {line["row"] for line in told["table"]} == set(range(1, 9))
    rates = [line for line in told["table"] if line["figure"].startswith("BD-rate")]
    assert len(rates) == 10
    assert all(line["pictures"] == 2 and -90 < line["result"] < 90 for line in rates)
    hvs = next(line for line in rates if line["row"] == 3 and line["against"] == "libjpeg-turbo")
    assert hvs["result"] < -5
    assert {line["unit"] for line in told["table"]} == {"%", "dB", "", "×", "MB"}

    out = tmp_path / "benchmark-codec"
    with (out / "codec.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["picture"] for row in rows} == {"cat.png", "cup.png"}
    assert {row["map"] for row in rows} == {"none", "ellipse", "mask", "network"}
    assert {row["encoder"] for row in rows} == {
        "semjpeg", "libjpeg-turbo", "libjpeg-turbo progressive", "mozjpeg", "jpegli",
    }  # fmt: skip
    text = (out / "codec.md").read_text(encoding="utf-8")
    assert "images, 2 pictures\n" in text
    assert text.count("| BD-rate, ") == 10
    assert len(list(out.glob("*.png"))) == 8


def test_bad_pictures_are_named_the_others_measured_and_the_exit_code_is_1(pictures, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    Image.open(pictures / "images/cat.png").save(images / "cat.png")
    Image.open(pictures / "images/cup.png").save(images / "maskless.png")
    (images / "broken.png").write_text("no picture")
    done = run(
        "--data", images, "--masks", pictures / "masks", "--out", "out", "--qualities", "40,60,80,90",
        "--speed-megapixels", "0", "--jobs", "1", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "broken.png: " in done.stderr
    assert "maskless.png: has no usable mask" in done.stderr
    assert "BD-rate, PSNR-HVS-M in the mask" in done.stdout
    assert "memory" not in done.stdout
    text = (tmp_path / "out/codec.md").read_text(encoding="utf-8")
    assert "images, 1 picture\n" in text


def test_bad_usage_has_exit_code_2(pictures, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        (["--data", "empty"], "holds no image"),
        (["--data", "nowhere"], "nowhere"),
        (["--data", pictures / "images", "--qualities", "30,abc"], "30,abc"),
        (["--data", pictures / "images", "--qualities", "30,50,50,30"], "different qualities"),
        ([], "--data"),
    ):
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "benchmark-codec").exists()


def test_a_missing_package_names_the_extra(pictures, tmp_path):
    code = (
        "import sys; sys.modules['pyjpegli'] = None; "
        f"sys.argv = ['semjpeg', 'benchmark', 'codec', '--data', {str(pictures / 'images')!r}]; "
        "from semjpeg.cli import main; main()"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "pyjpegli" in done.stderr
    assert "benchmark" in done.stderr
    assert "Traceback" not in done.stderr
