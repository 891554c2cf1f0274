"""`semjpeg evaluate` as a researcher calls it."""

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
from skimage.metrics import structural_similarity

ENCODERS = ("jpeg", "mosaic", "mosaic_program", "our", "our_aim_psnr", "mozjpeg", "jpegli")
LOG = (
    "filename", "model_number", "png_size", "jpeg_size", "our_size", "jpeg_q", "our_q", "jpeg_psnr", "jpeg_ssim",
    "jpeg_msssim", "jpeg_vifp", "jpeg_psnrhvs", "jpeg_psnrhvsm", "our_psnr", "our_ssim", "our_msssim", "our_vifp",
    "our_psnrhvs", "our_psnrhvsm",
)  # fmt: skip
MEASURES = ("psnrs", "psnr", "ssim", "msssim", "vifp", "psnrhvs", "psnrhvsm", "ssimulacra2")


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "semjpeg", "evaluate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, cwd=cwd)


def luma(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("YCbCr").getchannel("Y"), np.float64)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Two photographs in two subfolders, and one that is too large, evaluated once."""
    place = tmp_path_factory.mktemp("evaluate")
    for name, picture in {
        "cups/coffee.png": data.coffee()[100:228, 180:340],
        "animals/my cat.png": data.chelsea()[60:188, 100:260],
        "animals/large.png": data.astronaut()[:300, :300],
    }.items():
        (place / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(place / "data" / name)
    done = run("--keep-files", "--max-megapixels", "0.05", "--curve", "40,70", "data", "-o", "out", cwd=place)
    return place, done


def rows_of(place: Path) -> list[dict[str, str]]:
    with (place / "out/metrics.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_too_large_is_named_and_the_rest_measured(evaluated):
    _, done = evaluated
    assert done.returncode == 1, done.stderr
    assert "large.png: has 300x300 pixels, more than --max-megapixels 0.05 allows" in done.stderr
    assert "Means over 2 pictures, beside the paper's" in done.stdout
    assert "paper, Kodak (24): theirs" in done.stdout
    assert "animals" in done.stdout


def test_the_csv_has_the_columns_of_the_log_and_then_ours(evaluated):
    place, _ = evaluated
    rows = rows_of(place)
    assert [(row["filename"], row["category"]) for row in rows] == [
        ("animals/my cat.png", "animals"), ("cups/coffee.png", "cups"),
    ]  # fmt: skip
    others = [name for name in ENCODERS if name not in {"jpeg", "our"}]
    expected = [
        *LOG,
        "category", "width_px", "height_px", "jpeg_psnrs", "jpeg_ssimulacra2", "our_psnrs", "our_ssimulacra2",
        *(f"{encoder}_{end}" for encoder in others for end in ("size", "q", *MEASURES)),
        *(f"{encoder}_off_percent" for encoder in ENCODERS[1:]),
    ]  # fmt: skip
    assert list(rows[0]) == expected
    for row in rows:
        assert all(row.values())
        assert (row["model_number"], row["jpeg_q"], row["width_px"], row["height_px"]) == ("2", "50", "160", "128")


def test_files_have_equal_bytes_or_are_told_to_be_off(evaluated):
    place, _ = evaluated
    rows = rows_of(place)
    told = json.loads((place / "out/summary.json").read_text(encoding="utf-8"))
    for encoder in ENCODERS:
        off = 0
        for row in rows:
            size = (place / f"out/files/{encoder}/{row['filename']}.jpg").stat().st_size
            assert size == int(row[f"{encoder}_size"])
            share = size / int(row["jpeg_size"]) - 1
            off += abs(share) > 0.01
            if encoder != "jpeg":
                assert float(row[f"{encoder}_off_percent"]) == pytest.approx(100 * share, abs=0.0006)
            if encoder in {"our", "our_aim_psnr", "mozjpeg"}:
                assert abs(share) <= 0.01
        assert told["encoders"][encoder]["off"] == off


def test_the_figures_are_those_of_the_files(evaluated):
    place, _ = evaluated
    for row in rows_of(place):
        original = luma(place / "data" / row["filename"])
        for encoder in ENCODERS:
            decoded = luma(place / f"out/files/{encoder}/{row['filename']}.jpg")
            psnr = 10 * np.log10(255**2 / np.mean((original - decoded) ** 2))
            assert float(row[f"{encoder}_psnr"]) == pytest.approx(psnr, abs=1e-5)
            similarity = structural_similarity(
                original, decoded, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
            )
            assert float(row[f"{encoder}_ssim"]) == pytest.approx(similarity, abs=2e-3)
    told = json.loads((place / "out/summary.json").read_text(encoding="utf-8"))
    for encoder in ENCODERS:
        for measure, column in {"psnr_s": "psnrs", "psnr_hvs_m": "psnrhvsm", "ssimulacra2": "ssimulacra2"}.items():
            values = [float(row[f"{encoder}_{column}"]) for row in rows_of(place)]
            assert told["encoders"][encoder]["means"][measure] == pytest.approx(np.mean(values), abs=1e-5)
    gain = np.mean([float(row["our_psnrhvsm"]) - float(row["jpeg_psnrhvsm"]) for row in rows_of(place)])
    assert told["encoders"]["our"]["gains"]["psnr_hvs_m"]["mean"] == pytest.approx(gain, abs=1e-5)
    assert gain > 0.5


def test_pictures_tables_and_curves_are_left_in_the_folder(evaluated):
    place, _ = evaluated
    names = {path.name for path in (place / "out").iterdir()}
    bars = {f"difference-{encoder.replace('_', '-')}.png" for encoder in ENCODERS[1:]}
    curves = {f"curve-{name}.png" for name in ("psnr", "psnr-s", "psnr-hvs", "psnr-hvs-m", "ssimulacra2")}
    assert bars | curves | {"summary.md", "summary.json", "savings.png", "savings.csv", "curves.csv"} <= names
    text = (place / "out/summary.md").read_text(encoding="utf-8")
    assert "paper, MIT outdoor (200): theirs" in text
    with (place / "out/curves.csv").open(encoding="utf-8", newline="") as file:
        points = list(csv.DictReader(file))
    assert len(points) == 2 * len(ENCODERS) * 2


def test_a_second_run_takes_over_what_is_there_and_prints_json(evaluated):
    place, _ = evaluated
    before = (place / "out/metrics.csv").read_bytes()
    (place / "data/animals/large.png").unlink()
    done = run("data", "--keep-files", "--curve", "40,70", "--json", "-o", "out", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 pictures were measured already" in done.stderr
    assert json.loads(done.stdout) == json.loads((place / "out/summary.json").read_text(encoding="utf-8"))
    assert (place / "out/metrics.csv").read_bytes() == before
    log = run("log", "out/metrics.csv", "--json", "-o", "log", cwd=place)
    assert log.returncode == 0, log.stderr
    again, first = (json.loads(each.stdout)["encoders"] for each in (log, done))
    assert again["mozjpeg"]["means"] == pytest.approx(first["mozjpeg"]["means"], abs=1e-6)
