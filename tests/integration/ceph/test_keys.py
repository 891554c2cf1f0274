"""Odd keys: each ends as a result or as a failure that is named, whichever way it came in."""

from __future__ import annotations

import json

import pytest

ODD = [
    "spaces  and + plus.png",
    " leading.png",
    "trailing /folder /. png .png",
    "100% %41 %2F%zz.png",
    "%2Fin.png",
    "in%2Fone.png",
    "a&b=c;d,e?f#g@h:i$j.png",
    "quotes \"'`<>{}|\\^~[].png",
    "\u00e9 composed.png",
    "e\u0301 composed.png",
    "\u65e5\u672c/\U0001f600\U0001f3fd.png",
    "new\nline\ttab.png",
    "//two slashes.png",
    "/one slash.png",
    "in//two.png",
    "../up.png",
    "in/../../up.png",
    "in/./here.png",
    "... dots.png",
]
FITS = "k" * 1005 + ".png"
"""The result's key, behind `made/` and with `.jpg`, has 1,018 bytes of the 1,024 that S3 allows."""
TOO_LONG = [f"{'l' * 1020}.png", f"{chr(0xFC) * 510}.png", f"{'m' * 1012}.png"]
"""Up to 1,024 bytes, so that the store takes the key, and none for its result."""


@pytest.fixture
def put_all(farm, picture):
    """Write a picture under each key; return them."""

    def put_all() -> list[str]:
        for key in (*ODD, FITS, *TOO_LONG):
            farm.pictures.put(key, picture(), content_type="image/png")
        return [*ODD, FITS, *TOO_LONG]

    return put_all


def failures(farm) -> dict[str, str]:
    ended = farm.run("failures", "list", farm.output, "--json")
    assert ended.returncode == 0, ended.stderr
    return {failure["key"]: failure["code"] for failure in json.loads(ended.stdout)["failures"]}


def check(farm, keys: list[str]) -> None:
    farm.until(lambda: all({"done", "failed"} & set(farm.told(key)) for key in keys))
    assert failures(farm) == dict.fromkeys(TOO_LONG, "key-too-long")
    stored = {found.key for found in farm.results.list() if found.key.endswith(".jpg")}
    assert stored == {f"made/{key}.jpg" for key in (*ODD, FITS)}
    for key in (*ODD, FITS):
        job = farm.job(key)
        assert farm.told(key).count("done") == 1
        assert farm.results.head(job.result_keys.jpeg).metadata["semjpeg-etag"] == job.etag
        assert json.loads(farm.results.get(job.result_keys.metrics, max_bytes=10**6))["key"] == key


def test_odd_keys_come_through_a_scan(farm, put_all):
    keys = put_all()
    ended = farm.run("enqueue", farm.source, farm.output)
    assert ended.returncode == 0, ended.stderr
    check(farm, keys)
    again = json.loads(farm.run("reconcile", farm.source, farm.output, "--dry-run", "--json").stdout)
    found = {name: again[name] for name in ("sources", "right", "missing", "stale", "failed", "orphans")}
    expected = {"sources": len(keys), "right": len(keys) - len(TOO_LONG), "failed": len(TOO_LONG)}
    assert found == {"missing": 0, "stale": 0, "orphans": 0, **expected}


def test_odd_keys_come_through_notifications(farm, put_all, beside, announce):
    announce(beside, farm.source, farm.output)
    check(farm, put_all())
