"""A real worker process and a real receiver of real events, with a real broker and S3 server."""

from __future__ import annotations

import io
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image
from skimage import data

from semjpeg.demo.processes import Processes
from storage import ObjectStore, Stores

PATIENCE_S = 90


@dataclass
class System:
    source: ObjectStore
    output: ObjectStore
    processes: Processes
    counters: Callable[[], dict[str, int]]
    worker: object
    names: tuple[str, str]
    logs: Path


@pytest.fixture
def system(servers, announce, tmp_path) -> Iterator[System]:
    """Two buckets, notifications of what is written to one, and a worker."""
    source, output = f"in-{uuid4().hex}", f"out-{uuid4().hex}"
    for name in (source, output):
        servers.client("s3").create_bucket(Bucket=name)
    settings = servers.settings()
    environment = servers.environment_of(settings)
    stores = Stores(settings)
    counter_key = f"{settings.broker.key_prefix}run:events"
    client = servers.redis()
    with Processes(tmp_path, environment) as processes:
        worker = processes.start("worker", sys.executable, "-m", "semjpeg", "worker", "--threads", "3")
        announce(processes, f"s3://{source}/photos", f"s3://{output}/small")
        yield System(
            stores.open(source),
            stores.open(output),
            processes,
            lambda: {k.decode(): int(v) for k, v in client.hgetall(counter_key).items()},
            worker,
            (source, output),
            tmp_path,
        )


def file(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def wait_for(system: System, ready: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        system.processes.check()
        assert time.monotonic() < until, system.counters()
        time.sleep(0.1)


def ended(system: System) -> int:
    return sum(system.counters().get(name, 0) for name in ("done", "failed", "unchanged"))


def test_uploads_become_results_and_failures_by_notification_alone(system):
    frames = [Image.new("RGB", (8, 8), (90 * i, 0, 0)) for i in range(3)]
    animation = io.BytesIO()
    frames[0].save(animation, "GIF", save_all=True, append_images=frames[1:])
    coffee = file(data.coffee(), "JPEG", quality=92)
    uploads = {
        "photos/cat.png": file(data.chelsea()),
        "photos/a b+ü&/coffee.jpg": coffee,
        "photos/text.jpg": b"this is no picture",
        "photos/short.jpg": coffee[: len(coffee) // 2],
        "photos/empty.png": b"",
        "photos/moving.gif": animation.getvalue(),
    }
    ignored = {"photos/notes.txt": b"not by suffix", "elsewhere/cat.png": uploads["photos/cat.png"]}
    for key, content in {**uploads, **ignored}.items():
        system.source.put(key, content, content_type="application/octet-stream")
    wait_for(system, lambda: ended(system) >= len(uploads))

    stored = {found.key for found in system.output.list()}
    assert stored == {
        "small/cat.png.jpg",
        "small/a b+ü&/coffee.jpg.jpg",
        "small/.semjpeg/metrics/cat.png.json",
        "small/.semjpeg/metrics/a b+ü&/coffee.jpg.json",
        *(f"small/.semjpeg/failed/{name}.json" for name in ("text.jpg", "short.jpg", "empty.png", "moving.gif")),
    }
    for key, size in {"small/cat.png.jpg": (451, 300), "small/a b+ü&/coffee.jpg.jpg": (600, 400)}.items():
        image = Image.open(io.BytesIO(system.output.get(key, max_bytes=10**7)))
        image.load()
        assert (image.format, image.size) == ("JPEG", size)
    codes = {}
    for name in ("text.jpg", "short.jpg", "empty.png", "moving.gif"):
        record = json.loads(system.output.get(f"small/.semjpeg/failed/{name}.json", max_bytes=10**6))
        codes[name] = record["code"]
        assert record["key"] == f"photos/{name}"
        assert record["reason"]
    assert codes == {
        "text.jpg": "not-an-image",
        "short.jpg": "damaged-image",
        "empty.png": "not-an-image",
        "moving.gif": "unsupported-image",
    }
    counters = system.counters()
    assert (counters["enqueued"], counters["done"], counters["failed"]) == (6, 2, 4)
    assert counters["bytes_in"] == len(uploads["photos/cat.png"]) + len(coffee)


def test_a_second_event_and_a_repaired_file(system):
    cat = file(data.chelsea())
    system.source.put("photos/cat.png", b"broken", content_type="image/png")
    wait_for(system, lambda: system.counters().get("failed") == 1)
    system.source.put("photos/cat.png", cat, content_type="image/png")
    wait_for(system, lambda: system.counters().get("done") == 1)
    assert [found.key for found in system.output.list("small/.semjpeg/failed/")] == []

    system.source.put("photos/cat.png", cat, content_type="image/png")
    wait_for(system, lambda: system.counters().get("unchanged") == 1)

    lines = (system.logs / "worker.log").read_text().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    told = [(e["event"], e["key"], e["run"]) for e in events if "key" in e]
    assert told == [(event, "photos/cat.png", "events") for event in ("failed", "done", "unchanged")]


def test_sigterm_finishes_what_runs_and_leaves_the_rest_queued(system):
    picture = file(np.kron(data.chelsea(), np.ones((4, 4, 1), np.uint8)))
    for number in range(12):
        system.source.put(f"photos/{number}.png", picture, content_type="image/png")
    wait_for(system, lambda: system.counters().get("done", 0) >= 1)
    system.worker.send_signal(signal.SIGTERM)
    assert system.worker.wait(PATIENCE_S) == 0
    done = len([o for o in system.output.list("small/") if o.key.endswith(".jpg")])
    assert done == system.counters()["done"]

    system.processes.forget(system.worker)
    system.processes.start("worker-2", sys.executable, "-m", "semjpeg", "worker")
    wait_for(system, lambda: system.counters()["done"] >= 12)
    assert system.counters()["done"] == 12
    assert len([o for o in system.output.list("small/") if o.key.endswith(".jpg")]) == 12


def test_a_repeated_reconcile_finds_what_is_there_and_what_arrives(system):
    cat = file(data.chelsea())
    source, output = system.names
    system.source.put("backlog/old.png", cat, content_type="image/png")
    command = (
        "reconcile",
        f"s3://{source}/backlog",
        f"s3://{output}/followed",
        "--every",
        "0.5",
        "--run",
        "events",
    )
    system.processes.start("reconcile", sys.executable, "-m", "semjpeg", *command)
    wait_for(system, lambda: system.output.head("followed/old.png.jpg") is not None)
    system.source.put("backlog/new.png", cat, content_type="image/png")
    wait_for(system, lambda: system.output.head("followed/new.png.jpg") is not None)
    assert system.counters()["enqueued"] == 2
