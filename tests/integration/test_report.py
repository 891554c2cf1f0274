"""`semjpeg report` over a real object store and a real broker."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from config.counters import RunCounters
from config.errors import ConfigurationError, ObjectMissingError, StorageUnavailableError
from config.places import Place
from semjpeg.report.processes import read_stored
from semjpeg.report.reading import Unreadable
from semjpeg.report.rows import Row
from semjpeg.report.sources import find_source
from storage import Stores


def record(key: str, run: str, bucket: str, **other: object) -> bytes:
    return json.dumps(
        {
            "schema": 1,
            "status": "done",
            "run": run,
            "bucket": "photos",
            "key": key,
            "etag": "0123",
            "version": None,
            "output": f"s3://{bucket}/2024",
            "recipe": {"name": "default", "quality": 75},
            "semjpeg": "0.1.0",
            "finished": "2026-11-22T13:36:51.159+00:00",
            "result": f"2024/{key}.jpg",
            "width_px": 40,
            "height_px": 30,
            "bytes_in": 1000,
            "bytes_out": 250,
            **other,
        }
    ).encode()


@pytest.fixture
def filled(servers, bucket, monkeypatch, tmp_path) -> str:
    """A bucket whose place `2024` holds records of two runs, one of which the broker knows, and one that is broken."""
    settings = servers.settings()
    monkeypatch.setenv("SEMJPEG_BROKER__URL", servers.broker_url)
    monkeypatch.setenv("SEMJPEG_BROKER__KEY_PREFIX", settings.broker.key_prefix)
    monkeypatch.setenv("SEMJPEG_S3__ENDPOINT_URL", servers.endpoint)
    monkeypatch.setenv("SEMJPEG_S3__REGION", "us-east-1")
    monkeypatch.setenv("SEMJPEG_S3__ADDRESSING_STYLE", "path")
    monkeypatch.chdir(tmp_path)
    store = Stores(settings).open(bucket)
    for i in range(40):
        run = "spring" if i % 2 else "autumn"
        store.put(f"2024/.semjpeg/metrics/a b+ü/{i}.png.json", record(f"{i}.png", run, bucket), content_type="")
    store.put("2024/.semjpeg/metrics/broken.json", b"{", content_type="")
    failure = {"status": "failed", "code": "too-large", "reason": "has 9 megapixels"}
    store.put("2024/.semjpeg/failed/big.png.json", record("big.png", "spring", bucket, **failure), content_type="")
    RunCounters(servers.redis(), settings.broker.key_prefix).add("spring", f"s3://{bucket}/2024", done=20)
    return bucket


def counts(target: str, run: str | None = None) -> tuple[int, int, int]:
    source = find_source(target, run)
    items = list(source.items())
    rows = [item for item in items if isinstance(item, Row) and source.run in (None, item.run)]
    done = sum(row.status == "done" for row in rows)
    return done, len(rows) - done, sum(isinstance(item, Unreadable) for item in items)


def test_places_and_runs_are_found(filled):
    assert counts(f"s3://{filled}/2024") == (40, 1, 1)
    assert counts(f"s3://{filled}/2024/", "autumn") == (20, 0, 1)
    assert counts(f"s3://{filled}") == (40, 1, 1)
    assert counts("spring") == (20, 1, 1)


def test_several_processes_read_what_one_does_in_the_same_order(servers, filled, monkeypatch):
    place, settings = Place.parse(f"s3://{filled}/2024"), servers.settings()
    stores = Stores(settings)
    alone = list(read_stored(settings, stores, place))
    assert len(alone) == 42
    monkeypatch.setattr("semjpeg.report.processes._ALONE", 5)
    monkeypatch.setattr("semjpeg.report.processes._BATCH", 4)
    assert list(read_stored(settings, stores, place, processes=2)) == alone
    nowhere = settings.model_copy(update={"s3": settings.s3.model_copy(update={"endpoint_url": "http://127.0.0.1:9"})})
    with pytest.raises(StorageUnavailableError, match="2024/"):
        list(read_stored(nowhere, stores, place, processes=2))


def test_what_is_not_there_is_said(filled):
    with pytest.raises(ConfigurationError, match="no run of that name"):
        find_source("winter", None)
    with pytest.raises(ObjectMissingError, match="202/ is no output place"):
        find_source(f"s3://{filled}/202", None)
    with pytest.raises(ObjectMissingError, match="no-such-bucket"):
        find_source("s3://no-such-bucket", None)


def test_page_and_table_go_into_the_bucket(servers, filled):
    out = f"s3://{filled}/reports/"
    command = [sys.executable, "-m", "semjpeg", "report", "spring", "-o", out, "--parquet", out, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["title"], told["done"], told["failed"], told["unreadable_count"]) == ("spring", 20, 1, 1)
    assert told["page"] == f"s3://{filled}/reports/report.html"
    page = servers.client("s3").get_object(Bucket=filled, Key="reports/report.html")
    assert page["ContentType"] == "text/html; charset=utf-8"
    assert b"spring" in page["Body"].read()
    table = servers.client("s3").get_object(Bucket=filled, Key="reports/report.parquet")["Body"].read()
    Path("report.parquet").write_bytes(table)
    assert counts("report.parquet") == (20, 1, 1)


def test_errors_have_their_exit_codes(filled):
    for target, code in (("winter", 2), ("s3://no-such-bucket", 1), (f"s3://{filled}/nowhere", 1)):
        command = [sys.executable, "-m", "semjpeg", "report", target]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
        assert (done.returncode, done.stderr.startswith("semjpeg: ")) == (code, True), done.stderr
    assert not Path("report.html").exists()
