from __future__ import annotations

import threading
from pathlib import Path

import pytest

from config.errors import ConfigurationError, ForbiddenError, ObjectChangedError, StorageUnavailableError
from config.places import MAX_RECORD_BYTES
from semjpeg.report.reading import Unreadable, read_records
from semjpeg.report.rows import Row
from storage.local import LocalStore


class TroubledStore(LocalStore):
    """A folder of which some keys make trouble."""

    def __init__(self, root: Path, trouble: dict[str, list[Exception]]) -> None:
        super().__init__(root)
        self.trouble = trouble
        self.reading = self.most_reading = 0
        self._lock = threading.Lock()

    def get(self, key: str, *, max_bytes: int, etag: str | None = None) -> bytes:
        with self._lock:
            self.reading += 1
            self.most_reading = max(self.most_reading, self.reading)
            errors = self.trouble.get(key, [])
            error = errors.pop(0) if errors else None
        try:
            if error is not None:
                raise error
            return super().get(key, max_bytes=max_bytes, etag=etag)
        finally:
            with self._lock:
                self.reading -= 1


def read(place: Path, prefix: str = "", threads: int = 1) -> list[Row | Unreadable]:
    return list(read_records(LocalStore(place), prefix, threads))


@pytest.mark.parametrize("threads", [1, 4])
def test_all_records_of_a_place_are_read(write_records, finished_record, failed_record, threads):
    records = [finished_record(f"a/{i:03}.png") for i in range(50)] + [failed_record(f"f{i}.png") for i in range(5)]
    place = write_records(*records)
    rows = read(place, threads=threads)
    assert [(row.status, row.key) for row in rows] == [(r["status"], r["key"]) for r in records]


def test_only_the_records_of_the_place_are_read(write_records, finished_record):
    place = write_records(finished_record("in"), place="bucket/2024")
    write_records(finished_record("beside"), place="bucket/2024-old")
    (place / "picture.json").write_text("{}")
    (place / ".semjpeg/metrics/picture.txt").write_text("{}")
    assert [row.key for row in read(place.parent, "2024/")] == ["in"]


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(write_records, finished_record):
    place = write_records(finished_record("a"), finished_record("h"), {**finished_record("g"), "bytes_out": None})
    folder = place / ".semjpeg/metrics"
    (folder / "b.json").write_bytes(b"")
    (folder / "c.json").write_bytes(b"\xff\xd8\xff\xe0")
    (folder / "d.json").write_text("[1, 2]")
    with (folder / "e.json").open("wb") as file:
        file.truncate(1 << 40)
    (folder / "f.json").write_bytes(b"[" * (MAX_RECORD_BYTES - 1))
    read_back = read(place)
    assert [item.key for item in read_back if isinstance(item, Row)] == ["a", "h"]
    reasons = {item.key: item.reason for item in read_back if isinstance(item, Unreadable)}
    assert list(reasons) == [f".semjpeg/metrics/{name}.json" for name in "bcdefg"]
    assert "more than the limit" in reasons[".semjpeg/metrics/e.json"]
    assert "bytes_out" in reasons[".semjpeg/metrics/g.json"]


def test_odd_names_are_read(write_records, finished_record):
    name = "odd \udcff ü\n.jpg"
    assert [row.key for row in read(write_records(finished_record(name)))] == [name]


@pytest.mark.parametrize(
    ("failed_at", "finished_at", "counted"),
    [("10:00", "11:00", ["done"]), ("10:00", "10:00", ["done"]), ("11:00", "10:00", ["done", "failed"])],
)
def test_a_failure_is_over_when_the_image_was_finished_later(
    write_records, finished_record, failed_record, failed_at, finished_at, counted
):
    place = write_records(
        finished_record("a/x.png", finished=f"2026-11-22T{finished_at}:00+00:00"),
        failed_record("a/x.png", finished=f"2026-11-22T{failed_at}:00+00:00"),
    )
    assert [row.status for row in read(place)] == counted


def test_a_failure_stands_beside_a_record_that_cannot_be_read(write_records, failed_record):
    place = write_records(failed_record("x.png"))
    (place / ".semjpeg/metrics").mkdir()
    (place / ".semjpeg/metrics/x.png.json").write_text("{")
    assert [type(item) for item in read(place)] == [Unreadable, Row]


@pytest.mark.parametrize("threads", [1, 3])
def test_troubles_with_single_records(write_records, finished_record, threads):
    place = write_records(*(finished_record(name) for name in ("changing", "gone", "restless", "secret", "sound")))
    trouble = {
        "changing": [ObjectChangedError("x")],
        "restless": [ObjectChangedError("x")] * 9,
        "secret": [ForbiddenError("not for you")],
    }
    store = TroubledStore(place, {f".semjpeg/metrics/{name}.json": errors for name, errors in trouble.items()})
    seen = []
    for item in read_records(store, "", threads):
        seen.append(item)
        (place / ".semjpeg/metrics/gone.json").unlink(missing_ok=True)
    expected = ["changing", ".semjpeg/metrics/restless.json", ".semjpeg/metrics/secret.json", "sound"]
    assert [item.key for item in seen if item.key != "gone"] == expected
    assert [item.reason for item in seen if isinstance(item, Unreadable)][1] == "not for you"
    if threads == 1:
        assert len(seen) == 4


@pytest.mark.parametrize("error", [StorageUnavailableError("away"), ConfigurationError("no credentials")])
@pytest.mark.parametrize("threads", [1, 4])
def test_a_store_that_is_away_stops_the_reading(write_records, finished_record, error, threads):
    place = write_records(*(finished_record(f"{i}") for i in range(9)))
    store = TroubledStore(place, {".semjpeg/metrics/5.json": [error]})
    with pytest.raises(type(error), match=str(error)):
        list(read_records(store, "", threads))


def test_few_records_are_on_their_way_at_a_time(write_records, finished_record):
    place = write_records(*(finished_record(f"{i:03}") for i in range(200)))
    store = TroubledStore(place, {})
    asked: list[str] = []
    get = store.get

    def noting(key: str, *, max_bytes: int, etag: str | None = None) -> bytes:
        asked.append(key)
        return get(key, max_bytes=max_bytes, etag=etag)

    store.get = noting  # type: ignore[method-assign]
    records = read_records(store, "", 4)
    next(records)
    assert len(asked) <= 17
    assert len(list(records)) == 199
    assert store.most_reading <= 4
