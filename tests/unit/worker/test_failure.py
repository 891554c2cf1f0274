"""What is left of a job that failed: a record, which also tells of a result that another job left."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from config.errors import DamagedImageError, KeyTooLongError
from config.jobs import JOB_FIELD, Job
from config.recipes import Recipe, Route
from config.settings import Settings
from storage import Stores
from worker.failure import record_failure
from worker.publish import Output

MODEL = "0" * 64


@pytest.fixture
def world(tmp_path):
    """A job whose source is in a folder, and the output."""
    stores = Stores(Settings(storage={"local_root": tmp_path}))
    node = SimpleNamespace(stores=stores, model_hash=MODEL)
    source = stores.open(f"file://{tmp_path}/in")
    source.put("cat.png", b"1", content_type="")
    route = Route(source=f"file://{tmp_path}/in", output=f"file://{tmp_path}/out")
    job = Job.of(route, Recipe(), source.head("cat.png"), run="test")
    output = stores.open(job.output_place.bucket)

    def stand(**metadata: str) -> None:
        output.put(job.result_keys.jpeg, b"jpeg", content_type="", metadata=metadata)

    def fail():
        if record_failure(job, DamagedImageError("ends early"), node, attempts=3):
            return json.loads(output.get(job.result_keys.failure, max_bytes=10**5))
        return output.head(job.result_keys.failure)

    return SimpleNamespace(job=job, output=output, stand=stand, fail=fail)


def test_a_failure_is_recorded(world):
    record = world.fail()
    assert (record["code"], record["reason"], record["attempts"]) == ("damaged-image", "ends early", 3)
    assert (record["job"], record["stale_result"]) == (world.job.identity(MODEL), False)


def test_the_record_tells_of_a_result_that_another_job_left_and_leaves_it(world):
    world.stand(**{JOB_FIELD: "another"})
    assert world.fail()["stale_result"] is True
    assert world.output.get(world.job.result_keys.jpeg, max_bytes=10) == b"jpeg"


def test_an_object_that_is_no_result_is_no_stale_one(world):
    world.stand(theirs="yes")
    assert world.fail()["stale_result"] is False


def test_what_has_its_result_has_not_failed(world):
    world.stand(**{JOB_FIELD: world.job.identity(MODEL)})
    assert world.fail() is None


def test_a_result_whose_key_is_too_long_is_a_failure_that_can_be_recorded():
    job = Job(run="test", bucket="in", key="ü" * 511, etag="e", size=1, output="s3://out", recipe=Recipe())
    puts = {}
    output = SimpleNamespace(head=None, put=lambda key, data, **_: puts.update({key: json.loads(data)}))
    with pytest.raises(KeyTooLongError, match="1026 bytes"):
        Output.look(output, job)
    node = SimpleNamespace(stores=SimpleNamespace(open=lambda _: output), model_hash=MODEL)
    assert record_failure(job, KeyTooLongError("too long"), node, attempts=1)
    [(key, record)] = puts.items()
    assert len(key.encode()) <= 1024
    assert (record["key"], record["code"]) == (job.key, "key-too-long")
