"""The steps of one image, in this process, over a real broker and a real S3 server."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image
from skimage import data

from config.errors import (
    DeadlineExceededError,
    EncodingError,
    JobInFlightError,
    NotAnImageError,
    ObjectChangedError,
    OutputTakenError,
    TooLargeError,
)
from config.jobs import Job
from config.recipes import Recipe, Route
from worker.claim import claim_key
from worker.measure import measure
from worker.node import Node
from worker.outcome import Status
from worker.pipeline import process


@pytest.fixture(scope="session")
def node(servers) -> Node:
    node = Node.start(servers.settings())
    yield node
    node.close()


@pytest.fixture
def output(servers) -> str:
    name = f"out-{uuid4().hex}"
    servers.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def make_job(node, bucket, output):
    """Put an object and return its job."""

    def make(key: str, content: bytes, **recipe) -> Job:
        store = node.stores.open(bucket)
        store.put(key, content, content_type="image/png")
        route = Route(source=f"s3://{bucket}", output=f"s3://{output}/small")
        return Job.of(route, Recipe(**recipe), store.head(key), run="test")

    return make


def file(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_photograph_becomes_a_jpeg_a_record_and_a_map(node, make_job, output):
    job = make_job("a b+ü/cat.png", file(data.chelsea()), save_map=True)
    outcome = process(job, node)
    store = node.stores.open(output)
    jpeg = store.get("small/a b+ü/cat.png.jpg", max_bytes=10**7)
    record = json.loads(store.get("small/.semjpeg/metrics/a b+ü/cat.png.json", max_bytes=10**6))
    grid = Image.open(io.BytesIO(store.get("small/.semjpeg/maps/a b+ü/cat.png.png", max_bytes=10**6)))

    assert outcome.status is Status.DONE
    image = Image.open(io.BytesIO(jpeg))
    assert (image.format, image.size) == ("JPEG", (451, 300))
    assert outcome.bytes_out == record["bytes_out"] == len(jpeg) < record["bytes_libjpeg"]
    assert record["bytes_libjpeg"] == len(file(data.chelsea(), "JPEG", quality=75))
    assert record["bytes_in"] == job.size
    assert record["status"] == "done"
    assert record["key"] == "a b+ü/cat.png"
    assert record["job"] == job.identity(node.model_hash) == store.head(job.result_keys.jpeg).metadata["semjpeg-job"]
    assert record["metrics"]["psnr_s"] > 30
    assert record["metrics"]["psnr_hvs_m"] > 30
    assert set(record["seconds"]) >= {"fetch", "decode", "map", "encode", "verify", "total"}
    assert grid.mode == "L"
    assert abs(grid.width / grid.height - 451 / 300) < 0.15


def test_the_same_job_is_done_once_and_gives_the_same_bytes(node, make_job, output):
    job = make_job("cat.png", file(data.chelsea()))
    process(job, node)
    store = node.stores.open(output)
    first = store.head(job.result_keys.jpeg)
    assert process(job, node).status is Status.UNCHANGED
    assert store.head(job.result_keys.jpeg) == first

    store.delete(job.result_keys.jpeg)
    assert process(job, node).status is Status.DONE
    assert store.head(job.result_keys.jpeg).etag == first.etag


def test_another_recipe_replaces_the_result(node, make_job, output):
    job = make_job("cat.png", file(data.chelsea()))
    fine = process(job, node)
    coarser = job.model_copy(update={"recipe": Recipe(quality=30)})
    assert process(coarser, node).bytes_out < 0.8 * fine.bytes_out
    found = node.stores.open(output).head(job.result_keys.jpeg)
    assert found.metadata["semjpeg-job"] == coarser.identity(node.model_hash)


@pytest.mark.parametrize("method", ["trellis", "mosaic"])
def test_the_record_tells_of_every_rate_and_method(node, make_job, output, method):
    libjpeg = len(file(data.chelsea(), "JPEG", quality=50))
    for rate, compared in (({"match_jpeg": 50}, libjpeg), ({"target_bytes": "15k"}, None)):
        job = make_job("cat.png", file(data.chelsea()), method=method, aim="psnr", **rate)
        outcome = process(job, node)
        record = json.loads(node.stores.open(output).get(job.result_keys.metrics, max_bytes=10**6))
        assert record["bytes_libjpeg"] == compared
        assert outcome.libjpeg_bytes == (compared or 0)
        assert record["bytes_out"] <= (1.01 * compared if compared else 15_000)
        assert (record["recipe"]["method"], record["recipe"]["aim"]) == (method, "psnr")
        assert {"quality", "match_jpeg", "target_bytes"} & set(record["recipe"]) == set(rate)
        assert ("mosaic" in record["recipe"]) is (method == "mosaic")


@pytest.mark.parametrize("method", ["trellis", "mosaic"])
def test_bytes_that_are_too_few_fail_for_good_and_leave_nothing(node, make_job, output, method):
    job = make_job("cat.png", file(data.chelsea()), target_bytes=100, method=method)
    with pytest.raises(EncodingError, match="451x300 pixels needs"):
        process(job, node)
    assert node.stores.open(output).head(job.result_keys.jpeg) is None
    assert not EncodingError.retryable


def test_a_foreign_object_is_not_overwritten(node, make_job, output):
    job = make_job("cat.png", file(data.chelsea()))
    store = node.stores.open(output)
    store.put(job.result_keys.jpeg, b"somebody's", content_type="image/jpeg")
    with pytest.raises(OutputTakenError, match=r"cat\.png\.jpg"):
        process(job, node)
    assert store.get(job.result_keys.jpeg, max_bytes=100) == b"somebody's"


def test_a_claimed_job_is_left_to_its_owner(node, make_job):
    job = make_job("cat.png", file(data.chelsea()))
    with node.claims.hold(job.identity(node.model_hash)), pytest.raises(JobInFlightError):
        process(job, node)
    assert process(job, node).status is Status.DONE


def test_an_overwritten_source_is_told(node, make_job, bucket):
    job = make_job("cat.png", file(data.chelsea()))
    node.stores.open(bucket).put("cat.png", file(data.coffee()), content_type="image/png")
    with pytest.raises(ObjectChangedError):
        process(job, node)


@pytest.fixture
def meanwhile(monkeypatch):
    """Let something happen while a picture is compressed."""

    def meanwhile(happens) -> None:
        def measured(*arguments):
            happens()
            return measure(*arguments)

        monkeypatch.setattr("worker.pipeline.measure", measured)

    return meanwhile


def test_a_worker_that_lost_its_claim_writes_nothing(node, make_job, output, meanwhile):
    job = make_job("cat.png", file(data.chelsea()))
    claimed = claim_key(node.settings.broker.key_prefix, job.identity(node.model_hash))
    meanwhile(lambda: (node.redis.delete(claimed), node.heartbeat.beat()))
    with pytest.raises(JobInFlightError, match="lost its claim"):
        process(job, node)
    assert list(node.stores.open(output).list()) == []


def test_a_version_that_is_replaced_while_it_is_compressed_is_not_written(node, make_job, output, bucket, meanwhile):
    job = make_job("cat.png", file(data.chelsea()))
    meanwhile(lambda: node.stores.open(bucket).put("cat.png", b"newer", content_type="image/png"))
    with pytest.raises(ObjectChangedError):
        process(job, node)
    assert list(node.stores.open(output).list()) == []


def test_a_result_that_was_written_meanwhile_is_looked_at_again(node, make_job, output, meanwhile):
    job = make_job("cat.png", file(data.chelsea()))
    store, other = node.stores.open(output), job.model_copy(update={"recipe": Recipe(quality=30)})

    def done_by_another() -> None:
        meanwhile(lambda: None)
        process(other, node)

    meanwhile(done_by_another)
    assert process(job, node).status is Status.DONE
    found = store.head(job.result_keys.jpeg)
    assert found.metadata["semjpeg-job"] == job.identity(node.model_hash)
    assert found.metadata["semjpeg-etag"] == job.etag
    assert datetime.fromisoformat(found.metadata["semjpeg-modified"]).tzinfo is not None
    assert json.loads(store.get(job.result_keys.metrics, max_bytes=10**6))["recipe"]["quality"] == 75


def test_the_record_of_an_earlier_failure_goes_away(node, make_job, output):
    job = make_job("cat.png", file(data.chelsea()))
    store = node.stores.open(output)
    store.put(job.result_keys.failure, b"{}", content_type="application/json")
    process(job, node)
    assert store.head(job.result_keys.failure) is None


@pytest.mark.parametrize("quality", [40, 75, 95])
def test_a_jpeg_never_grows(node, make_job, output, quality):
    source = file(data.coffee(), "JPEG", quality=40)
    job = make_job("coffee.jpg", source, quality=quality)
    outcome = process(job, node)
    assert outcome.bytes_out <= len(source)
    jpeg = node.stores.open(output).get(job.result_keys.jpeg, max_bytes=10**7)
    record = json.loads(node.stores.open(output).get(job.result_keys.metrics, max_bytes=10**6))
    if record["kept_coefficients"]:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(jpeg))), np.asarray(Image.open(io.BytesIO(source))))
    assert record["kept_coefficients"] or quality < 95


def test_limits_and_bad_content_leave_no_result(node, make_job, output):
    narrow = node.settings.model_copy(
        update={"limits": node.settings.limits.model_copy(update={"max_bytes": 1000, "max_pixels": 50})}
    )
    small = replace(node, tools=replace(node.tools, settings=narrow))
    with pytest.raises(TooLargeError, match="bytes"):
        process(make_job("big.png", file(data.coffee())), small)
    with pytest.raises(TooLargeError, match="pixels"):
        process(make_job("wide.png", file(np.zeros((10, 10), np.uint8))), small)
    with pytest.raises(NotAnImageError):
        process(make_job("text.jpg", b"hello"), node)
    assert list(node.stores.open(output).list()) == []


def test_the_deadline_holds_between_stages(node, make_job):
    hurried = node.settings.model_copy(
        update={"limits": node.settings.limits.model_copy(update={"deadline_s": 0.0001})}
    )
    with pytest.raises(DeadlineExceededError, match="before the stage"):
        process(make_job("cat.png", file(data.chelsea())), replace(node, tools=replace(node.tools, settings=hurried)))
