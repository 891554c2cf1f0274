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
from worker.attempt import attempt
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


@pytest.mark.parametrize("end", [ObjectChangedError("changed"), DamagedImageError("ends early")])
def test_an_old_version_gives_way_to_the_newest_however_it_ended(world, end):
    world.store.put("cat.png", b"22", content_type="")
    world.ends[1] = end
    job, outcome = attempt(world.job, world.node)
    assert outcome is DONE
    assert (job.etag, job.size, world.tried) == (world.store.head("cat.png").etag, 2, [1, 2])


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
