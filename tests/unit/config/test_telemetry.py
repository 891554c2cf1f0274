"""Metrics by name, label and value; health by what happened; the server by what it answers."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from config.errors import ConfigurationError, NotAnImageError, StorageUnavailableError
from config.settings import SHARED_PORT, PrometheusSettings, Settings
from config.telemetry import ProducerTelemetry, Progress, WorkerTelemetry, served
from config.telemetry.progress import SILENCE_S

PATIENCE_S = 360.0


def settings(**sections) -> Settings:
    """Settings for a broker that is nowhere."""
    return Settings(**{"broker": {"url": "redis://127.0.0.1:1/0"}, "worker": {"threads": 3}, **sections})


@pytest.fixture
def telemetry():
    made = WorkerTelemetry(settings(), "0123456789abcdef")
    yield made
    made.close()


@pytest.fixture
def value(telemetry):
    return lambda name, **labels: telemetry.registry.get_sample_value(f"semjpeg_{name}", labels)


def get(port: int, path: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_what_a_done_image_adds(telemetry, value):
    telemetry.done(source_bytes=1000, result_bytes=400, pixels=50, seconds=0.3)
    telemetry.done(source_bytes=10, result_bytes=5, pixels=7, seconds=0.7)
    names = ("source_bytes_total", "result_bytes_total", "pixels_total")
    assert [value(name) for name in names] == [1010, 405, 57]
    assert [value("images_total", outcome=outcome) for outcome in ("done", "unchanged", "failed")] == [2, 0, 0]
    assert value("image_seconds_count") == 2
    assert value("image_seconds_sum") == pytest.approx(1.0)
    assert [value("image_seconds_bucket", le=le) for le in ("0.25", "0.5", "1.0")] == [0, 1, 2]


def test_failures_and_retries_are_told_by_reason_from_nought_on(telemetry, value):
    assert value("failures_total", code=NotAnImageError.code) == 0
    telemetry.failed(NotAnImageError.code)
    telemetry.retried(StorageUnavailableError.code)
    telemetry.unchanged()
    assert value("failures_total", code=NotAnImageError.code) == 1
    assert value("retries_total", code=StorageUnavailableError.code) == 1
    assert [value("images_total", outcome=outcome) for outcome in ("done", "unchanged", "failed")] == [0, 1, 1]


def test_a_reason_that_nobody_knows_makes_no_series(telemetry, value):
    telemetry.failed("s3://photos/cat.jpg")
    telemetry.retried("s3://photos/cat.jpg")
    assert value("failures_total", code="s3://photos/cat.jpg") is None
    assert value("failures_total", code="error") == 1
    assert value("retries_total", code="retryable") == 1


@pytest.mark.parametrize("told", ["stage", "queue_age"])
def test_a_stage_or_a_queue_that_is_none_is_refused(telemetry, told):
    with pytest.raises(KeyError, match="lunch"):
        getattr(telemetry, told)("lunch", 1.0)


def test_what_is_in_flight_and_how_long_stages_take(telemetry, value):
    assert (value("images_in_flight"), value("threads")) == (0, 3)
    with telemetry.in_flight() as first, telemetry.in_flight() as second:
        assert value("images_in_flight") == 2
        with first.stage("fetch"), second.stage("decode"):
            pass
        with pytest.raises(ValueError, match="broken"), second.stage("decode"):
            raise ValueError("broken")
    assert value("images_in_flight") == 0
    assert [value("stage_seconds_count", stage=stage) for stage in ("fetch", "decode", "encode")] == [1, 2, 0]


def test_every_step_of_an_image_is_progress(telemetry, value, monkeypatch):
    moments = iter((100.0, 200.0, 300.0))
    monkeypatch.setattr("prometheus_client.metrics.time", SimpleNamespace(time=lambda: next(moments)))
    seen = []
    with telemetry.in_flight() as flight:
        seen.append(value("last_progress_timestamp_seconds"))
        with flight.stage("fetch"):
            seen.append(value("last_progress_timestamp_seconds"))
    assert [*seen, value("last_progress_timestamp_seconds")] == [100, 200, 300]


def test_batches_ages_and_memory(telemetry, value):
    telemetry.batch(16, 0.2)
    telemetry.batch(5, 0.1)
    telemetry.queue_age("live", 0.4)
    telemetry.queue_age("live", -2.0)
    assert (value("map_batch_size_sum"), value("map_batch_size_count")) == (21, 2)
    assert [value("map_batch_size_bucket", le=le) for le in ("4.0", "6.0", "12.0", "16.0")] == [0, 1, 1, 2]
    assert value("map_batch_seconds_sum") == pytest.approx(0.3)
    assert value("queue_age_seconds_sum", queue="live") == pytest.approx(0.4)
    used = 12
    telemetry.watch_memory(lambda: used)
    assert (value("memory_used_bytes"), value("memory_budget_bytes")) == (12, settings().limits.memory_bytes)
    used = 34
    assert value("memory_used_bytes") == 34


def test_what_a_producer_counts():
    telemetry = ProducerTelemetry(settings(), "bulk")
    telemetry.event("queued", 3)
    telemetry.event("malformed")
    telemetry.enqueued(500)
    sample = telemetry.registry.get_sample_value
    answers = ("queued", "passed_over", "refused", "malformed")
    assert [sample("semjpeg_events_total", {"answer": answer}) for answer in answers] == [3, 0, 0, 1]
    assert [sample("semjpeg_jobs_enqueued_total", {"queue": queue}) for queue in ("live", "bulk")] == [None, 500]
    telemetry.close()


def test_two_processes_in_one_share_nothing(value):
    other = WorkerTelemetry(settings(), "another")
    other.unchanged()
    assert value("images_total", outcome="unchanged") == 0
    other.close()


def test_metrics_are_served_though_the_broker_is_away(telemetry):
    with served(telemetry, PrometheusSettings(port=0)) as port:
        status, kind, text = get(port, "/metrics")
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["semjpeg_broker_up"].samples[0].value == 0
    assert families["semjpeg_queue_length"].samples == []
    assert families["semjpeg_build_info"].samples[0].labels == {"version": "0.1.0", "model": "0123456789ab"}
    assert families["process_resident_memory_bytes"].samples[0].value > 1_000_000
    assert not [name for name in families if name.endswith("_created")]
    assert all(family.documentation for name, family in families.items() if name.startswith("semjpeg_"))


def test_a_broker_that_accepts_and_says_nothing_holds_no_scrape_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        telemetry = ProducerTelemetry(settings(broker={"url": url}), "live")
        assert telemetry.registry.get_sample_value("semjpeg_broker_up") == 0
        telemetry.close()


def test_a_broker_that_hangs_up_is_asked_once():
    asked = []

    class Curt(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            asked.append(self.request.recv(1))

    with socketserver.TCPServer(("127.0.0.1", 0), Curt) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        telemetry = ProducerTelemetry(
            settings(broker={"url": f"redis://127.0.0.1:{server.server_address[1]}/0"}), "live"
        )
        assert telemetry.registry.get_sample_value("semjpeg_broker_up") == 0
        telemetry.close()
        server.shutdown()
        thread.join()
    assert len(asked) == 1


def test_who_asks_for_the_health_has_the_broker_asked(telemetry):
    now = 0.0
    telemetry.progress = Progress(3, PATIENCE_S, lambda: now)
    with served(telemetry, PrometheusSettings(port=0)) as port:
        assert get(port, "/healthz")[0] == 200
        now = SILENCE_S + 1
        assert get(port, "/healthz") == (
            503,
            "application/json",
            '{"status": "no progress", "reason": "the broker has not answered for 121 s"}',
        )


def test_health_is_told_with_the_reason(telemetry):
    now = 0.0
    telemetry.progress = Progress(3, PATIENCE_S, lambda: now)
    with served(telemetry, PrometheusSettings(port=0)) as port, telemetry.in_flight() as flight, flight.stage("encode"):
        status, kind, text = get(port, "/healthz")
        assert (status, kind, json.loads(text)) == (200, "application/json", {"status": "ok", "in_flight": 1})
        now = PATIENCE_S + 1
        status, _, text = get(port, "/healthz")
        assert status == 503
        assert json.loads(text)["reason"] == "an image has been in the stage 'encode' for 361 s"
        assert get(port, "/somewhere")[0] == 404


def test_nothing_is_served_without_a_port(telemetry):
    before = threading.active_count()
    with served(telemetry, PrometheusSettings()) as port:
        assert port is None
        assert threading.active_count() == before


def test_the_port_is_free_afterwards(telemetry):
    with served(telemetry, PrometheusSettings(port=0)) as port:
        pass
    with served(telemetry, PrometheusSettings(port=port)) as again:
        assert get(again, "/healthz")[0] == 200


def test_an_address_that_cannot_be_had_is_named(telemetry):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=rf"prometheus\.port {port}: .*in use"),
            served(telemetry, PrometheusSettings(port=port)),
        ):
            pass
    with (
        pytest.raises(ConfigurationError, match=r"prometheus\.host 192\.0\.2\.1"),
        served(telemetry, PrometheusSettings(host="192.0.2.1", port=0)),
    ):
        pass


def test_beside_the_main_process_of_a_container_one_does_without(telemetry):
    here = "127.94.6.4"  # no other test and no server of this machine listens at this address
    mine = PrometheusSettings(host=here, port=SHARED_PORT)
    with socket.create_server((here, SHARED_PORT)), capture_logs() as logged, served(telemetry, mine) as port:
        assert port is None
    [line] = logged
    assert (line["log_level"], line["event"], line["port"]) == ("warning", "no metrics of this process", SHARED_PORT)
    with (
        pytest.raises(ConfigurationError, match=rf"prometheus\.port {SHARED_PORT}: cannot listen"),
        served(telemetry, PrometheusSettings(host="192.0.2.1", port=SHARED_PORT)),
    ):
        pass
