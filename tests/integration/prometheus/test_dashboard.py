"""A real Prometheus scrapes real exporters over a real broker, and every query of the dashboard has an answer."""

from __future__ import annotations

import importlib.util
import io
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from config.jobs import Job
from config.queues import LIVE
from config.recipes import Route
from config.telemetry import ProducerTelemetry, WorkerTelemetry, served
from config.telemetry.worker import STAGES
from producer.queue import JobQueue
from semjpeg.demo.processes import Processes
from storage import Stores

ROOT = Path(__file__).parents[3]
PATIENCE_S = 120


@pytest.fixture(scope="module")
def picture():
    """`benchmarks/dashboard_picture.py`, which knows how to start Prometheus and what to ask it."""
    spec = importlib.util.spec_from_file_location("dashboard_picture", ROOT / "benchmarks/dashboard_picture.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def settings(servers):
    return servers.settings(prometheus={"port": 0})


@pytest.fixture
def client(servers, settings):
    client = servers.redis()
    yield client
    client.delete(*(f"{settings.broker.key_prefix}{name}" for name in ("live", "bulk", "unacked", "put-aside")))
    client.close()


@pytest.fixture
def exporters(settings) -> Iterator[tuple[WorkerTelemetry, ProducerTelemetry, dict[str, list[str]]]]:
    worker, producer = WorkerTelemetry(settings, "0123456789abcdef"), ProducerTelemetry(settings, "live")
    with served(worker, settings.prometheus) as one, served(producer, settings.prometheus) as other:
        targets = {"semjpeg-worker": [f"127.0.0.1:{one}"], "semjpeg-producer": [f"127.0.0.1:{other}"]}
        yield worker, producer, targets
    worker.close()
    producer.close()


def play(worker: WorkerTelemetry, producer: ProducerTelemetry) -> None:
    """What a moment of work tells."""
    with worker.in_flight() as flight:
        for stage in STAGES:
            with flight.stage(stage):
                pass
    worker.done(source_bytes=1000, result_bytes=600, pixels=100, seconds=0.2)
    worker.unchanged()
    worker.failed("not-an-image")
    worker.retried("storage-unavailable")
    worker.batch(7, 0.05)
    for queue in ("live", "bulk"):
        worker.queue_age(queue, 0.4)
    producer.enqueued(1)
    for answer in ("queued", "passed_over", "refused", "malformed"):
        producer.event(answer)


def wait_for(ready: Callable[[], bool], meanwhile: Callable[[], None], told: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < until, told()
        meanwhile()
        time.sleep(0.2)


def test_the_queues_are_read_at_the_scrape(exporters, settings, client):
    worker = exporters[0]
    prefix = settings.broker.key_prefix
    client.lpush(f"{prefix}live", "a")
    client.lpush(f"{prefix}bulk", "b", "c")
    client.hset(f"{prefix}unacked", mapping={"d": "1", "e": "2", "f": "3"})
    client.lpush(f"{prefix}put-aside", *"ghij")
    value = worker.registry.get_sample_value
    assert value("semjpeg_broker_up") == 1
    assert [value("semjpeg_queue_length", {"queue": queue}) for queue in ("live", "bulk")] == [1, 2]
    assert (value("semjpeg_unacknowledged"), value("semjpeg_put_aside")) == (3, 4)


def test_a_user_who_may_not_read_everything_reports_the_rest(servers, settings, client):
    prefix = settings.broker.key_prefix
    client.execute_command("ACL", "SETUSER", "narrow", "on", ">secret", f"~{prefix}live", "+llen", "+hello", "+client")
    try:
        address = servers.broker_url.partition("@")[2]
        url = f"redis://narrow:secret@{address}"
        narrow = servers.settings(broker={"url": url, "key_prefix": prefix})
        telemetry = ProducerTelemetry(narrow, "live")
        value = telemetry.registry.get_sample_value
        assert value("semjpeg_broker_up") == 1
        assert [value("semjpeg_queue_length", {"queue": queue}) for queue in ("live", "bulk")] == [0, None]
        assert (value("semjpeg_unacknowledged"), value("semjpeg_put_aside")) == (None, None)
        assert telemetry.trouble() is None
        telemetry.close()
    finally:
        client.execute_command("ACL", "DELUSER", "narrow")


def test_prometheus_answers_every_query_of_the_dashboard(picture, servers, exporters, client, settings, tmp_path):
    worker, producer, targets = exporters
    client.lpush(f"{settings.broker.key_prefix}live", "a")
    queries = {
        picture.expression(target["expr"])
        for panel in picture.panels()
        if panel["type"] != "row"
        for target in panel["targets"]
    }
    assert len(queries) > 30
    begin_s = time.time()
    with Processes(tmp_path, servers.environment) as processes:
        prometheus = picture.start_prometheus(processes, tmp_path, targets)

        def unanswered() -> list[str]:
            processes.check()
            return [query for query in queries if not finite(prometheus, query)]

        wait_for(lambda: not unanswered(), lambda: play(worker, producer), unanswered)

        rules = [rule for group in prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]]
        assert len(rules) == 19
        wait_for(
            lambda: all(rule["health"] == "ok" for rule in found_rules(prometheus)),
            lambda: play(worker, producer),
            lambda: [rule.get("lastError") for rule in found_rules(prometheus)],
        )
        recorded = [rule["name"] for rule in rules if rule["type"] == "recording"]
        wait_for(lambda: all(finite(prometheus, name) for name in recorded), lambda: play(worker, producer), list)
        picture.draw(prometheus, begin_s, time.time(), tmp_path / "dashboard.png")
    assert (tmp_path / "dashboard.png").stat().st_size > 50_000


def test_a_real_worker_tells_what_it_has_done(picture, servers, settings, bucket, exporters, tmp_path):
    _, producer, targets = exporters
    store = Stores(settings).open(bucket)
    cat = io.BytesIO()
    Image.fromarray(data.chelsea()).save(cat, "PNG")
    route = Route(source=f"s3://{bucket}/in", output=f"s3://{bucket}/out")
    for key, content in {"in/cat.png": cat.getvalue(), "in/text.jpg": b"this is no picture"}.items():
        store.put(key, content, content_type="application/octet-stream")
    sources = [store.head(key) for key in ("in/cat.png", "in/text.jpg")]
    jobs = [Job.of(route, settings.recipe("default"), source, run="run") for source in sources]
    JobQueue(settings, producer, queue=LIVE).publish(jobs)
    environment = servers.environment_of(settings) | {
        "SEMJPEG_PROMETHEUS__PORT": "0",
    }
    expected = {
        'semjpeg_images_total{outcome="done"}': 1,
        'semjpeg_failures_total{code="not-an-image"}': 1,
        "sum(semjpeg_images_total)": 2,
        "sum(semjpeg_failures_total)": 1,
        "semjpeg_source_bytes_total": len(cat.getvalue()),
        "semjpeg_pixels_total": 451 * 300,
        'semjpeg_stage_seconds_count{stage="fetch"}': 2,
        'semjpeg_stage_seconds_count{stage="encode"}': 1,
        "semjpeg_image_seconds_count": 1,
        'semjpeg_queue_age_seconds_count{queue="live"}': 2,
        "semjpeg_map_batch_size_sum": 1,
        "semjpeg_images_in_flight": 0,
        "semjpeg_memory_used_bytes": 0,
        'sum(semjpeg_jobs_enqueued_total{queue="live"})': 2,
        'max(semjpeg_queue_length{queue="live"})': 0,
        "max(semjpeg_unacknowledged)": 0,
        "min(semjpeg_broker_up)": 1,
    }
    with Processes(tmp_path, environment) as processes:
        processes.start("worker", sys.executable, "-m", "semjpeg", "worker", "--threads", "2")
        targets |= {"semjpeg-worker": [picture.metrics_address(tmp_path / "worker.log", processes)]}
        prometheus = picture.start_prometheus(processes, tmp_path, targets)

        def told() -> dict[str, list[float]]:
            processes.check()
            answers = {query: prometheus.get("/api/v1/query", query=query)["result"] for query in expected}
            return {query: [float(answer["value"][1]) for answer in found] for query, found in answers.items()}

        wait_for(lambda: told() == {query: [value] for query, value in expected.items()}, lambda: None, told)


def finite(prometheus, query: str) -> bool:
    answers = prometheus.get("/api/v1/query", query=query)["result"]
    return any(math.isfinite(float(answer["value"][1])) for answer in answers)


def found_rules(prometheus) -> list:
    return [rule for group in prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]]
