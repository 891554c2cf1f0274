"""The demo as a newcomer runs it, from outside: a process, its exit code, what it prints and what it leaves."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

DEMO = (sys.executable, "-m", "semjpeg", "demo")
DONE = ["cat.png", "sub #1/100% coffee ü&?.jpg"]
FAILED = {
    "text.jpg": "not an image",
    "short.jpg": "cannot be decoded",
    "moving.gif": "animation",
    "empty.png": "not an image",
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    (folder / "sub #1").mkdir()
    Image.fromarray(data.chelsea()).save(folder / "cat.png")
    Image.fromarray(data.coffee()).save(folder / "sub #1/100% coffee ü&?.jpg", quality=92)
    (folder / "text.jpg").write_text("this is no picture")
    whole = (folder / "sub #1/100% coffee ü&?.jpg").read_bytes()
    (folder / "short.jpg").write_bytes(whole[: len(whole) // 2])
    frames = [Image.new("RGB", (8, 8), (90 * i, 0, 0)) for i in range(3)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("left out")
    return folder


@pytest.fixture(scope="module")
def finished(photos, tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The demo over good and bad files, run in the place of an earlier result."""
    out = tmp_path_factory.mktemp("result") / "out"
    environment = {**os.environ, "SEMJPEG_BROKER__URL": "redis://production:1/0", "AWS_SECRET_ACCESS_KEY": "real"}
    (out / "jpeg").mkdir(parents=True)
    (out / ".semjpeg-demo").touch()
    (out / "jpeg/of an earlier run.jpg").touch()
    done = subprocess.run(
        [*DEMO, str(photos), "--out", str(out)],
        capture_output=True, text=True, check=False, timeout=280, env=environment,
    )  # fmt: skip
    return done, out


def test_bad_files_are_named_and_the_exit_code_is_1(finished):
    done, _ = finished
    assert done.returncode == 1, done.stdout + done.stderr
    text = " ".join(done.stdout.split())
    for name, reason in FAILED.items():
        assert f"failed: {name}: " in text
        assert reason in text
    assert "left out" in text
    assert "notes.txt" in text


def test_the_summary_tells_what_became_of_each(finished):
    _, out = finished
    summary = json.loads((out / "summary.json").read_text())
    images = {image["key"]: image for image in summary["images"]}
    assert set(images) == {*DONE, *FAILED}
    for key in DONE:
        image = images[key]
        assert (image["status"], image["reason"]) == ("done", None)
        assert image["bytes_out"] == (out / f"jpeg/{key}.jpg").stat().st_size < image["bytes_in"]
        assert {"psnr", "psnr_s", "ssim", "psnr_hvs_m"} <= set(image["metrics"])
    for key, reason in FAILED.items():
        assert images[key]["status"] == "failed"
        assert reason in images[key]["reason"]
    assert summary["totals"]["done"] == 2
    assert summary["totals"]["failed"] == 4
    assert summary["totals"]["bytes_out"] == sum(images[key]["bytes_out"] for key in DONE)


def test_everything_is_there_and_nothing_of_an_earlier_run(finished):
    _, out = finished
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    expected = {"index.html", "summary.json", ".semjpeg-demo"}
    for key in DONE:
        expected |= {
            f"jpeg/{key}.jpg",
            f"maps/{key}.png",
            f"overlays/{key}.jpg",
            f"metrics/{key}.json",
            f"originals/{key}",
        }
    assert files == expected


def test_the_page_shows_the_run_and_its_pictures(finished):
    _, out = finished
    page = (out / "index.html").read_text()
    assert re.search(r'id="done">2<', page)
    assert re.search(r'id="failed">4<', page)
    assert page.count("<article") == 2
    assert page.count('class="layer heat"') == 4  # each whole and in detail
    assert "coffee ü&amp;?.jpg" in page
    assert all(reason in page for reason in FAILED.values())


@pytest.mark.parametrize("key", DONE)
def test_results_are_standard_jpegs_and_maps_are_grey(finished, photos, key):
    _, out = finished
    with Image.open(photos / key) as source, Image.open(out / f"jpeg/{key}.jpg") as jpeg:
        size = source.size
        jpeg.load()
        assert (jpeg.format, jpeg.size) == ("JPEG", size)
    with Image.open(out / f"maps/{key}.png") as grid:
        assert (grid.mode, grid.size) == ("L", size)
        assert np.ptp(np.asarray(grid)) > 0
    with Image.open(out / f"overlays/{key}.jpg") as overlay:
        assert overlay.size == size


def test_a_folder_that_no_demo_made_is_left_alone(photos, tmp_path):
    (tmp_path / "precious.txt").write_text("keep me")
    done = subprocess.run(
        [*DEMO, str(photos), "--out", str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "no demo made it" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_missing_folder_is_bad_usage(tmp_path):
    done = subprocess.run([*DEMO, str(tmp_path / "nowhere")], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "nowhere" in done.stderr


def processes_with(marker: str) -> Iterator[int]:
    """Living processes whose environment bears the marker."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (
                marker.encode() in (folder / "environ").read_bytes()
                and "State:\tZ" not in (folder / "status").read_text()
            ):
                yield int(folder.name)
        except OSError:
            continue


@pytest.mark.parametrize(
    ("number", "after_s"), [(signal.SIGINT, 1), (signal.SIGINT, 6), (signal.SIGTERM, 12), (signal.SIGKILL, 8)]
)
def test_interrupting_leaves_no_process_and_no_half_result(tmp_path, number, after_s):
    environment = {**os.environ, "DEMO_TEST": str(tmp_path), "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    demo = subprocess.Popen(
        [*DEMO, "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=tmp_path,
    )  # fmt: skip
    time.sleep(after_s)
    finished_already = demo.poll() is not None
    demo.send_signal(number)
    output, _ = demo.communicate(timeout=30)
    until = time.monotonic() + 10
    while list(processes_with(f"DEMO_TEST={tmp_path}")) and time.monotonic() < until:
        time.sleep(0.1)

    assert list(processes_with(f"DEMO_TEST={tmp_path}")) == []
    if finished_already or number is signal.SIGKILL:
        return
    assert list((tmp_path / "tmp").iterdir()) == []
    left = {path.name for path in tmp_path.iterdir()} - {"tmp"}
    if left:  # the signal came when all was in place and the processes were being stopped
        assert left == {"out"}
        assert json.loads((tmp_path / "out/summary.json").read_text())["totals"]["done"] == 10
        assert len(list((tmp_path / "out/jpeg").iterdir())) == 10
        assert (tmp_path / "out/index.html").is_file()
    else:
        assert demo.returncode in {130, -number}, output  # the latter while Python itself still starts


def test_a_terminal_sees_a_progress_bar(photos, tmp_path):
    """Under a pseudo-terminal the bar shows images, megabytes and speed."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "160", "LINES": "40"}
    with subprocess.Popen(
        [*DEMO, str(photos), "--out", str(tmp_path / "out")], stdout=slave, stderr=slave, env=environment
    ) as demo:
        os.close(slave)
        shown = io.BytesIO()
        while True:
            try:
                shown.write(os.read(master, 65536))
            except OSError:
                break
        demo.wait(60)
    text = shown.getvalue().decode(errors="replace")
    assert "compressing" in text
    assert "6/6" in text
    assert " MB" in text
    assert "images/s" in text
