"""A real worker and pictures that together need more memory than it may use."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from config.jobs import Job
from config.recipes import Recipe, Route
from producer.queue import JobQueue
from semjpeg.demo.processes import Processes
from storage import Stores

PATIENCE_S = 240
BUDGET_BYTES = 450_000_000
ALLOWED_BESIDES = 300_000_000
LARGE = 6
"""So many pictures of 12 megapixels, which take 20 bytes a pixel or 240 MB each, for as many threads."""


def memory_of(pid: int, field: str) -> int:
    kilobytes = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]
    return int(kilobytes) * 1024


def wait_for(processes: Processes, ready: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        processes.check()
        assert time.monotonic() < until
        time.sleep(0.1)


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    levels = np.random.default_rng(1).integers(0, 255, (height // 50, width // 50, 3), dtype=np.uint8)
    Image.fromarray(levels).resize((width, height)).save(file, "JPEG", quality=90)
    return file.getvalue()


def test_large_pictures_wait_for_each_other_and_all_are_done(servers, bucket, tmp_path):
    settings = servers.settings()
    store, queue = Stores(settings).open(bucket), JobQueue(settings)
    route = Route(source=f"s3://{bucket}/in", output=f"s3://{bucket}/out")

    def enqueue(name: str, content: bytes) -> None:
        store.put(f"in/{name}", content, content_type="image/jpeg")
        queue.enqueue(Job.of(route, Recipe(), store.head(f"in/{name}"), run="test"))

    def done() -> int:
        return sum(found.key.endswith(".jpg.jpg") for found in store.list("out/"))

    environment = {
        **servers.environment,
        "SEMJPEG_BROKER__URL": servers.broker_url,
        "SEMJPEG_BROKER__KEY_PREFIX": settings.broker.key_prefix,
        "SEMJPEG_S3__ENDPOINT_URL": servers.endpoint,
        "SEMJPEG_S3__REGION": "us-east-1",
        "SEMJPEG_LIMITS__MEMORY_BYTES": str(BUDGET_BYTES),
        "SEMJPEG_METRICS__FULL_SHARE": "0",
    }
    with Processes(tmp_path, environment) as processes:
        command = ("-m", "semjpeg", "worker", "--threads", str(LARGE))
        worker = processes.start("worker", sys.executable, *command)
        enqueue("warm-up.jpg", jpeg(600, 400))
        wait_for(processes, lambda: done() == 1)
        before = memory_of(worker.pid, "VmRSS")
        content = jpeg(4000, 3000)
        for number in range(LARGE):
            enqueue(f"{number}.jpg", content)
        wait_for(processes, lambda: done() == 1 + LARGE)
        taken = memory_of(worker.pid, "VmHWM") - before
    assert 200_000_000 < taken < BUDGET_BYTES + ALLOWED_BESIDES
    assert not list(store.list("out/.semjpeg/failed/"))
