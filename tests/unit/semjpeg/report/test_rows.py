from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec
from config.errors import DamagedRecordError, TooLargeError
from config.jobs import Job
from semjpeg.report.columns import COLUMNS
from semjpeg.report.reading import parse_record
from semjpeg.report.rows import MEASURES, STAGES, Row
from worker.records import failure_record

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_VALUES = st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


def test_a_finished_image_becomes_a_row(finished_record):
    row = Row.of(finished_record(something_new=[1, 2]))
    assert (row.status, row.run, row.bucket, row.key, row.etag) == ("done", "spring", "photos", "a/b.png", "0123abcd")
    assert (row.version, row.output, row.result) == (None, "s3://small/2024", "2024/a/b.png.jpg")
    assert row.finished == datetime(2026, 11, 22, 12, 36, 51, 159_000, UTC)
    assert row.finished.tzinfo is UTC
    assert (row.recipe_name, row.recipe) == ("archive", '{"quality": 75, "strength": 0.5}')
    assert (row.job, row.recipe_hash, row.model_hash, row.semjpeg) == ("77", "04bb", "6dae", "0.1.0")
    assert (row.format, row.width_px, row.height_px, row.kept_coefficients) == ("PNG", 40, 30, False)
    assert (row.bytes_in, row.bytes_out, row.bytes_libjpeg) == (1000, 250, 300)
    assert (row.psnr, row.psnr_s, row.psnr_hvs, row.psnr_hvs_m) == (35.5, 36.0, 38.25, 44.125)
    assert type(row.psnr_s) is float
    assert (row.ssim, row.ms_ssim, row.vifp, row.ssimulacra2) == (None, None, None, None)
    assert (row.fetch_s, row.encode_s, row.total_s, row.full_metrics_s) == (0.25, 1.5, 2.0, None)
    assert (row.code, row.reason, row.attempts) == (None, None, None)


def test_what_a_worker_writes_of_a_failure_becomes_a_row():
    recipe = {"name": "archive", "quality": 80}
    job = Job(run="r", bucket="b", key="k", etag="e", size=12, output="s3://out", recipe=recipe)
    row = Row.of(failure_record(job, TooLargeError("has 9 frames"), "ab" * 32, attempts=3))
    assert (row.status, row.code, row.reason, row.attempts, row.bytes_in) == (
        "failed",
        "too-large",
        "has 9 frames",
        3,
        12,
    )
    assert (row.result, row.bytes_out, row.psnr, row.total_s) == (None, None, None, None)


def test_older_records_have_fewer_measures_and_stages(finished_record):
    row = Row.of(finished_record(metrics={"ssim": 0.96}, seconds={}, bytes_libjpeg=None))
    assert (row.ssim, row.psnr, row.total_s, row.bytes_libjpeg) == (0.96, None, None, None)
    record = finished_record()
    for name in ("metrics", "seconds", "version", "kept_coefficients", "bytes_libjpeg"):
        del record[name]
    assert Row.of(record).psnr is None


def test_every_measure_and_stage_has_its_column(finished_record):
    measures = {name: i + 0.5 for i, name in enumerate(MEASURES)}
    stages = {name: i + 100.5 for i, name in enumerate(STAGES)}
    row = Row.of(finished_record(metrics=measures, seconds=stages))
    assert {name: getattr(row, name) for name in MEASURES} == measures
    assert {name: getattr(row, f"{name}_s") for name in STAGES} == stages
    assert {field.name for field in dataclasses.fields(codec.Metrics)} <= set(MEASURES)


def test_columns_are_those_of_a_row():
    fields = dataclasses.fields(Row)
    assert [field.name for field in fields] == list(COLUMNS)
    without = {field.name for field in fields if field.default is None}
    assert without | {"version"} == {name for name, column in COLUMNS.items() if column.nullable}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", 2),
        ("schema", None),
        ("status", "unchanged"),
        ("status", []),
        ("run", 5),
        ("key", None),
        ("version", 1),
        ("finished", "yesterday"),
        ("finished", "2026-11-22T13:36:51"),
        ("finished", "0001-01-01T00:00:00+05:00"),
        ("finished", 1763818611),
        ("recipe", "default"),
        ("recipe", {"quality": 75}),
        ("bytes_in", 0),
        ("bytes_in", -1),
        ("bytes_in", 10.0),
        ("bytes_in", True),
        ("bytes_in", 1 << 63),
        ("bytes_out", None),
        ("width_px", 0),
        ("bytes_libjpeg", "300"),
        ("kept_coefficients", 1),
        ("metrics", [1]),
        ("metrics", {"psnr": "high"}),
        ("metrics", {"vifp": float("nan")}),
        ("metrics", {"vifp": float("inf")}),
        ("metrics", {"vifp": 1e300}),
        ("metrics", {"ssim": True}),
        ("metrics", {"ssim": 1 << 70}),
        ("seconds", {"total": {}}),
    ],
)
def test_a_value_that_cannot_be_is_named(finished_record, field, value):
    named = next(iter(value)) if isinstance(value, dict) and value.keys() <= {*MEASURES, "total"} else field
    with pytest.raises(DamagedRecordError, match=named):
        Row.of(finished_record(**{field: value}))


@pytest.mark.parametrize("field", ["code", "reason"])
def test_a_failure_says_why(failed_record, field):
    with pytest.raises(DamagedRecordError, match=field):
        Row.of(failed_record(**{field: None}))


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"7", b"{", b'{"a": NaN}', b"\xff\xfe{\0}\0", b"[" * 100_000])
def test_what_is_no_record_is_refused(data):
    with pytest.raises(DamagedRecordError):
        parse_record(data)


def test_not_a_number_is_refused_where_nobody_looks_at_it(finished_record):
    with pytest.raises(DamagedRecordError, match="NaN"):
        parse_record(json.dumps(finished_record(something_new=float("nan"))).encode())


@given(field=st.sampled_from([*COLUMNS, "schema", "metrics", "seconds"]), value=_VALUES, failed=st.booleans())
def test_any_value_makes_a_row_or_a_clear_error(finished_record, failed_record, field, value, failed):
    record = {**(failed_record if failed else finished_record)(), field: value}
    try:
        row = Row.of(record)
    except DamagedRecordError:
        return
    assert isinstance(row.key, str)
    assert type(row.bytes_in) is int


@given(st.binary())
def test_any_bytes_make_a_clear_error(data):
    with pytest.raises(DamagedRecordError):
        parse_record(data)


@pytest.mark.parametrize("name", ["odd \udcff\udc80.jpg", "日本 ü.jpg", "new\nline.jpg"])
def test_odd_names_come_back(finished_record, name):
    raw = json.dumps(finished_record(name), ensure_ascii=False).encode("utf-8", "surrogateescape")
    assert parse_record(raw).key == name
    assert parse_record(json.dumps(finished_record(name)).encode()).key == name
