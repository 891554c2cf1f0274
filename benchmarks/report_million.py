"""What `semjpeg report` takes for any number of records: time, memory, and the sizes of what it writes.

    nice python benchmarks/report_million.py --records 1000000 --folder /tmp/million

writes so many made-up records into the folder, unless they are there already, as an output place on this machine has
them, and reports on them twice: from the files, with a table, and from that table.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_FOLDER_FILES = 10_000
_FAILED_SHARE = 0.001
_UNREADABLE_SHARE = 0.0001
_BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
_RECIPE = {
    "name": "archive",
    "quality": 75,
    "aim": "balanced",
    "method": "trellis",
    "strength": 0.6,
    "metadata": "safe",
}
_REASONS = {"damaged-image": "ends after 48 of 96 rows", "too-large": "has 310 megapixels, more than the limit of 200"}


def head(number: int, key: str, status: str) -> dict[str, Any]:
    """Return what the records of finished and of failed images share."""
    return {
        "schema": 1,
        "status": status,
        "run": "backfill",
        "bucket": "photos",
        "key": key,
        "etag": f"{number:032x}",
        "version": None,
        "output": "s3://photos-small",
        "recipe": _RECIPE,
        "semjpeg": "0.1.0",
        "finished": (_BEGAN + timedelta(milliseconds=20 * number)).isoformat(timespec="milliseconds"),
    }


def finished(number: int, key: str, chance: random.Random) -> dict[str, Any]:
    """Make up the record of a finished image."""
    width, height = chance.choice([(4000, 3000), (3000, 4000), (1920, 1080), (1200, 1200)])
    bytes_libjpeg = int(width * height * chance.lognormvariate(-1.8, 0.4))
    bytes_out = int(bytes_libjpeg * chance.uniform(0.65, 0.9))
    hvs_m = chance.gauss(42, 3)
    sampled = chance.random() < 0.01  # noqa: PLR2004 - a share
    megapixels = width * height / 1e6
    stages = {"fetch": 0.05, "probe": 0.001, "decode": 0.01 * megapixels, "map": 0.06, "encode": 0.12 * megapixels}
    stages |= {"verify": 0.01 * megapixels, "metrics": 0.02 * megapixels, "libjpeg": 0.01 * megapixels}
    seconds = {stage: mean * chance.lognormvariate(0, 0.3) for stage, mean in stages.items()}
    return {
        **head(number, key, "done"),
        "job": f"{chance.getrandbits(256):064x}",
        "recipe_hash": f"{1:064x}",
        "model_hash": f"{2:064x}",
        "result": f"{key}.jpg",
        "format": "JPEG",
        "width_px": width,
        "height_px": height,
        "bytes_in": int(bytes_libjpeg * chance.uniform(1.2, 3)),
        "bytes_out": bytes_out,
        "bytes_libjpeg": bytes_libjpeg,
        "kept_coefficients": chance.random() < 0.02,  # noqa: PLR2004 - a share
        "metrics": {
            "psnr": chance.gauss(36, 2),
            "psnr_s": chance.gauss(37, 2),
            "psnr_hvs": hvs_m - chance.uniform(4, 8),
            "psnr_hvs_m": hvs_m,
            "ssim": 1 - chance.lognormvariate(-3.2, 0.4) if sampled else None,
            "ms_ssim": 1 - chance.lognormvariate(-4.5, 0.4) if sampled else None,
            "vifp": chance.uniform(0.5, 0.8) if sampled else None,
            "ssimulacra2": chance.gauss(75, 6) if sampled else None,
        },
        "seconds": {**seconds, "total": sum(seconds.values())},
    }


def failed(number: int, key: str, chance: random.Random) -> dict[str, Any]:
    """Make up the record of a failed image."""
    code = chance.choice(sorted(_REASONS))
    return {
        **head(number, key, "failed"),
        "code": code,
        "reason": _REASONS[code],
        "attempts": 1,
        "bytes_in": chance.randrange(10_000_000),
    }


def dumped(record: dict[str, Any]) -> str:
    """Return a record with lines and indents as workers write it, in a fraction of the time of `indent=2`."""
    return json.dumps(record).replace(', "', ',\n    "').replace('{"', '{\n    "')


def write_records(folder: Path, count: int) -> None:
    """Write the records of so many images; the same ones for the same number."""
    chance = random.Random(count)  # noqa: S311 - made-up figures
    for first in range(0, count, _FOLDER_FILES):
        day = f"2026/{first // _FOLDER_FILES:04}"
        folders = {status: folder / ".semjpeg" / status / day for status in ("metrics", "failed")}
        for place in folders.values():
            place.mkdir(parents=True, exist_ok=True)
        for number in range(first, min(first + _FOLDER_FILES, count)):
            key = f"{day}/IMG_{number:07}.jpg"
            lot = chance.random()
            if lot < _FAILED_SHARE:
                path, text = folders["failed"], dumped(failed(number, key, chance))
            else:
                path, text = folders["metrics"], dumped(finished(number, key, chance))
                text = text[:100] if lot > 1 - _UNREADABLE_SHARE else text
            with (path / f"IMG_{number:07}.jpg.json").open("w") as file:
                file.write(text)


def report(target: Path, *arguments: str | Path) -> str:
    """Run `semjpeg report` and say what it took."""
    command = [sys.executable, "-m", "semjpeg", "report", str(target), *map(str, arguments)]
    began = time.monotonic()
    child = subprocess.Popen(command)  # noqa: S603 - our own program
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"semjpeg report ended with {os.waitstatus_to_exitcode(status)}")
    elapsed_s, busy_s = time.monotonic() - began, usage.ru_utime + usage.ru_stime
    return f"{elapsed_s:.1f} s, {busy_s:.1f} s of them on a core, at most {usage.ru_maxrss / 1024:.0f} MB of memory"


def main() -> None:
    """Write the records, report twice, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    place, out = arguments.folder / f"records-{arguments.records}", arguments.folder / f"report-{arguments.records}"
    if not place.exists():
        staging = place.with_name(f"{place.name}-incomplete")
        shutil.rmtree(staging, ignore_errors=True)
        write_records(staging, arguments.records)
        staging.rename(place)
    out.mkdir(parents=True, exist_ok=True)
    page, table, again = out / "report.html", out / "report.parquet", out / "again.html"
    for name, took in (
        ("from the records, with a table", report(place, "-o", page, "--parquet", table)),
        ("from the table", report(table, "-o", again)),
    ):
        print(f"{name}: {took}")
    sizes = {path.name: path.stat().st_size / 1e6 for path in (page, table)}
    print(", ".join(f"{name} {size:.2f} MB" for name, size in sizes.items()))


if __name__ == "__main__":
    main()
