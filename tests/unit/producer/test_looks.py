"""Looks one after the other, before a queue and a checkpoint in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from config.errors import StorageUnavailableError
from config.jobs import JOB_FIELD, Job
from config.objects import ObjectVersion
from config.recipes import Recipe, Route
from producer import looks as looking
from producer.checkpoint import Start
from producer.looks import Findings, Listener, Looks
from producer.reconcile import Check, Reconciler

HASH = "0" * 64
ROUTE = Route(source="s3://in/photos", output="s3://out")
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Bucket:
    def __init__(self) -> None:
        self.objects: dict[str, ObjectVersion] = {}
        self.heads: list[str] = []
        self.away_after = 10**9

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectVersion]:
        for number, key in enumerate(sorted(self.objects)):
            if number >= self.away_after:
                raise StorageUnavailableError("away")
            if key.startswith(prefix) and key > start_after:
                yield self.objects[key]

    def head(self, key: str) -> ObjectVersion | None:
        self.heads.append(key)
        return self.objects.get(key)


class Broker:
    """A queue, its counters and a checkpoint."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.start = Start()
        self.ended = 0
        self.counters = SimpleNamespace(announce=lambda *_: None, withdraw=lambda *_: None)
        self.plans: list[object] = []

    def checkpoint(self, plan: object) -> Broker:
        self.plans.append(plan)
        return self

    def begin(self, *, restart: bool) -> Start:
        assert restart
        self.start = Start()
        return self.start

    def begin_again(self) -> Start:
        if self.start.finished:
            self.start = Start(note=self.start.note)
        return self.start

    def finish(self, note: str) -> None:
        self.start = Start(self.start.position, finished=True, note=note or self.start.note)

    def wait_for_room(self) -> int:
        return 10_000

    def publish(self, jobs: list[Job], checkpoint: Broker, position: str) -> None:
        assert checkpoint is self
        self.batches.append([job.key for job in jobs])
        self.start = Start(position, note=self.start.note)

    def queued(self) -> list[str]:
        return [key for batch in self.batches for key in batch]

    def left(self, run: str) -> int:
        assert run == "run"
        return len(self.queued()) - self.ended

    def waiting(self) -> int:
        return 0


@pytest.fixture
def world() -> SimpleNamespace:
    source, output, broker = Bucket(), Bucket(), Broker()
    reconciler = Reconciler(source, output, ROUTE, Recipe(), "run", Check(HASH, 300))
    told: list[object] = []
    listener = Listener(told.append, told.append, lambda _: None, told.append)
    looks = Looks(broker, reconciler, listener)
    return SimpleNamespace(source=source, output=output, broker=broker, looks=looks, told=told, reconciler=reconciler)


def upload(world: SimpleNamespace, name: str, at: datetime = LONG_AGO, etag: str = "e") -> ObjectVersion:
    source = ObjectVersion(f"photos/{name}", etag, 1, modified=at)
    world.source.objects[source.key] = source
    return source


def compress(world: SimpleNamespace, source: ObjectVersion) -> None:
    job = Job.of(ROUTE, Recipe(), source, run="earlier")
    key = job.result_keys.jpeg
    metadata = {JOB_FIELD: job.identity(HASH)}
    world.output.objects[key] = ObjectVersion(key, "r", 1, modified=source.modified, metadata=metadata)


def test_what_is_found_among_many_does_not_wait_for_the_end_of_the_listing(world):
    for number in range(1200):
        source = upload(world, f"{number:04}.png")
        if number not in {3, 700}:
            compress(world, source)
    world.looks.look()
    assert world.broker.batches == [["photos/0003.png"], ["photos/0700.png"]]
    assert world.told == [
        {"sources": 1200, "right": 1198, "missing": 2, "stale": 0, "failed": 0, "orphans": 0, "queued": 2}
    ]


def test_a_look_that_broke_off_goes_on_where_it_stood(world):
    for number in range(1200):
        upload(world, f"{number:04}.png")
    world.source.away_after = 1100
    with pytest.raises(StorageUnavailableError):
        world.looks.look()
    assert world.broker.queued() == [f"photos/{number:04}.png" for number in range(1000)]
    assert world.broker.start.position == "0999.png.jpg"
    world.source.away_after = 10**9
    world.looks.look()
    assert world.broker.queued() == [f"photos/{number:04}.png" for number in range(1200)]
    assert world.told[0] == "the run run goes on after 0999.png.jpg"
    assert world.told[-1]["sources"] == 200


def test_what_an_earlier_look_found_right_is_not_looked_at_again(world):
    now = datetime.now(UTC)
    for name, at in (("old.png", LONG_AGO), ("new.png", now)):
        compress(world, upload(world, name, at))
    world.looks.look()
    assert sorted(world.output.heads) == ["new.png.jpg", "old.png.jpg"]
    world.output.heads.clear()
    world.looks.look()
    assert world.output.heads == ["new.png.jpg"]
    world.output.heads.clear()
    world.looks.look(restart=True)
    assert sorted(world.output.heads) == ["new.png.jpg", "old.png.jpg"]
    noted = datetime.fromisoformat(world.broker.start.note)
    assert timedelta(minutes=29) < datetime.now(UTC) - noted < timedelta(minutes=40)


def test_a_look_that_finds_a_wrong_result_settles_nothing(world):
    compress(world, upload(world, "a.png"))
    upload(world, "a.png", etag="newer")
    for _ in range(2):
        world.looks.look()
    assert (world.broker.start.note, world.broker.queued()) == ("", ["photos/a.png"] * 2)


def test_nor_does_one_that_saw_only_the_rest(world):
    compress(world, upload(world, "a.png"))
    world.broker.start = Start("0.png.jpg")
    world.looks.look()
    assert world.broker.start.finished
    assert world.broker.start.note == ""


def test_other_ways_to_look_are_other_plans(world):
    plans = set()
    for check in (Check(HASH, 300), Check("1" * 64, 300), Check(HASH, 300, deep=True)):
        reconciler = Reconciler(world.source, world.output, ROUTE, Recipe(), "run", check)
        Looks(world.broker, reconciler, world.looks._listener).look(restart=True)
        plans.add(world.broker.plans[-1])
    assert len(plans) == 3


class Stop(BaseException):
    """The process was told to end."""


def sleeping(monkeypatch: pytest.MonkeyPatch, awake: Iterator[Callable[[], None]]) -> list[float]:
    """Do the next thing whenever the looks sleep; at the end, stop."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        next(awake, stop)()

    def stop() -> None:
        raise Stop

    monkeypatch.setattr(looking.time, "sleep", sleep)
    return slept


def test_the_next_look_waits_for_the_end_of_what_was_queued(world, monkeypatch):
    upload(world, "a.png")
    ends = iter([lambda: None, lambda: vars(world.broker).update(ended=1), lambda: compress_all(world), lambda: None])
    slept = sleeping(monkeypatch, ends)
    with suppress(Stop):
        world.looks.forever(60)
    assert slept[:3] == [looking._POLL_S, looking._POLL_S, 60]
    assert world.broker.queued() == ["photos/a.png"]
    assert [figures["queued"] for figures in world.told] == [1, 0, 0]


def compress_all(world: SimpleNamespace) -> None:
    for source in world.source.objects.values():
        compress(world, source)


def test_a_lost_count_holds_nothing_up_for_longer_than_a_job_may_take(world, monkeypatch):
    upload(world, "a.png")
    clock = [0.0]
    monkeypatch.setattr(looking.time, "monotonic", lambda: clock[0])
    step = iter([lambda: clock.__setitem__(0, 200.0), lambda: clock.__setitem__(0, 299.0)] + [forward(clock)] * 2)
    slept = sleeping(monkeypatch, step)
    with suppress(Stop):
        world.looks.forever(60)
    assert 60 in slept
    assert slept.index(60) >= 3


def forward(clock: list[float]) -> Callable[[], None]:
    return lambda: clock.__setitem__(0, clock[0] + 200)


def test_a_store_that_is_away_is_asked_again(world, monkeypatch):
    compress(world, upload(world, "a.png"))
    world.source.away_after = 0
    slept = sleeping(monkeypatch, iter([lambda: vars(world.source).update(away_after=9)]))
    with suppress(Stop):
        world.looks.forever(7)
    assert slept == [7, 7]
    assert world.told[0] == "looking again in 7 s: away"
    assert world.told[1]["right"] == 1


def test_failures_are_queued_where_that_is_asked_for(world):
    upload(world, "a.png")
    world.output.objects[".semjpeg/failed/a.png.json"] = ObjectVersion(
        ".semjpeg/failed/a.png.json", "f", 1, modified=LONG_AGO + timedelta(days=1)
    )
    for retry_failed, queued in ((False, []), (True, ["photos/a.png"])):
        steps = Findings(lambda _: None, retry_failed=retry_failed).steps(world.reconciler)
        assert [step.job.key for step in steps if step.job] == queued


def test_a_failure_of_an_earlier_version_is_looked_into_again(world):
    upload(world, "a.png")
    world.output.objects[".semjpeg/failed/a.png.json"] = ObjectVersion(
        ".semjpeg/failed/a.png.json", "f", 1, modified=LONG_AGO - timedelta(days=1)
    )
    findings = Findings(lambda _: None, retry_failed=False)
    assert [step.job.key for step in findings.steps(world.reconciler) if step.job] == ["photos/a.png"]
    assert findings.outdated == 1
