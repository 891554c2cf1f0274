"""A task that is to be tried again when no broker takes it: Celery would drop it, and must not."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from celery.exceptions import Reject

import worker.app
from config.errors import JobInFlightError, StorageUnavailableError
from config.jobs import TASK_NAME, Job
from config.recipes import Recipe
from config.settings import Settings
from config.telemetry import WorkerTelemetry
from config.tracing import Tracing
from worker.app import make_worker

NOBODY = "redis://127.0.0.1:1/0"


@pytest.mark.parametrize("error", [StorageUnavailableError("away"), JobInFlightError("is at work")])
def test_a_task_that_meets_no_broker_when_it_is_to_be_tried_again_is_given_back(monkeypatch, error):
    def attempt(_job, _node):
        raise error

    monkeypatch.setattr(worker.app, "attempt", attempt)
    heartbeat = SimpleNamespace(lease_s=1, message=lambda _tag: nullcontext())
    settings = Settings(broker={"url": NOBODY})
    telemetry = WorkerTelemetry(settings, "model")
    tracing = Tracing(settings.tracing)
    node = SimpleNamespace(
        settings=settings,
        heartbeat=heartbeat,
        drain=SimpleNamespace(begun=False),
        telemetry=telemetry,
        tracing=tracing,
        model_hash="model",
    )
    job = Job(run="x", bucket="b", key="k.png", etag="e", size=1, output="s3://o/", recipe=Recipe())
    task = make_worker(node).tasks[TASK_NAME]
    properties = {"delivery_tag": "1"}
    task.push_request(
        id="1",
        retries=0,
        called_directly=False,
        delivery_info={},
        properties=properties,
        kwargs=job.to_message(),
        args=(),
    )
    try:
        with pytest.raises(Reject) as rejected:
            task.run(**job.to_message())
    finally:
        task.pop_request()
    assert rejected.value.requeue is True
