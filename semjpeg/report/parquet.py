"""Rows as a Parquet file, and back."""

from __future__ import annotations

import json
import re
from contextlib import closing, contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from config.errors import ConfigurationError
from semjpeg.report.columns import COLUMNS
from semjpeg.report.reading import Unreadable
from semjpeg.report.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from semjpeg.report.outputs import Output
    from semjpeg.report.summary import Summary

_GROUP_ROWS: Final = 10_000
"""Rows of a row group: so many are in memory at a time, some 20 MB."""

_SUMMARY: Final = b"semjpeg.report"
"""Entry of the file's metadata, JSON: what rows do not tell."""

_LONE: Final = re.compile("[\ud800-\udfff]")
_ESCAPED: Final = re.compile(r"\\u(d[89a-f][0-9a-f]{2}|005c)")
_LIKE_ESCAPED: Final = re.compile(r"\\(?=u(?:d[89a-f][0-9a-f]{2}|005c))")

_values_of = attrgetter(*COLUMNS)


class TableWriter:
    """Writes rows as they come, a row group at a time."""

    def __init__(self, path: Path) -> None:
        from pyarrow.parquet import ParquetWriter

        dictionary = [name for name, column in COLUMNS.items() if column.kind == "category"]
        self._schema = table_schema()
        self._writer = ParquetWriter(path, self._schema, compression="zstd", use_dictionary=dictionary)
        self._rows: list[tuple[Any, ...]] = []

    def add(self, row: Row) -> None:
        """Take a row."""
        self._rows.append(_values_of(row))
        if len(self._rows) == _GROUP_ROWS:
            self._write_group()

    def finish(self, summary: Summary) -> None:
        """Write what is left, and in the end what the summary of the rows says of records that could not be read."""
        if self._rows:
            self._write_group()
        told = {"title": summary.title, "unreadable": summary.unreadable, "unreadable_count": summary.unreadable_count}
        self._writer.add_key_value_metadata({_SUMMARY: json.dumps(told).encode()})

    def close(self) -> None:
        """Close the file, finished or not."""
        self._writer.close()

    def _write_group(self) -> None:
        import pyarrow as pa

        arrays = [
            pa.array(
                [_storable(value) for value in values] if _is_text(name) else values, self._schema.field(name).type
            )
            for name, values in zip(COLUMNS, zip(*self._rows, strict=True), strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()


@contextmanager
def writing(output: Output) -> Iterator[TableWriter]:
    """Write a table whole or not at all: it stands in its place when the context is left without an error."""
    with output.spooled("application/vnd.apache.parquet") as spool, closing(TableWriter(spool)) as writer:
        yield writer


def table_schema() -> Any:
    """Return the Arrow schema; each field tells its unit and its meaning as metadata."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "category": pa.string(),
        "time": pa.timestamp("ms", tz="UTC"),
        "whole": pa.int64(),
        "number": pa.float64(),
        "truth": pa.bool_(),
    }
    return pa.schema(
        pa.field(name, types[column.kind], column.nullable, {"unit": column.unit, "description": column.meaning})
        for name, column in COLUMNS.items()
    )


def read_table(path: Path) -> Iterator[Row | Unreadable]:
    """Yield what a `TableWriter` wrote.

    Raises:
        ConfigurationError: The file is no such table.
    """
    with _opened(path) as file:
        for i in range(file.num_row_groups):  # `iter_batches` keeps all of the file's bytes until its end
            group = file.read_row_group(i, columns=list(COLUMNS))
            columns = (_read_column(name, group.column(name)) for name in COLUMNS)
            for values in zip(*columns, strict=True):
                yield Row(*values)
        told = _told(file)
    unnamed = told["unreadable_count"] - len(told["unreadable"])
    for key, reason in told["unreadable"]:
        yield Unreadable(key, reason, 1 + unnamed)
        unnamed = 0


def table_title(path: Path) -> str:
    """Return the title of the summary with which a table was written.

    Raises:
        ConfigurationError: The file is no such table.
    """
    with _opened(path) as file:
        return str(_told(file)["title"])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a table that has our columns."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            _check(file, path)
            yield file
    except (pa.ArrowException, OSError) as error:
        raise ConfigurationError(f"{path} cannot be read as a Parquet file: {error}") from error


def _check(file: Any, path: Path) -> None:
    """See that a file has our columns and our entry."""
    schema = file.schema_arrow
    for field in table_schema():
        if field.name not in schema.names or not schema.field(field.name).equals(field):
            raise ConfigurationError(
                f"{path} has no column {field.name} of {field.type}: semjpeg report did not write it"
            )
    if _SUMMARY not in (file.metadata.metadata or {}):
        raise ConfigurationError(f"{path} was not written by semjpeg report, or was changed since")


def _told(file: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(file.metadata.metadata[_SUMMARY])
    return told


def _read_column(name: str, column: Any) -> Sequence[Any]:
    from pyarrow import compute

    if COLUMNS[name].kind == "number" and compute.all(compute.is_finite(column)).as_py() is False:
        raise ConfigurationError(f"the column {name} holds values that are no numbers: semjpeg report did not write it")
    values: list[Any] = column.to_pylist()
    return [_restored(value) for value in values] if _is_text(name) else values


def _is_text(name: str) -> bool:
    return COLUMNS[name].kind in ("string", "category")


def _storable(text: str | None) -> str | None:
    r"""Write odd bytes of a file's name, which Parquet's text cannot hold, as `\udcff`, and tell what looks like it."""
    if text is None or (text.isascii() and "\\u" not in text):
        return text
    return _LONE.sub(lambda found: f"\\u{ord(found[0]):04x}", _LIKE_ESCAPED.sub(r"\\u005c", text))


def _restored(text: str | None) -> str | None:
    if text is None or "\\u" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
