from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.jobs import Job
from config.objects import ObjectVersion
from config.recipes import Recipe, Route
from producer.reconcile import Check, Reconciler, State, by_result
from storage.local import LocalStore

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HASH = "0" * 64
ROUTE = Route(source="s3://in/photos", output="s3://out/small")
FAILED = "small/.semjpeg/failed/"
DAY = timedelta(days=1)


@dataclass
class Bucket:
    """A bucket in memory, in the order of a store; it counts what it is asked."""

    objects: dict[str, ObjectVersion] = field(default_factory=dict)
    heads: int = 0
    gets: int = 0
    listed: int = 0

    def add(self, key: str, modified: datetime = NOON, **more) -> ObjectVersion:
        self.objects[key] = ObjectVersion(key, more.pop("etag", "e"), 1, modified=modified, **more)
        return self.objects[key]

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectVersion]:
        for key in sorted(self.objects, key=lambda key: key.encode("utf-8", "surrogatepass")):
            if key.startswith(prefix) and key > start_after:
                self.listed += 1
                yield replace(self.objects[key], metadata={}, version=None)

    def head(self, key: str) -> ObjectVersion | None:
        self.heads += 1
        return self.objects.get(key)

    def get(self, key: str, *, max_bytes: int) -> bytes:
        """Return the record of a failure of the version that the object's own tag names."""
        self.gets += 1
        content = json.dumps({"etag": self.objects[key].etag}).encode()
        assert len(content) <= max_bytes
        return content


@dataclass
class Places:
    source: Bucket = field(default_factory=Bucket)
    output: Bucket = field(default_factory=Bucket)
    route: Route = ROUTE

    def reconciler(self, *, recipe: Recipe | None = None, **check_options) -> Reconciler:
        check = Check(**{"model_hash": HASH, "deadline_s": 300, **check_options})
        return Reconciler(self.source, self.output, self.route, recipe or Recipe(), "run", check)

    def states(self, **options) -> dict[str, State]:
        return {verdict.key: verdict.state for verdict in self.reconciler(**options).verdicts()}

    def result(self, name: str, modified: datetime, made_from: ObjectVersion, model_hash: str = HASH) -> None:
        job = Job.of(self.route, Recipe(), made_from, run="earlier")
        self.output.add(f"small/{name}.jpg", modified, metadata={"semjpeg-job": job.identity(model_hash)})


@pytest.fixture
def places() -> Places:
    return Places()


PIECES = st.sampled_from(
    ["a", "b", ".png", ".jpg", ".jpg.jpg", "-", " ", "/", ".", "ü", "\U0001f600", ".jpeg", "+", "%"]
)
NAMES = st.lists(PIECES, min_size=1, max_size=6).map("".join)


@given(st.sets(NAMES, max_size=40))
def test_sources_come_in_the_order_of_their_results(names):
    ordered = list(by_result(iter([ObjectVersion(f"p/{name}", "e", 1) for name in sorted(names)]), "p/"))
    assert [name for name, _ in ordered] == sorted(names, key=lambda name: f"{name}.jpg")
    assert all(source.key == f"p/{name}" for name, source in ordered)


def test_no_more_sources_wait_than_a_name_has_characters():
    taken = 0

    def listing() -> Iterator[ObjectVersion]:
        nonlocal taken
        for number, name in enumerate(sorted(["x.png", *(f"x.png-{n:05}.png" for n in range(5000)), "y.png"])):
            taken = number + 1
            yield ObjectVersion(name, "e", 1)

    most = 0
    for yielded, (name, _) in enumerate(by_result(listing(), "")):
        most = max(most, taken - yielded)
        last = name
    assert most <= 4
    assert last == "y.png"


STATES = st.sampled_from(
    [
        "right",
        "right-late",
        "missing",
        "stale",
        "stale-late",
        "failed",
        "failed-soon",
        "failed-before",
        "failed-long-ago",
        "orphan",
    ]
)


@given(st.dictionaries(NAMES.map(lambda name: f"{name}x.png"), STATES, max_size=25), st.integers(0, 24))
@example({"ax.png": "right", "ax.png-x.png": "orphan", "ax.png/x.png": "missing"}, 0)
@example({"a.png": "right", "a.png.jpg": "missing"}, 0)
@example({"ax.png": "missing", "ax.png-x.png": "right", "ax.png-x.png-x.png": "orphan", "b.png": "stale"}, 0)
@settings(max_examples=200)
def test_exactly_what_is_wrong_is_found_wherever_one_goes_on(wanted, cut):
    places = Places()
    for name, state in wanted.items():
        old, new = ObjectVersion(f"photos/{name}", "old", 1), ObjectVersion(f"photos/{name}", "new", 1)
        if state != "orphan":
            places.source.add(new.key, NOON, etag="new")
        if state == "right":
            places.output.add(f"small/{name}.jpg", NOON + DAY)
        elif state in {"right-late", "orphan"}:
            places.result(name, NOON + timedelta(seconds=9), new)
        elif state in {"stale", "stale-late"}:
            places.result(name, NOON + timedelta(seconds=9 if state == "stale-late" else -9), old)
        elif state in {"failed", "failed-long-ago"}:
            places.output.add(f"{FAILED}{name}.json", NOON + (DAY if state == "failed" else -DAY), etag="who knows")
        elif state in {"failed-soon", "failed-before"}:
            places.output.add(f"{FAILED}{name}.json", NOON, etag="new" if state == "failed-soon" else "old")
        places.output.add(f"small/.semjpeg/metrics/{name}.json", NOON)
    expected = {
        f"small/{name}.jpg" if state == "orphan" else f"photos/{name}": {
            "right-late": State.RIGHT,
            "stale-late": State.STALE,
            "failed-soon": State.FAILED,
            "failed-before": State.MISSING,
            "failed-long-ago": State.MISSING,
        }.get(state, state)
        for name, state in wanted.items()
    }
    assert places.states() == expected
    verdicts = list(places.reconciler().verdicts())
    for known, verdict in enumerate(verdicts[cut : cut + 1], cut):
        assert list(places.reconciler().verdicts(verdict.position)) == verdicts[known + 1 :]
    jobs = [verdict.job for verdict in verdicts if verdict.job]
    assert sorted(job.key for job in jobs) == sorted(
        key for key, state in expected.items() if state in {State.MISSING, State.STALE, State.FAILED}
    )
    assert all((job.etag, job.run) == ("new", "run") for job in jobs)


def test_what_was_written_long_after_its_source_costs_no_request_of_its_own(places):
    for number in range(50):
        source = places.source.add(f"photos/{number}.png")
        places.result(f"{number}.png", NOON + DAY, source)
        places.output.add(f"small/.semjpeg/metrics/{number}.png.json")
    assert set(places.states().values()) == {State.RIGHT}
    assert places.output.heads == 0
    assert places.output.listed == 51  # of the records only the first
    assert set(places.states(deep=True).values()) == {State.RIGHT}
    assert places.output.heads == 50


def test_what_was_settled_before_costs_no_request_of_its_own(places):
    for name, source_at, result_at in (("a", -2, -1), ("b", -2, 1), ("c", 1, -1), ("d", 0, -1)):
        source = places.source.add(f"photos/{name}.png", NOON + timedelta(seconds=source_at))
        places.result(f"{name}.png", NOON + timedelta(seconds=result_at), source, model_hash="1" * 64)
    expected = {f"photos/{name}.png": State.STALE for name in "bcd"} | {"photos/a.png": State.RIGHT}
    assert places.states(settled=NOON) == expected
    assert places.output.heads == 3
    assert places.states(settled=NOON, deep=True) == expected
    places.output.objects.clear()
    assert set(places.states(settled=NOON + DAY).values()) == {State.MISSING}


def test_a_wrong_result_is_told_from_none_even_where_its_failure_is_on_record(places):
    places.result("a.png", NOON - DAY, replace(places.source.add("photos/a.png"), etag="old"))
    places.source.add("photos/b.png")
    for name in "ab":
        places.output.add(f"{FAILED}{name}.png.json")
    found = [(verdict.state, verdict.outdated) for verdict in places.reconciler().verdicts()]
    assert found == [(State.FAILED, True), (State.FAILED, False)]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"etag": null}', b"\xff"])
def test_a_damaged_record_says_nothing_about_a_source(places, content, monkeypatch):
    places.source.add("photos/a.png")
    places.output.add(f"{FAILED}a.png.json")
    monkeypatch.setattr(places.output, "get", lambda _, **__: content)
    [verdict] = places.reconciler().verdicts()
    assert (verdict.state, verdict.outdated) == (State.MISSING, True)


def test_the_record_of_a_failure_is_read_only_where_the_dates_leave_it_open(places):
    for number, (seconds, state) in enumerate([(-1, State.MISSING), (0, State.FAILED), (9, State.FAILED)]):
        places.source.add(f"photos/{number}.png", etag="new")
        places.output.add(f"{FAILED}{number}.png.json", NOON + timedelta(seconds=seconds), etag="new")
        assert places.states()[f"photos/{number}.png"] == state
    assert places.output.gets == 0 + 1 + 2
    places.output.gets = 0
    assert list(places.states(settled=NOON + timedelta(seconds=5)).values()).count(State.FAILED) == 2
    assert places.output.gets == 1
    places.source.add("photos/9.png", etag="new")
    places.output.add(f"{FAILED}9.png.json", NOON + DAY)
    assert places.states(settled=NOON + DAY + DAY)["photos/9.png"] == State.FAILED
    assert places.output.gets == 1


def test_results_of_another_network_or_recipe_are_found_by_a_deep_look(places):
    source = places.source.add("photos/a.png")
    places.result("a.png", NOON + DAY, source)
    assert places.states(model_hash="1" * 64) == {"photos/a.png": State.RIGHT}
    assert places.states(deep=True, model_hash="1" * 64) == {"photos/a.png": State.STALE}
    assert places.states(deep=True, recipe=Recipe(quality=20)) == {"photos/a.png": State.STALE}


def test_a_result_that_is_older_than_its_source_may_be_of_the_same_bytes(places):
    source = places.source.add("photos/a.png", NOON + DAY)
    places.result("a.png", NOON, source)
    assert places.states() == {"photos/a.png": State.RIGHT}


def test_a_result_is_told_by_its_content_whatever_the_versions_id(places):
    source = places.source.add("photos/a.png", version="v2")
    for version in ("v2", "v1", None):
        places.result("a.png", NOON + timedelta(seconds=1), replace(source, version=version))
        assert places.states() == {"photos/a.png": State.RIGHT}
    places.result("a.png", NOON + timedelta(seconds=1), replace(source, etag="another"))
    assert places.states() == {"photos/a.png": State.STALE}


def test_what_is_neither_a_source_nor_a_result_is_left_alone(places):
    for key in ("notes.txt", "a/.semjpeg/maps/x.png", "noextension"):
        places.source.add(f"photos/{key}")
    places.source.add("elsewhere/a.png")
    for key in ("readme.txt", "holiday.jpg", "b/.semjpeg/maps/y.png.jpg", ".semjpeg/maps/y.png"):
        places.output.add(f"small/{key}")
    places.output.add("other/z.png.jpg")
    assert places.states() == {}


def test_a_key_that_no_job_can_have_stops_nothing(places):
    places.source.add(f"photos/{'a' * 1100}.png")
    places.source.add("photos/b.png")
    assert [(v.key[-5:], bool(v.job)) for v in places.reconciler().verdicts()] == [("a.png", False), ("b.png", True)]


def test_folders_are_reconciled(tmp_path):
    source, output = LocalStore(tmp_path / "in"), LocalStore(tmp_path / "out")
    route = Route(source=f"file://{tmp_path}/in", output=f"file://{tmp_path}/out")
    for name in ("a.png", "a.png-1/b.png", "c/d.png"):
        source.put(name, b"x", content_type="")
    found = source.head("a.png-1/b.png")
    job = Job.of(route, Recipe(), found, run="earlier")
    output.put(job.result_keys.jpeg, b"y", content_type="", metadata={"semjpeg-job": job.identity(HASH)})
    failure = json.dumps({"etag": source.head("c/d.png").etag}).encode()
    output.put(".semjpeg/failed/c/d.png.json", failure, content_type="")
    reconciler = Reconciler(source, output, route, Recipe(), "run", Check(HASH, 300))
    assert {v.key: v.state for v in reconciler.verdicts()} == {
        "a.png": State.MISSING,
        "a.png-1/b.png": State.RIGHT,
        "c/d.png": State.FAILED,
    }
