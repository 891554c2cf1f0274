"""A worker on Ceph for all the tests of this folder; each has buckets of its own."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from config.jobs import Job
from config.queues import BULK
from config.recipes import Recipe, Route
from config.settings import Settings
from producer.queue import JobQueue
from semjpeg.demo.processes import Processes
from storage import ObjectStore, Stores

PATIENCE_S = 120


@dataclass
class Farm:
    """What runs on Ceph, and a bucket with pictures."""

    servers: object
    settings: Settings
    environment: dict[str, str]
    processes: Processes
    log: Path
    bucket: str = ""

    @property
    def source(self) -> str:
        return f"s3://{self.bucket}"

    @property
    def output(self) -> str:
        return f"s3://{self.bucket}-small/made"

    @property
    def pictures(self) -> ObjectStore:
        return Stores(self.settings).open(self.bucket)

    @property
    def results(self) -> ObjectStore:
        return Stores(self.settings).open(f"{self.bucket}-small")

    def job(self, key: str) -> Job:
        """The job of the object that stands there now."""
        route = Route(source=self.source, output=self.output)
        return Job.of(route, Recipe(), self.pictures.head(key), run="ceph")

    def enqueue(self, job: Job) -> None:
        JobQueue(self.settings).enqueue(job)

    def waiting(self) -> int:
        return self.servers.redis().llen(f"{self.settings.broker.key_prefix}{BULK}")

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of semjpeg to its end."""
        return subprocess.run(
            [sys.executable, "-m", "semjpeg", *command],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def told(self, key: str) -> list[str]:
        """What became of the jobs of a key of this bucket, by the worker's log."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [e["event"] for e in lines if (e.get("bucket"), e.get("key")) == (self.bucket, key)]

    def until(self, ready: Callable[[], object]) -> None:
        patience = time.monotonic() + PATIENCE_S
        while not ready():
            self.processes.check()
            assert time.monotonic() < patience
            time.sleep(0.1)


@pytest.fixture(scope="session")
def worker(servers, tmp_path_factory) -> Iterator[Farm]:
    folder, settings = tmp_path_factory.mktemp("worker"), servers.settings()
    environment = servers.environment_of(settings)
    with Processes(folder, environment) as processes:
        processes.start("worker", sys.executable, "-m", "semjpeg", "worker", "--threads", "2")
        yield Farm(servers, settings, environment, processes, folder / "worker.log")


@pytest.fixture
def farm(worker, servers) -> Farm:
    worker.bucket = f"bucket-{uuid4().hex[:12]}"
    for name in (worker.bucket, f"{worker.bucket}-small"):
        servers.client("s3").create_bucket(Bucket=name)
    return worker


@pytest.fixture
def beside(farm, tmp_path) -> Iterator[Processes]:
    """Processes of one test, in the environment of the worker."""
    with Processes(tmp_path, farm.environment) as processes:
        yield processes


@pytest.fixture
def picture() -> Callable[..., bytes]:
    def picture(width: int = 64, height: int = 48, **options: object) -> bytes:
        """A PNG of noise, whose size tells which one it is."""
        levels = np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(levels).save(file, "PNG", **options)
        return file.getvalue()

    return picture
