"""S3 Inventory: the lists of a bucket's objects that the store itself writes every day, for buckets too large to list.

A manifest names data files, which are read one at a time. The position in an inventory is `file:row`, both from nought.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TextIO
from urllib.parse import unquote_plus

from config.errors import ConfigurationError, DamagedRecordError
from config.objects import ObjectVersion
from config.places import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from storage.base import ObjectStore

MAX_MANIFEST_BYTES: Final = 64 << 20
MAX_FILE_BYTES: Final = 5 << 30
"""Of one data file, of which one at a time is kept on disk: what S3 lets anyone, itself included, write in one go."""

_ROWS: Final = 5_000
"""Rows of a Parquet file that are unpacked at a time."""
_BUFFER_BYTES: Final = 1 << 18
"""Of each of its columns so much is read at a time; Arrow would read the whole group of rows at once."""
_LONGEST_LINE: Final = 1 << 16
"""Characters of a CSV file's line. A key has at most 1024 bytes; what has no lines at all is no inventory."""
_NEEDED: Final = ("key", "size", "etag")
_VERSIONS: Final = ("islatest", "isdeletemarker")
_PARQUET_COLUMN: Final = re.compile(r"(?:required|optional)\s+\w+(?:\(\d+\))?\s+(\w+)")
_DAMAGED: Final = (OSError, EOFError, UnicodeError, ValueError, KeyError, IndexError, TypeError, zlib.error, csv.Error)


@dataclass(frozen=True, slots=True)
class DataFile:
    """One of the files that an inventory consists of."""

    key: str
    md5: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a manifest says.

    Attributes:
        store: The bucket that holds manifest and data files.
        source_bucket: The bucket that is described.
        file_format: `CSV` or `Parquet`.
        columns: The position of each column, or its name in a Parquet file, by its name in small letters without `_`.
        files: In the order in which they are read.
    """

    store: ObjectStore
    source_bucket: str
    file_format: str
    columns: Mapping[str, int | str]
    files: tuple[DataFile, ...]

    def objects(self, position: str = "") -> Iterator[tuple[ObjectVersion, str]]:
        """Yield the newest version of every object after a position, each with its own position.

        Raises:
            DamagedRecordError: A data file is none, or not the one that the manifest means.
            SemjpegError: As `ObjectStore.get`.
        """
        first, after = _parse_position(position)
        for number, file in enumerate(self.files[first:], first):
            rows = self._rows(file)
            for row, cells in enumerate(rows):
                if number == first and row <= after:
                    continue
                source = self._object(cells, file, row)
                if source:
                    yield source, f"{number}:{row}"

    def _rows(self, file: DataFile) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of a data file, by the columns' names, a few in memory at a time."""
        read = self._csv_rows if self.file_format == "CSV" else self._parquet_rows
        with self.store.open(file.key, max_bytes=MAX_FILE_BYTES) as data:
            found = hashlib.file_digest(data, _md5).hexdigest()  # type: ignore[arg-type]  # it has readinto
            if file.md5 and found != file.md5.lower():
                raise DamagedRecordError(
                    f"{file.key!r} has the MD5 {found}, and the inventory's manifest says {file.md5}"
                )
            data.seek(0)
            try:
                yield from read(data)
            except _DAMAGED as error:
                raise DamagedRecordError(
                    f"{file.key!r} is no {self.file_format} file of an inventory: {error}"
                ) from error

    def _csv_rows(self, data: BinaryIO) -> Iterator[Mapping[str, Any]]:
        with gzip.open(data, "rt", encoding="utf-8", newline="") as text:
            for cells in csv.reader(_lines(text)):
                row = {name: cells[int(at)] for name, at in self.columns.items()}
                row["key"] = unquote_plus(row["key"], errors="strict")
                yield row

    def _parquet_rows(self, data: BinaryIO) -> Iterator[Mapping[str, Any]]:
        from pyarrow import parquet

        file = parquet.ParquetFile(data, pre_buffer=False, buffer_size=_BUFFER_BYTES)
        names = {str(stored): name for name, stored in self.columns.items()}
        for batch in file.iter_batches(batch_size=_ROWS, columns=list(names)):
            for row in batch.to_pylist():
                yield {names[stored]: value for stored, value in row.items()}

    def _object(self, row: Mapping[str, Any], file: DataFile, number: int) -> ObjectVersion | None:
        """Return what a row describes; nothing if that is an older version or the mark of a deletion.

        The version's id is left out, as it is in a listing: a job is the same whichever way its object was found.
        """
        if not _is_true(row.get("islatest", True)) or _is_true(row.get("isdeletemarker", False)):
            return None
        try:
            return ObjectVersion(str(row["key"]), str(row["etag"]).strip('"'), int(row["size"]))
        except (TypeError, ValueError) as error:
            raise DamagedRecordError(f"{file.key!r}, row {number + 1}: {error}") from error


def open_inventory(store: ObjectStore, key: str) -> Inventory:
    """Read a manifest.

    Args:
        store: The bucket that the inventory was written to.
        key: The manifest's whole key.

    Raises:
        ConfigurationError: It is no manifest, its format cannot be read, or it lacks a column that is needed.
        ObjectMissingError: It does not exist.
        SemjpegError: As `ObjectStore.get`.
    """
    try:
        manifest = json.loads(store.get(key, max_bytes=MAX_MANIFEST_BYTES))
        file_format, schema = str(manifest["fileFormat"]), str(manifest["fileSchema"])
        source_bucket = str(manifest["sourceBucket"])
        files = tuple(DataFile(str(file["key"]), str(file.get("MD5checksum", ""))) for file in manifest["files"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{key!r} is no manifest of an S3 inventory: {error!r}") from error
    if file_format not in {"CSV", "Parquet"}:
        raise ConfigurationError(f"the inventory {key!r} is in the format {file_format}; CSV and Parquet can be read")
    columns = _columns(file_format, schema)
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise ConfigurationError(f"the inventory {key!r} lacks {', '.join(missing)}; let the store write it with them")
    return Inventory(store, source_bucket, file_format, columns, files)


def manifest_place(url: str) -> tuple[Place, str]:
    """Split a manifest's URL into its place and its whole key.

    Raises:
        ConfigurationError: It is not the URL of an object.
    """
    folder, _, name = url.rpartition("/")
    if not name or folder.endswith("/"):
        raise ConfigurationError(f"{url!r} is no manifest: expected s3://bucket/…/manifest.json")
    place = Place.parse(folder)
    return place, f"{place.prefix}{name}"


def _columns(file_format: str, schema: str) -> dict[str, int | str]:
    """Find the columns that count in a manifest's schema, which each format writes in its own way."""
    found: dict[str, int | str]
    if file_format == "CSV":
        found = {_plain(name): at for at, name in enumerate(schema.split(","))}
    else:
        found = {_plain(name): name for name in _PARQUET_COLUMN.findall(schema)}
    return {name: at for name, at in found.items() if name in {*_NEEDED, *_VERSIONS}}


def _plain(name: str) -> str:
    return name.strip().replace("_", "").lower()


def _lines(text: TextIO) -> Iterator[str]:
    while line := text.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE and not line.endswith("\n"):
            raise ValueError(f"a line has more than {_LONGEST_LINE} characters")
        yield line


def _md5() -> Any:
    """Return a hash that tells damage and guards nothing."""
    return hashlib.md5(usedforsecurity=False)


def _is_true(value: object) -> bool:
    return value is True or str(value).strip().lower() == "true"


def _parse_position(position: str) -> tuple[int, int]:
    """Return the file, and the last row of it that is done."""
    if not position:
        return 0, -1
    file, _, row = position.partition(":")
    return int(file), int(row)
