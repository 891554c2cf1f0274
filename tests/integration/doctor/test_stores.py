"""What `semjpeg doctor` finds about sources and outputs, and that it leaves nothing behind there."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from config.errors import ForbiddenError
from config.recipes import Route
from semjpeg.doctor.checks import checks_for
from semjpeg.doctor.context import Context
from semjpeg.doctor.finding import Status
from semjpeg.doctor.runner import examine
from storage.s3 import S3Store


@pytest.mark.parametrize("role", ["worker", "producer"])
def test_a_bucket_that_is_not_there(look, photos, role):
    found = look("source", "output", role=role, pair=Route(source=photos.source, output="s3://no-such-bucket"))
    assert found["source", "GET"].status is Status.OK
    assert found["output", "LIST"].status is Status.FAILED
    assert "Create the bucket" in found["output", "LIST"].mend


def test_a_producer_writes_nothing(look, photos):
    found = look("output", pair=photos)
    assert {name for _, name in found} - {"region"} == {"LIST", "HEAD"}  # not all stores tell the region


def test_an_empty_source_cannot_be_read_from(look, servers, photos):
    servers.client("s3").delete_object(Bucket=photos.source_place.bucket, Key="in/a.jpg")
    assert look("source", pair=photos)["source", "LIST"].status is Status.WARNING


def test_without_credentials(look, photos, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = look("store", "source", pair=photos)
    assert found["store", "credentials"].status is Status.FAILED
    assert "AWS_ACCESS_KEY_ID" in found["store", "credentials"].mend
    assert found["source", "all of it"].status is Status.WARNING


def test_what_was_written_is_removed_when_reading_it_fails(look, photos, monkeypatch, keys_of):
    def refuse(*_: object, **__: object) -> bytes:
        raise ForbiddenError("no")

    monkeypatch.setattr(S3Store, "get", refuse)
    found = look("output", role="worker", pair=photos)
    assert found["output", "PUT"].status is Status.OK
    assert found["output", "HEAD and GET"].status is Status.FAILED
    assert found["output", "DELETE"].status is Status.OK
    assert keys_of(photos) == []


def test_what_was_written_is_removed_when_reading_it_hangs(photos, monkeypatch, keys_of):
    seen: list[str] = []

    def hang(*_: object, **__: object) -> bytes:
        seen.extend(keys_of(photos))
        time.sleep(3)
        raise ForbiddenError("no")

    monkeypatch.setattr(S3Store, "get", hang)
    context = Context.make("worker", photos)
    [check] = [check for check in checks_for(context) if check.name.startswith("output")]
    found = list(examine([replace(check, limit_s=1.5)], context))
    assert found[-1].status is Status.FAILED
    assert "no end within 1.5 s" in found[-1].message
    assert [key.rpartition("/")[0] for key in seen] == ["small/.semjpeg/doctor"]
    assert keys_of(photos) == []


def test_of_a_versioned_bucket_no_version_is_left(look, servers, photos, keys_of):
    servers.client("s3").put_bucket_versioning(
        Bucket=photos.output_place.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    found = look("output", role="worker", pair=photos)
    assert found["output", "versions"].status is Status.OK
    assert found["output", "DELETE"].status is Status.OK
    assert keys_of(photos) == []


def test_folders_of_this_machine(look, environment, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jpg").write_bytes(b"0123")
    pair = Route(source=f"file://{tmp_path}/in", output=f"file://{tmp_path}/out")
    found = look("source", role="worker", pair=pair)
    assert "SEMJPEG_STORAGE__LOCAL_ROOT" in found["source", "opening"].mend
    environment(STORAGE__LOCAL_ROOT=str(tmp_path))
    assert f"mkdir -p {tmp_path}/out" in look("output", role="worker", pair=pair)["output", "LIST"].mend
    (tmp_path / "out").mkdir()
    found = look("source", "output", role="worker", pair=pair)
    assert {each.status for each in found.values()} == {Status.OK}, found
    assert [path for path in (tmp_path / "out").rglob("*") if path.name != "lock" and path.is_file()] == []
