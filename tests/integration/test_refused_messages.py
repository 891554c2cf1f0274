"""Messages that no producer of ours sends, pushed straight into the queue of a real worker."""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from celery.worker import control as orders

from config.broker import make_celery
from config.jobs import TASK_NAME
from config.queues import BULK
from config.settings import Settings
from semjpeg.demo.processes import Processes

PATIENCE_S = 120


@dataclass
class Queue:
    client: redis.Redis
    settings: Settings
    processes: Processes
    traces: Path

    def push(self, message: object) -> None:
        self.client.lpush(f"{self.settings.broker.key_prefix}{BULK}", json.dumps(message))

    def aside(self) -> list[dict]:
        name = f"{self.settings.broker.key_prefix}put-aside"
        return [json.loads(line) for line in self.client.lrange(name, 0, -1)]

    def wait_for_aside(self, amount: int) -> None:
        self._wait_until(lambda: len(self.aside()) >= amount)

    def wait_for_acknowledged(self) -> None:
        """Wait until no message is in the worker's hands: it acknowledges one after it was put aside."""
        self._wait_until(lambda: not self.client.hlen(f"{self.settings.broker.key_prefix}unacked"))

    def _wait_until(self, reached: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not reached():
            self.processes.check()  # the worker lives
            assert time.monotonic() < until, self.aside()
            time.sleep(0.1)


@pytest.fixture
def queue(servers, tmp_path) -> Iterator[Queue]:
    settings = servers.settings()
    environment = servers.environment_of(settings)
    with Processes(tmp_path, environment) as processes:
        processes.start("worker", sys.executable, "-m", "semjpeg", "worker", "--threads", "2")
        yield Queue(servers.redis(), settings, processes, tmp_path)


def envelope(
    body: bytes, content_type: str = "application/json", task: str | None = TASK_NAME, **headers: object
) -> dict:
    properties = {
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": BULK},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid4()),
    }
    return {
        "body": b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": content_type,
        "headers": {"task": task, "id": str(uuid4()), "lang": "py", **headers},
        "properties": properties,
    }


class Harmful:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.trace),)


def test_nothing_but_json_is_decoded_and_nothing_is_lost(queue):
    trace = queue.traces / "trace"
    job = {"endpoint": "http://evil.example", "run": "one", "bucket": "photos", "key": "a.png", "etag": "a", "size": 1}
    job |= {"output": "s3://small", "recipe": {}}
    strange = [
        envelope(pickle.dumps(Harmful(trace)), "application/x-python-serialize"),
        envelope(f"!!python/object/apply:os.mkdir ['{trace}']".encode(), "application/x-yaml"),
        envelope(b"[[], {}, {}]", task="os.system"),
        envelope(b"{}", task=None),
        envelope(b"{no json"),
        envelope(b"5"),
        envelope(b"[5, 6, {}]"),
        envelope(b"[[1, 2], {}, {}]"),
        envelope(b"[[], {}, {}]", eta="tomorrow"),
        {**envelope(b""), "body": "%%%"},
        {**envelope(b"[[], {}, {}]"), "headers": {"task": TASK_NAME}},
        envelope(json.dumps([[], job, {}]).encode()),
    ]
    for number, message in enumerate(strange, 1):
        queue.push(message)
        queue.wait_for_aside(number)
    reasons = [entry["reason"] for entry in reversed(queue.aside())]
    for reason, part in zip(reasons, ("pickle", "yaml", "os.system", "None", "", "body", "body", "body"), strict=False):
        assert part in reason
    assert "endpoint" in reasons[-1]
    assert not trace.exists()
    prefix = queue.settings.broker.key_prefix
    assert queue.client.llen(f"{prefix}{BULK}") == 0
    queue.wait_for_acknowledged()
    assert len(queue.aside()) == len(strange)  # each once, none came again


def test_a_worker_answers_questions_and_takes_no_orders(queue):
    queue.push(envelope(b"5"))
    queue.wait_for_aside(1)
    control = make_celery(queue.settings).control
    for order in ("shutdown", "pool_grow", "revoke", "add_consumer"):
        assert callable(getattr(orders, order))  # Celery knows it, the worker does not
        [answer] = control.broadcast(order, reply=True, timeout=2, limit=1) or [{}]
        assert all("error" in told for told in answer.values()), answer
    [answer] = control.broadcast("stats", reply=True, timeout=PATIENCE_S, limit=1)
    assert "pool" in next(iter(answer.values()))
    queue.push(envelope(b"6"))
    queue.wait_for_aside(2)
