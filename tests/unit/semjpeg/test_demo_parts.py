from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.errors import ConfigurationError, SemjpegError
from semjpeg.demo.photos import find_photos
from semjpeg.demo.processes import Processes
from semjpeg.demo.results import ImageResult, totals
from semjpeg.demo.system import clean_environment

METRICS = {"psnr": 35.0, "psnr_s": 40.0, "ssim": 0.9, "psnr_hvs_m": 38.0}


def result(key: str, **changes) -> ImageResult:
    fields = {
        "status": "done",
        "reason": None,
        "bytes_in": 1000,
        "bytes_out": 250,
        "bytes_libjpeg": 300,
        "metrics": METRICS,
        "original": f"originals/{key}",
        "jpeg": f"jpeg/{key}.jpg",
        "map": f"maps/{key}.png",
        "overlay": f"overlays/{key}.jpg",
    }
    return ImageResult(key=key, **{**fields, **changes})


FAILED = result("bad.jpg", status="failed", reason="is <b>not</b> an image", bytes_out=0, bytes_libjpeg=0, metrics=None)


def test_totals_count_finished_images_only():
    total = totals([result("a.png"), result("b.png", bytes_in=3000, metrics={**METRICS, "psnr_s": None}), FAILED])
    assert (total["images"], total["done"], total["failed"]) == (3, 2, 1)
    assert (total["bytes_in"], total["bytes_out"], total["bytes_libjpeg"]) == (4000, 500, 600)
    assert total["saved"] == pytest.approx(0.875)
    assert total["saved_against_libjpeg"] == pytest.approx(1 / 6)
    assert total["metrics"] == pytest.approx({"psnr": 35, "psnr_s": 40, "ssim": 0.9, "psnr_hvs_m": 38})


def test_totals_of_nothing():
    total = totals([FAILED])
    assert (total["done"], total["saved"], total["metrics"]) == (0, None, {})
    json.dumps(total, allow_nan=False)


def test_photographs_are_found_by_suffix_in_all_subfolders(tmp_path):
    for name in ("a.jpg", "sub/b c.PNG", "notes.txt", "sub/noext", ".semjpeg/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    photos, left_out = find_photos(tmp_path)
    assert photos == {"a.jpg": tmp_path / "a.jpg", "sub/b c.PNG": tmp_path / "sub/b c.PNG"}
    assert {path.name for path in left_out} == {"notes.txt", "noext", "x.png"}


def test_eight_or_more_photographs_are_bundled():
    photos, _ = find_photos(None)
    assert len(photos) >= 8
    assert all(path.is_file() for path in photos.values())


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="holds no image"):
        find_photos(tmp_path)
    with pytest.raises(ConfigurationError, match="is no folder"):
        find_photos(tmp_path / "nowhere")


def test_the_environment_carries_nothing_of_the_users():
    before = {
        "PATH": "/bin",
        "SEMJPEG_BROKER__URL": "redis://production",
        "AWS_SECRET_ACCESS_KEY": "real",
        "aws_x": "y",
    }
    after = clean_environment(before)
    assert after["PATH"] == "/bin"
    assert "redis://production" not in after.values()
    assert "real" not in after.values()
    assert "aws_x" not in after


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")


def test_children_end_with_the_block_even_stubborn_ones(tmp_path):
    with Processes(tmp_path, dict(os.environ)) as processes:
        pids = [processes.start("a", *SLEEP).pid, processes.start("b", *STUBBORN).pid]
        time.sleep(0.5)
        assert all(map(alive, pids))
        processes.check()
    assert not any(map(alive, pids))


def test_a_child_that_ends_is_reported_with_its_log(tmp_path):
    with Processes(tmp_path, dict(os.environ)) as processes:
        processes.start("broken", sys.executable, "-c", "raise SystemExit('no licence')").wait()
        with pytest.raises(SemjpegError, match=r"(?s)'broken' ended with 1.*no licence"):
            processes.check()


def test_children_die_with_a_parent_that_is_killed(tmp_path):
    script = (
        "import os, sys, time\nfrom pathlib import Path\nfrom semjpeg.demo.processes import Processes\n"
        f"child = Processes(Path({str(tmp_path)!r}), dict(os.environ)).start('a', *{SLEEP!r})\n"
        "print(child.pid, flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        time.sleep(0.5)
        assert alive(pid)
        parent.kill()
    until = time.monotonic() + 10
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(pid)
