"""`semjpeg compress` and `semjpeg map` on files, as a user calls them, and the two functions of the Python API."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage import data

import semjpeg
from config.errors import UnsupportedImageError


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "semjpeg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, cwd=cwd)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory) -> Path:
    """The same picture in every disguise."""
    folder = tmp_path_factory.mktemp("kinds")
    rgb = Image.fromarray(data.coffee())
    grey = rgb.convert("L")
    rgb.save(folder / "plain.png")
    grey.save(folder / "grey.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(folder / "deep.png")
    rgb.quantize(256).save(folder / "palette.png")
    layered = rgb.convert("RGBA")
    layered.putalpha(Image.fromarray((np.indices((400, 600))[1] > 200).astype(np.uint8) * 255))
    layered.save(folder / "alpha.png")
    rgb.convert("CMYK").save(folder / "cmyk.tiff")
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb.save(folder / "turned.jpg", quality=95, exif=exif)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    rgb.save(folder / "profile.webp", quality=95, icc_profile=profile)
    return folder


@pytest.fixture(scope="module")
def compressed(kinds, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("compressed")
    done = run("compress", *sorted(kinds.iterdir()), "-o", out, "--quality", "85", cwd=out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("name", ["plain", "grey", "deep", "palette", "alpha", "cmyk", "turned", "profile"])
def test_every_kind_comes_out_looking_the_same(compressed, name):
    rgb = Image.fromarray(data.coffee())
    expected = {
        "grey": rgb.convert("L"),
        "deep": rgb.convert("L"),
        "alpha": Image.composite(
            rgb, Image.new("RGB", rgb.size, "white"), Image.fromarray(np.indices((400, 600))[1] > 200)
        ),
        "cmyk": rgb.convert("CMYK").convert("RGB"),
        "turned": rgb.transpose(Image.Transpose.ROTATE_270),
    }.get(name, rgb)
    with Image.open(compressed / f"{name}.jpg") as result:
        assert result.format == "JPEG"
        assert (result.mode, result.size) == (expected.mode, expected.size)
        assert np.abs(np.asarray(result).astype(int) - np.asarray(expected)).mean() < 6
        assert result.getexif().get(0x0112, 1) == 1
        assert ("icc_profile" in result.info) is (name == "profile")


def test_bad_files_are_named_the_others_done_and_the_exit_code_is_1(kinds, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    done = run(
        "compress", kinds / "plain.png", "text.jpg", "nowhere.png", tmp_path, "-o", "out", "--json", cwd=tmp_path
    )
    told = {Path(line["file"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert {name: line["status"] for name, line in told.items()} == {
        "plain.png": "done",
        "text.jpg": "failed",
        "nowhere.png": "failed",
        tmp_path.name: "failed",
    }
    assert "text.jpg: is not an image" in done.stderr
    assert "nowhere.png: does not exist" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["plain.jpg"]
    assert told["plain.png"]["bytes_out"] == (tmp_path / "out/plain.jpg").stat().st_size


def test_without_an_output_the_result_stands_beside_its_source(kinds, tmp_path):
    (tmp_path / "cat.png").write_bytes((kinds / "plain.png").read_bytes())
    assert run("compress", "cat.png", cwd=tmp_path).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat.png", "cat.semjpeg.jpg"]


@pytest.mark.parametrize("arguments", [("a.jpg", "-o", "."), ("a.jpg", "a.png", "-o", "out"), ("a.jpg", "-o", "a.jpg")])
def test_nothing_is_overwritten_unasked(tmp_path, arguments):
    for name in ("a.jpg", "a.png"):
        Image.fromarray(data.coffee()).save(tmp_path / name)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = run("compress", *arguments, cwd=tmp_path)
    assert done.returncode != 0
    assert "a.jpg" in done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def squared_error(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return (np.asarray(image).astype(float) - data.coffee()) ** 2


def test_a_picture_of_nothing_is_encoded_as_without_a_map(tmp_path):
    Image.fromarray(data.brick()).save(tmp_path / "bricks.png")
    for options, out in (((), "network.jpg"), (("--no-map",), "plain.jpg")):
        done = run("compress", "bricks.png", *options, "-o", out, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "network.jpg").read_bytes() == (tmp_path / "plain.jpg").read_bytes()


def test_a_given_map_moves_quality_to_where_it_is_white(kinds, tmp_path):
    left = Image.new("L", (60, 40))
    left.paste(255, (0, 0, 30, 40))
    left.save(tmp_path / "left.png")
    done = run("compress", kinds / "plain.png", "--map", "left.png", "--strength", "1", "-o", "out.jpg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    error = squared_error(tmp_path / "out.jpg")
    plain = run("compress", kinds / "plain.png", "--strength", "0", "--map", "left.png", "-o", "all.jpg", cwd=tmp_path)
    assert plain.returncode == 0
    uniform = squared_error(tmp_path / "all.jpg")
    growth = [error[:, part].mean() / uniform[:, part].mean() for part in (slice(0, 280), slice(320, 600))]
    assert growth[1] > 1.3 * growth[0]
    assert (tmp_path / "out.jpg").stat().st_size < (tmp_path / "all.jpg").stat().st_size


@pytest.mark.parametrize("method", [(), ("--method", "mosaic")])
def test_bytes_can_be_asked_for(kinds, tmp_path, method):
    Image.linear_gradient("L").save(tmp_path / "map.png")
    common = (kinds / "plain.png", "--map", "map.png", *method)
    target = run("compress", *common, "--target-bytes", "20k", "-o", "target.jpg", cwd=tmp_path)
    match = run("compress", *common, "--match-jpeg", "50", "-o", "match.jpg", cwd=tmp_path)
    assert (target.returncode, match.returncode) == (0, 0), target.stderr + match.stderr
    assert 0.9 * 20_000 <= (tmp_path / "target.jpg").stat().st_size <= 20_000
    buffer = io.BytesIO()
    Image.fromarray(data.coffee()).save(buffer, "JPEG", quality=50)
    size = (tmp_path / "match.jpg").stat().st_size
    assert size == pytest.approx(len(buffer.getvalue()), rel=0.01 if not method else 0.05)
    assert size <= 1.01 * len(buffer.getvalue())
    for name in ("target.jpg", "match.jpg"):
        assert squared_error(tmp_path / name).mean() < 200


def test_bytes_that_cannot_be_reached_are_a_failure_that_names_the_picture(kinds, tmp_path):
    done = run("compress", kinds / "plain.png", "--no-map", "--target-bytes", "100", "-o", "out.jpg", cwd=tmp_path)
    assert done.returncode == 1
    assert "plain.png: a picture of 600x400 pixels needs" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("aim", ["balanced", "hvs", "ssimulacra2", "psnr"])
def test_every_aim_gives_a_sound_picture(kinds, tmp_path, aim):
    done = run("compress", kinds / "plain.png", "--no-map", "--aim", aim, "-o", "out.jpg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert squared_error(tmp_path / "out.jpg").mean() < 60


def test_a_mosaic_has_the_options_of_its_paper(kinds, tmp_path):
    Image.linear_gradient("L").save(tmp_path / "map.png")
    options = ("--mosaic-levels", "9", "--mosaic-low", "20", "--mosaic-high", "100", "--mosaic-mixing", "median-wide")
    common = (kinds / "plain.png", "--map", "map.png", "--method", "mosaic", "--quality", "90")
    done = run("compress", *common, *options, "--mosaic-threshold", "0.05", "-o", "out.jpg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    error = squared_error(tmp_path / "out.jpg")
    assert error[:190].mean() > 2 * error[210:].mean()


@pytest.mark.parametrize("options", [("--target-bytes", "900k"), ("--match-jpeg", "100"), ("--method", "mosaic")])
def test_a_jpeg_never_grows_whatever_is_asked_for(tmp_path, options):
    Image.fromarray(data.coffee()).save(tmp_path / "small.jpg", quality=30)
    done = run("compress", "small.jpg", "--no-map", *options, "-o", "out.jpg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.jpg").stat().st_size <= (tmp_path / "small.jpg").stat().st_size


def test_a_bad_map_is_bad_usage(kinds, tmp_path):
    (tmp_path / "map.png").write_text("no picture")
    done = run("compress", kinds / "plain.png", "--map", "map.png", cwd=tmp_path)
    assert done.returncode == 2
    assert "map.png" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--quality", "0"),
        ("--quality", "101"),
        ("--strength", "2"),
        ("--metadata", "all"),
        ("--quality", "75", "--match-jpeg", "50"),
        ("--target-bytes", "none"),
        ("--aim", "ssim"),
        ("--mosaic-levels", "5"),
        ("--method", "mosaic", "--mosaic-low", "90"),
    ],
)
def test_options_out_of_range_are_bad_usage(kinds, tmp_path, options):
    assert run("compress", kinds / "plain.png", *options, cwd=tmp_path).returncode == 2


def test_maps_are_grey_and_of_the_pictures_aspect_ratio(tmp_path):
    wide = np.concatenate([data.astronaut(), np.full((512, 700, 3), 128, np.uint8)], axis=1)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(np.kron(wide, np.ones((2, 2, 1), np.uint8))).save(tmp_path / "large.png")
    done = run("map", "wide.png", "large.png", "-o", "maps", "--overlay", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [
        "large.overlay.jpg",
        "large.png",
        "wide.overlay.jpg",
        "wide.png",
    ]
    for name in ("wide", "large"):
        with Image.open(tmp_path / f"maps/{name}.png") as grid:
            assert grid.mode == "L"
            assert grid.width / grid.height == pytest.approx(1212 / 512, rel=0.01)
            levels = np.asarray(grid)
        assert levels[:, : levels.shape[1] // 3].mean() > 2 * levels[:, -levels.shape[1] // 3 :].mean()


def test_the_python_api_agrees_with_the_command(kinds, compressed):
    source = (kinds / "plain.png").read_bytes()
    assert semjpeg.compress(source, quality=85) == (compressed / "plain.jpg").read_bytes()
    importance = semjpeg.importance_map(source)
    assert importance.dtype == np.float32
    assert 0 <= importance.min() <= importance.max() <= 1
    assert semjpeg.compress(source, importance=importance, quality=85) == (compressed / "plain.jpg").read_bytes()


def test_the_python_api_has_every_choice():
    buffer = io.BytesIO()
    Image.fromarray(data.coffee()).save(buffer, "PNG")
    alike = np.ones((1, 1))
    assert len(semjpeg.compress(buffer.getvalue(), importance=alike, target_bytes=20_000, aim="hvs")) <= 20_000
    libjpeg = io.BytesIO()
    Image.fromarray(data.coffee()).save(libjpeg, "JPEG", quality=50)
    for options in (None, {"levels": 9, "low": 20, "high": 100, "mixing": "mean", "threshold": 0.1}):
        mosaic = semjpeg.compress(
            buffer.getvalue(), importance=alike, match_jpeg=50, method="mosaic", mosaic=options, strength=0
        )
        assert mosaic == libjpeg.getvalue()
    with pytest.raises(ValueError, match="not quality and match_jpeg"):
        semjpeg.compress(b"", quality=75, match_jpeg=50)
    with pytest.raises(ValueError, match=r"mosaic\.levels"):
        semjpeg.compress(b"", method="mosaic", mosaic={"levels": 0})


def test_the_python_api_refuses_by_reason():
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), (90 * i, 0, 0)) for i in range(3)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedImageError, match="3 frames"):
        semjpeg.compress(buffer.getvalue())
    with pytest.raises(ValueError, match="quality"):
        semjpeg.compress(b"", quality=0)


def test_a_producer_needs_neither_pixels_nor_tensorflow():
    """In an interpreter in which they cannot be imported, the producer's commands still come up."""
    hidden = ["numpy", "PIL", "tensorflow", "keras", "numba", "skimage", "mozjpeg_lossless_optimization", "psnr_hvsm"]
    script = (
        f"import sys\nfor name in {hidden!r}: sys.modules[name] = None\n"
        "import semjpeg, producer.scan, producer.sqs, producer.routing\nfrom semjpeg.cli import main\n"
        "sys.argv = ['semjpeg', *sys.argv[1:]]\nmain()"
    )
    for arguments in (
        ["enqueue", "--help"],
        ["reconcile", "--help"],
        ["status", "--help"],
        ["events", "serve", "--help"],
        ["events", "poll", "--help"],
        ["doctor", "--help"],
        ["--help"],
        ["--version"],
    ):
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    done = subprocess.run([sys.executable, "-c", script, "worker"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the extra 'worker'" in done.stderr
