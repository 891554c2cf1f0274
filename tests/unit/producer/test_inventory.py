from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from config.errors import ConfigurationError, DamagedRecordError, ObjectMissingError
from config.places import Place
from producer.inventory import manifest_place, open_inventory

CSV_SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag"
PARQUET_SCHEMA = (
    "message s3.inventory {  required binary bucket (UTF8);  required binary key (UTF8);  optional binary version_id"
    " (UTF8);  optional boolean is_latest;  optional boolean is_delete_marker;  optional int64 size;  optional int64"
    " last_modified_date (TIMESTAMP(MILLIS,true));  optional binary e_tag (UTF8);}"
)


class Watched(io.BytesIO):
    """A file that knows how much was read of it at a time, since it was rewound for the first time."""

    most = 0

    def readinto(self, buffer) -> int:
        count = super().readinto(buffer)
        self.most = max(self.most, count)
        return count

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.most = max(self.most, len(data))
        return data


class Bucket:
    """What an inventory was written to."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.read: list[str] = []

    def get(self, key: str, *, max_bytes: int, etag: str | None = None) -> bytes:
        del max_bytes, etag
        self.read.append(key)
        if key not in self.objects:
            raise ObjectMissingError(key)
        return self.objects[key]

    @contextmanager
    def open(self, key: str, *, max_bytes: int, etag: str | None = None) -> Iterator[Watched]:
        with Watched(self.get(key, max_bytes=max_bytes, etag=etag)) as self.opened:
            yield self.opened

    def write(self, file_format: str, schema: str, *files: bytes, **changes: object) -> str:
        entries = []
        for number, data in enumerate(files):
            self.objects[f"data/{number}"] = data
            md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
            entries.append({"key": f"data/{number}", "size": len(data), "MD5checksum": md5})
        manifest = {"sourceBucket": "photos", "fileFormat": file_format, "fileSchema": schema, "files": entries}
        self.objects["2026/manifest.json"] = json.dumps({**manifest, **changes}).encode()
        return "2026/manifest.json"


def row(key: str, *, latest: bool = True, deleted: bool = False, size: int = 7) -> dict[str, object]:
    return {
        "bucket": "photos",
        "key": key,
        "version_id": "v",
        "is_latest": latest,
        "is_delete_marker": deleted,
        "size": None if deleted else size,
        "last_modified_date": None,
        "e_tag": None if deleted else "abc",
    }


def csv_file(rows: list[dict[str, object]], encode=quote) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    for cells in rows:
        values = {**cells, "key": encode(str(cells["key"]))}
        writer.writerow([str(v).lower() if isinstance(v, bool) else "" if v is None else v for v in values.values()])
    return gzip.compress(text.getvalue().encode())


def parquet_file(rows: list[dict[str, object]]) -> bytes:
    text, flag, number = pa.string(), pa.bool_(), pa.int64()
    types = [text, text, text, flag, flag, number, number, text]
    schema = pa.schema(list(zip(row(""), types, strict=True)))
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, schema), file)
    return file.getvalue()


FORMATS = [("CSV", CSV_SCHEMA, csv_file), ("Parquet", PARQUET_SCHEMA, parquet_file)]
KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
FILES = st.lists(st.lists(st.tuples(KEYS, st.booleans(), st.booleans()), max_size=6), max_size=4)


@pytest.mark.parametrize(("file_format", "schema", "write"), FORMATS)
@given(files=FILES)
@settings(max_examples=60)
def test_the_newest_version_of_every_object_comes_once_wherever_one_goes_on(file_format, schema, write, files):
    bucket = Bucket()
    tables = [[row(key, latest=latest, deleted=deleted) for key, latest, deleted in file] for file in files]
    inventory = open_inventory(bucket, bucket.write(file_format, schema, *map(write, tables)))
    found = [(source.key, source.etag, source.size_bytes, position) for source, position in inventory.objects()]
    assert [key for key, *_ in found] == [
        key for file in files for key, latest, deleted in file if latest and not deleted
    ]
    assert {(etag, size) for _, etag, size, _ in found} <= {("abc", 7)}
    for number, (*_, position) in enumerate(found):
        rest = [source.key for source, _ in inventory.objects(position)]
        assert rest == [key for key, *_ in found[number + 1 :]]


def test_keys_with_a_plus_for_a_space_are_read():
    bucket = Bucket()
    key = 'in/a b+ü%&,".jpg'
    inventory = open_inventory(bucket, bucket.write("CSV", CSV_SCHEMA, csv_file([row(key)], quote_plus)))
    assert [source.key for source, _ in inventory.objects()] == [key]
    assert inventory.source_bucket == "photos"


def test_what_has_no_versions_is_read_and_files_that_are_done_are_not_read_again():
    bucket = Bucket()
    files = [gzip.compress(f'"photos","{name}.jpg","5","e"\n'.encode()) for name in "abc"]
    inventory = open_inventory(bucket, bucket.write("CSV", "Bucket, Key, Size, ETag", *files))
    assert [(source.key, at) for source, at in inventory.objects()] == [
        ("a.jpg", "0:0"),
        ("b.jpg", "1:0"),
        ("c.jpg", "2:0"),
    ]
    bucket.read.clear()
    assert [source.key for source, _ in inventory.objects("1:0")] == ["c.jpg"]
    assert bucket.read == ["data/1", "data/2"]


@pytest.mark.parametrize(("file_format", "schema", "write"), FORMATS)
def test_a_large_file_is_read_in_small_pieces(file_format, schema, write):
    tags = random.Random(0)  # noqa: S311 - guards nothing
    rows = [{**row(f"{tags.getrandbits(256):x}.jpg"), "e_tag": f"{tags.getrandbits(128):x}"} for _ in range(60_000)]
    data = write(rows)
    bucket = Bucket()
    objects = open_inventory(bucket, bucket.write(file_format, schema, data)).objects()
    assert next(objects)[0].key == rows[0]["key"]
    assert bucket.opened.most < len(data) / 4
    assert sum(1 for _ in objects) == len(rows) - 1
    assert bucket.opened.most < len(data) / 4
    assert bucket.opened.closed


def test_a_file_without_lines_is_refused_before_it_fills_the_memory():
    bucket = Bucket()
    inventory = open_inventory(bucket, bucket.write("CSV", CSV_SCHEMA, gzip.compress(b"x" * (1 << 24), 1)))
    with pytest.raises(DamagedRecordError, match=r"data/0.*more than 65536 characters"):
        next(inventory.objects())
    assert bucket.opened.closed


def test_a_file_that_was_changed_is_refused():
    bucket = Bucket()
    inventory = open_inventory(bucket, bucket.write("CSV", CSV_SCHEMA, csv_file([row("a.jpg")])))
    bucket.objects["data/0"] = csv_file([row("b.jpg")])
    with pytest.raises(DamagedRecordError, match=r"data/0.*MD5"):
        list(inventory.objects())


@pytest.mark.parametrize(("file_format", "schema"), [("CSV", CSV_SCHEMA), ("Parquet", PARQUET_SCHEMA)])
@pytest.mark.parametrize("data", [b"", b"rubbish", gzip.compress(b'"photos","a.jpg"\n'), csv_file([row("a")])[:-9]])
def test_a_damaged_file_is_named(file_format, schema, data):
    bucket = Bucket()
    inventory = open_inventory(bucket, bucket.write(file_format, schema, data))
    if file_format == "CSV" and not data:
        assert list(inventory.objects()) == []
        return
    with pytest.raises(DamagedRecordError, match="data/0"):
        list(inventory.objects())


def test_a_size_that_is_none_is_named():
    bucket = Bucket()
    broken = csv_file([row("a.jpg"), {**row("b.jpg"), "size": "many"}])
    inventory = open_inventory(bucket, bucket.write("CSV", CSV_SCHEMA, broken))
    with pytest.raises(DamagedRecordError, match=r"data/0.*row 2"):
        list(inventory.objects())


def test_formats_and_columns_that_cannot_be_used_are_refused():
    bucket = Bucket()
    with pytest.raises(ConfigurationError, match="ORC"):
        open_inventory(bucket, bucket.write("ORC", "struct<bucket:string>"))
    with pytest.raises(ConfigurationError, match="etag"):
        open_inventory(bucket, bucket.write("CSV", "Bucket, Key, Size"))


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b"null", b'{"files": 3}', b"\xff"])
def test_what_is_no_manifest_is_refused(manifest):
    bucket = Bucket()
    bucket.objects["m.json"] = manifest
    with pytest.raises(ConfigurationError, match=r"m\.json"):
        open_inventory(bucket, "m.json")


def test_a_manifest_is_found_by_its_url():
    assert manifest_place("s3://lists/a/b/manifest.json") == (Place("lists", "a/b/"), "a/b/manifest.json")
    assert manifest_place("s3://lists/manifest.json") == (Place("lists"), "manifest.json")
    assert manifest_place("file:///lists/manifest.json") == (Place("file:///lists"), "manifest.json")
    for url in ("s3://lists", "s3://lists/", "manifest.json", "s3:///manifest.json"):
        with pytest.raises(ConfigurationError):
            manifest_place(url)
