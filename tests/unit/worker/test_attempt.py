"""Which version of a source an attempt does, and whose failure is told. The steps of one image stand elsewhere."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import worker.attempt
from config.errors import (
    DamagedImageError,
    EncodingError,
    ForbiddenError,
    ObjectChangedError,
    ObjectMissingError,
    StorageUnavailableError,
)
from config.jobs import Job
from config.recipes import Recipe, Route
from config.settings import Settings
from storage import Stores
from worker.attempt import attempt, newest
from worker.outcome import Outcome, Status

DONE = Outcome(Status.DONE)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A source in a folder, its first job, and steps whose end each test decides by the entity tag."""
    node = SimpleNamespace(stores=Stores(Settings(storage={"local_root": tmp_path})))
    store = node.stores.open(f"file://{tmp_path}/in")
    store.put("cat.png", b"1", content_type="")
    route = Route(source=f"file://{tmp_path}/in", output=f"file://{tmp_path}/out")
    job = Job.of(route, Recipe(), store.head("cat.png"), run="test")
    tried = []

    def process(job, _node):
        tried.append(job.size)
        end = ends.get(job.size, DONE)
        if isinstance(end, Exception):
            raise end
        return end

    ends = {}
    monkeypatch.setattr(worker.attempt, "process", process)
    return SimpleNamespace(node=node, store=store, job=job, ends=ends, tried=tried)


@pytest.mark.parametrize("end", [ObjectChangedError("changed"), DamagedImageError("ends early"), ForbiddenError("no")])
def test_an_old_version_gives_way_to_the_newest_however_it_ended(world, end):
    world.store.put("cat.png", b"22", content_type="")
    world.ends[1] = end
    job, outcome = attempt(world.job, world.node)
    assert outcome is DONE
    assert (job.etag, job.size, world.tried) == (world.store.head("cat.png").etag, 2, [1, 2])


def test_the_newest_version_that_was_done_already_loses_the_failure_that_came_late(world):
    late = world.job.result_keys.failure
    output = world.node.stores.open(world.job.output_place.bucket)
    output.put(late, b"{}", content_type="")
    world.ends[1] = Outcome(Status.UNCHANGED)
    attempt(world.job, world.node)
    assert output.head(late)  # one look tells that the job is done, and no more is asked
    world.store.put("cat.png", b"22", content_type="")
    world.ends |= {1: ObjectChangedError("changed"), 2: Outcome(Status.UNCHANGED)}
    job, outcome = attempt(world.job, world.node)
    assert (job.size, outcome.status) == (2, Status.UNCHANGED)
    assert output.head(late) is None


def test_what_replaces_the_newest_version_while_its_late_failure_is_removed_is_done_too(world):
    world.store.put("cat.png", b"22", content_type="")
    output = world.node.stores.open(world.job.output_place.bucket)

    class Store:
        def delete(self, key: str) -> None:
            output.delete(key)
            world.store.put("cat.png", b"333", content_type="")

    stores = SimpleNamespace(open=lambda bucket: Store() if bucket.endswith("/out") else world.store)
    world.ends |= {1: ObjectChangedError("changed"), 2: Outcome(Status.UNCHANGED), 3: DamagedImageError("ends early")}
    job, error = attempt(world.job, SimpleNamespace(stores=stores))
    assert (job.size, error) == (3, world.ends[3])


def test_the_newest_job_is_the_old_one_where_the_store_does_not_tell(world):
    world.store.put("cat.png", b"22", content_type="")
    assert newest(world.job, world.node).size == 2
    world.store.delete("cat.png")
    assert newest(world.job, world.node) is world.job


def test_the_failure_of_the_newest_version_is_told_with_its_own_job(world):
    world.store.put("cat.png", b"22", content_type="")
    world.ends |= {1: ObjectChangedError("changed"), 2: DamagedImageError("ends early")}
    job, error = attempt(world.job, world.node)
    assert (job.size, error, world.tried) == (2, world.ends[2], [1, 2])


@pytest.mark.parametrize("end", [DamagedImageError("ends early"), ForbiddenError("no")])
def test_a_failure_of_the_version_that_still_is_there_stands(world, end):
    world.ends[1] = end
    assert attempt(world.job, world.node) == (world.job, end)
    assert world.tried == [1]


@pytest.mark.parametrize("end", [ObjectChangedError("changed"), DamagedImageError("ends early")])
def test_a_source_that_was_removed_is_missing(world, end):
    world.store.delete("cat.png")
    world.ends[1] = end
    _, error = attempt(world.job, world.node)
    assert isinstance(error, ObjectMissingError)


def test_what_may_succeed_later_is_raised_and_a_defect_is_a_failure(world):
    world.ends[1] = StorageUnavailableError("away")
    with pytest.raises(StorageUnavailableError):
        attempt(world.job, world.node)
    for defect in (ZeroDivisionError("oh"), MemoryError()):
        world.ends[1] = defect
        _, error = attempt(world.job, world.node)
        assert isinstance(error, EncodingError)


def test_a_source_that_changes_all_the_time_is_tried_later(world):
    world.ends[1] = ObjectChangedError("changed")
    with pytest.raises(StorageUnavailableError, match="faster"):
        attempt(world.job, world.node)
