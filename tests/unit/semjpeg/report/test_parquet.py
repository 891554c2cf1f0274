from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from config.errors import ConfigurationError
from semjpeg.report.collecting import Collector
from semjpeg.report.columns import COLUMNS
from semjpeg.report.outputs import LocalFile
from semjpeg.report.parquet import _GROUP_ROWS, _restored, _storable, read_table, table_schema, table_title, writing
from semjpeg.report.reading import Unreadable
from semjpeg.report.rows import MEASURES, Row
from semjpeg.report.summary import Summary

DOCUMENT = (Path(__file__).parents[4] / "docs/reports.md").read_text()
_TEXTS = st.text(st.characters(exclude_categories=())) | st.text("\\u05cdf\udcff", max_size=12)


def summarise(items, title: str = "spring") -> Summary:
    collector = Collector(5)
    for item in items:
        if isinstance(item, Unreadable):
            collector.add_unreadable(item)
        else:
            collector.add(item)
    return collector.summary(title)


def write(path: Path, items) -> Summary:
    summary = summarise(items)
    with writing(LocalFile(path)) as writer:
        for item in items:
            if isinstance(item, Row):
                writer.add(item)
        writer.finish(summary)
    return summary


@pytest.fixture(scope="module")
def rows(finished_record, failed_record):
    finished = [
        Row.of(finished_record(f"{i}.png", metrics={name: 1 / (i + n) for n, name in enumerate(MEASURES) if i % 3}))
        for i in range(40)
    ]
    odd = [Row.of(finished_record("odd \udcff\\udcff ü.jpg")), Row.of(finished_record("日本\\u005c", version="v1"))]
    return [*finished, *odd, *(Row.of(failed_record(f"{i}.gif", reason="ends \udc80")) for i in range(3))]


def test_a_table_gives_the_same_rows_and_the_same_summary(rows, tmp_path):
    items = [*rows, *(Unreadable(f"{i:02} \udcff", "is no JSON") for i in range(25))]
    summary = write(tmp_path / "t.parquet", items)
    read_back = list(read_table(tmp_path / "t.parquet"))
    assert [item for item in read_back if isinstance(item, Row)] == rows
    assert summarise(read_back, table_title(tmp_path / "t.parquet")) == summary
    assert summary.unreadable_count == 25


def test_row_groups_are_bounded_and_none_is_lost(finished_record, tmp_path):
    row = Row.of(finished_record())
    count = 2 * _GROUP_ROWS + 1
    write(tmp_path / "t.parquet", [dataclasses.replace(row, key=f"{i}") for i in range(count)])
    file = parquet.ParquetFile(tmp_path / "t.parquet")
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    assert sizes == [_GROUP_ROWS, _GROUP_ROWS, 1]
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert [row.key for row in read_table(tmp_path / "t.parquet")] == [f"{i}" for i in range(count)]


def test_other_programs_can_read_it(rows, tmp_path):
    write(tmp_path / "t.parquet", rows)
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table.column_names == list(COLUMNS)
    assert table.schema.field("finished").type == pa.timestamp("ms", tz="UTC")
    assert table.column("finished")[0].as_py() == rows[0].finished
    assert table.column("key")[40].as_py() == "odd \\udcff\\u005cudcff ü.jpg"
    assert sum(x or 0 for x in table.column("bytes_out").to_pylist()) == sum(row.bytes_out or 0 for row in rows)
    for field in table.schema:
        assert field.metadata[b"unit"].decode() == COLUMNS[field.name].unit
        assert field.metadata[b"description"].decode() == COLUMNS[field.name].meaning


def test_no_rows_are_a_table_too(tmp_path):
    assert write(tmp_path / "t.parquet", []) == summarise(read_table(tmp_path / "t.parquet"))


def test_a_table_that_is_not_finished_leaves_nothing(rows, tmp_path):
    (tmp_path / "t.parquet").write_text("of an earlier report")

    def stop() -> None:
        with writing(LocalFile(tmp_path / "t.parquet")) as writer:
            writer.add(rows[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
    assert (tmp_path / "t.parquet").read_text() == "of an earlier report"


@given(_TEXTS)
def test_any_text_can_be_stored_and_comes_back(text):
    stored = _storable(text)
    assert stored.encode().decode() == stored
    assert _restored(stored) == text


@given(st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: "\\u" not in text))
def test_ordinary_text_is_stored_as_it_is(text):
    assert _storable(text) == text


def test_what_is_no_table_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 but not really PAR1")
    with pytest.raises(ConfigurationError, match="Parquet"):
        list(read_table(path))
    parquet.write_table(pa.table({"key": ["a"]}), path)
    with pytest.raises(ConfigurationError, match="column status"):
        list(read_table(path))


def test_a_changed_table_is_refused(rows, tmp_path):
    path = tmp_path / "t.parquet"
    write(path, rows)
    table = parquet.read_table(path)
    parquet.write_table(table.cast(table_schema().remove_metadata()), path)
    with pytest.raises(ConfigurationError, match="not written by semjpeg report"):
        list(read_table(path))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused(rows, tmp_path, value):
    with writing(LocalFile(tmp_path / "t.parquet")) as writer:
        writer.add(dataclasses.replace(rows[0], psnr=value))
        writer.finish(summarise(rows))
    with pytest.raises(ConfigurationError, match="psnr"):
        list(read_table(tmp_path / "t.parquet"))


def test_every_column_is_documented_with_its_unit():
    lines = dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) \|", DOCUMENT, re.MULTILINE))
    assert {name: lines.get(name) for name in COLUMNS} == {name: column.unit for name, column in COLUMNS.items()}
