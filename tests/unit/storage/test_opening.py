"""Where a bucket may lie is said by the configuration; its name, which may come from a message, can only choose."""

from __future__ import annotations

import pytest

from config.errors import ForbiddenError, InvalidMessageError
from config.jobs import Job
from config.settings import Settings, StorageSettings
from storage import Stores
from storage.local import LocalStore
from storage.s3 import S3Store

MESSAGE = {
    "run": "one",
    "bucket": "photos",
    "key": "in/a.png",
    "etag": "abc",
    "size": 3,
    "output": "s3://photos-small/out",
    "recipe": {"quality": 75},
}


@pytest.fixture
def stores(monkeypatch, tmp_path) -> Stores:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / "root").mkdir()
    settings = Settings(storage=StorageSettings(local_root=tmp_path / "root"), s3={"region": "us-east-1"})
    return Stores(settings)


@pytest.mark.parametrize("name", ["photos", "my.photos-2", "Old_Name", "a"])
def test_a_bucket_is_opened_by_its_name(stores, name):
    assert isinstance(stores.open(name), S3Store)


@pytest.mark.parametrize(
    "name",
    [
        "arn:aws:s3:us-east-1:111122223333:accesspoint/theirs",
        "arn:aws:s3::111122223333:accesspoint/theirs.mrap",
        "http://evil.example",
        "//evil.example",
        "evil.example:9000",
        "evil.example/photos",
        "key:secret@evil.example",
        "..",
        "a..b",
        ".photos",
        "photos?x",
        "photos\n",
        "",
        "a" * 256,
    ],
)
def test_what_is_no_name_of_a_bucket_is_refused(stores, name):
    with pytest.raises(ForbiddenError, match="no name of a bucket"):
        stores.open(name)


def test_a_folder_must_lie_in_the_configured_one(stores, tmp_path):
    root = tmp_path / "root"
    (root / "link").symlink_to("/etc")
    assert isinstance(stores.open(f"file://{root}/photos"), LocalStore)
    for outside in (f"{root}/..", f"{root}/../root2", "/etc", f"{root}/link", f"{root}2", "/"):
        with pytest.raises(ForbiddenError, match="local_root"):
            stores.open(f"file://{outside}")
    nowhere = Stores(Settings(s3={"region": "us-east-1"}))
    with pytest.raises(ForbiddenError, match="local_root"):
        nowhere.open(f"file://{root}")


@pytest.mark.parametrize(
    "field",
    ["endpoint", "endpoint_url", "url", "s3", "credentials", "aws_access_key_id", "region", "broker", "model", "path"],
)
def test_a_message_has_no_word_for_endpoints_and_credentials(field):
    assert Job.from_message(MESSAGE).bucket == "photos"
    with pytest.raises(InvalidMessageError, match=field):
        Job.from_message({**MESSAGE, field: "http://evil.example"})
    with pytest.raises(InvalidMessageError, match=field):
        Job.from_message({**MESSAGE, "recipe": {"quality": 75, field: "http://evil.example"}})


@pytest.mark.parametrize(
    "output",
    ["http://evil.example/out", "https://evil.example", "file://evil.example/out", "ftp://x", "out", "s3://", ""],
)
def test_results_go_to_buckets_and_folders_alone(output):
    with pytest.raises(InvalidMessageError, match="no place"):
        Job.from_message({**MESSAGE, "output": output})


@pytest.mark.parametrize(
    "output",
    ["s3://evil.example:9000/out", "s3://key:secret@evil.example/out", "s3://../out", "file:///etc", "s3://a:b/"],
)
def test_an_output_that_is_neither_configured_nor_a_bucket_is_refused_when_it_is_opened(stores, output):
    with pytest.raises(ForbiddenError):
        stores.open(Job.from_message({**MESSAGE, "output": output}).output_place.bucket)
