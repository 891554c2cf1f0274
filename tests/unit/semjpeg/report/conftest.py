"""Records as workers write them, and a folder that holds some."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Record = dict[str, Any]


def _head(key: str, status: str) -> Record:
    return {
        "schema": 1,
        "status": status,
        "run": "spring",
        "bucket": "photos",
        "key": key,
        "etag": "0123abcd",
        "version": None,
        "output": "s3://small/2024",
        "recipe": {"name": "archive", "strength": 0.5, "quality": 75},
        "semjpeg": "0.1.0",
        "finished": "2026-11-22T13:36:51.159+01:00",
    }


@pytest.fixture(scope="session")
def finished_record() -> Callable[..., Record]:
    def make(key: str = "a/b.png", **other: Any) -> Record:
        return {
            **_head(key, "done"),
            "job": "77",
            "recipe_hash": "04bb",
            "model_hash": "6dae",
            "result": f"2024/{key}.jpg",
            "format": "PNG",
            "width_px": 40,
            "height_px": 30,
            "bytes_in": 1000,
            "bytes_out": 250,
            "bytes_libjpeg": 300,
            "kept_coefficients": False,
            "metrics": {
                "psnr": 35.5,
                "psnr_s": 36,
                "psnr_hvs": 38.25,
                "psnr_hvs_m": 44.125,
                "ssim": None,
                "ms_ssim": None,
                "vifp": None,
                "ssimulacra2": None,
            },
            "seconds": {"fetch": 0.25, "encode": 1.5, "total": 2.0},
            **other,
        }

    return make


@pytest.fixture(scope="session")
def failed_record() -> Callable[..., Record]:
    def make(key: str = "c.png", **other: Any) -> Record:
        reason = {"code": "damaged-image", "reason": "ends early", "attempts": 1, "bytes_in": 70}
        return {**_head(key, "failed"), **reason, **other}

    return make


@pytest.fixture
def write_records(tmp_path: Path) -> Callable[..., Path]:
    """Write records into an output place below the test's folder, as workers do, and return the place."""

    def write(*records: Record, place: str = "place") -> Path:
        for record in records:
            folder = "metrics" if record["status"] == "done" else "failed"
            path = tmp_path / place / ".semjpeg" / folder / f"{record['key']}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(json.dumps(record, ensure_ascii=False, indent=2).encode("utf-8", "surrogateescape"))
        return tmp_path / place

    return write
