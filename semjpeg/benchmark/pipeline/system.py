"""A whole system to measure: broker, S3 server, event poller and workers, each a process of its own."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import boto3
import redis

from config.counters import ENDED, RunCounters
from config.errors import SemjpegError
from config.jobs import Job
from config.recipes import Route
from config.settings import Settings, WorkerSettings
from producer.queue import JobQueue
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import free_port, start_s3, start_valkey
from semjpeg.demo.system import clean_environment
from storage import Stores
from worker.supervisor import shares_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence

_REGION: Final = "us-east-1"
_SOURCE, _OUTPUT = "photos", "results"
_EVENT_QUEUE: Final = "created"
_LOOK_S: Final = 0.02
_START_S: Final = 180.0
_STALLED_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Throughput:
    """What a run came to.

    Attributes:
        images: How many.
        seconds: From the first job queued to the last one ended.
        mean_batch: Mean pictures in a batch of the network, over all workers.
        cpu_s: Seconds of processor time by who took them: workers, store and broker.
    """

    images: int
    seconds: float
    mean_batch: float
    cpu_s: Mapping[str, float]

    @property
    def images_per_s(self) -> float:
        """Images a second."""
        return self.images / self.seconds


class System:
    """Servers that run, and workers that come and go. Made by `system`."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self.processes = processes
        endpoint, broker_url = start_s3(processes, folder), start_valkey(processes, folder)
        self._servers = processes.running()
        self._sqs = boto3.client("sqs", endpoint_url=endpoint, region_name=_REGION)
        s3 = boto3.client("s3", endpoint_url=endpoint, region_name=_REGION)
        for bucket in (_SOURCE, _OUTPUT):
            s3.create_bucket(Bucket=bucket)
        queue_url = self._sqs.create_queue(QueueName=_EVENT_QUEUE)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]
        s3.put_bucket_notification_configuration(
            Bucket=_SOURCE,
            NotificationConfiguration={
                "QueueConfigurations": [
                    {
                        "QueueArn": attributes["QueueArn"],
                        "Events": ["s3:ObjectCreated:*"],
                        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "uploads/"}]}},
                    }
                ]
            },
        )
        sections = {
            "broker": {"url": broker_url},
            "s3": {"endpoint_url": endpoint, "region": _REGION, "addressing_style": "path"},
            "sqs": {"queue_url": queue_url},
            "metrics": {
                "full_share": 0
            },  # takes seconds of a few pictures, chosen by hash: not the same ones in each run
            "routes": [{"source": f"s3://{_SOURCE}/uploads", "output": f"s3://{_OUTPUT}/uploads"}],
        }
        (folder / "semjpeg.toml").touch()
        variables = {f"SEMJPEG_{name.upper()}": json.dumps(values) for name, values in sections.items()}
        variables["SEMJPEG_CONFIG"] = str(folder / "semjpeg.toml")  # not the one that may lie in the working directory
        processes.environment |= variables
        os.environ.update(variables)
        self.settings = Settings.load()
        self._folder = folder
        self._queue = JobQueue(self.settings)
        self._counters = RunCounters(redis.Redis.from_url(broker_url), self.settings.broker.key_prefix)
        stores = Stores(self.settings)
        self.source, self.output = stores.open(_SOURCE), stores.open(_OUTPUT)

    @contextmanager
    def node(self, processes: int | None = None) -> Iterator[list[int]]:
        """Start the processes that a worker keeps on this machine, or so many, and wait until all are warm.

        Yields:
            Their process numbers.
        """
        settings = self.settings
        if processes:
            worker = WorkerSettings(processes=processes)
            settings = settings.model_copy(update={"worker": worker})
        everywhere = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        with self._running([(everywhere, share) for share in shares_of(settings)]) as numbers:
            yield numbers

    @contextmanager
    def workers(self, *cores: str) -> Iterator[list[int]]:
        """Start a process on each of these sets of cores, numbers with commas between, and wait until all are warm.

        Yields:
            Their process numbers.
        """
        with self._running([(allowed, {"SEMJPEG_WORKER__PROCESSES": "1"}) for allowed in cores]) as numbers:
            yield numbers

    @contextmanager
    def _running(self, wanted: Sequence[tuple[str, dict[str, str]]]) -> Iterator[list[int]]:
        """Run a worker process for each of these sets of cores, with its own part of the environment."""
        started: list[tuple[subprocess.Popen[bytes], str]] = []
        before = self.processes.environment
        for allowed, share in wanted:
            name = f"worker-{uuid4().hex[:8]}"
            port = free_port()
            self.processes.environment = before | share | {"SEMJPEG_PROMETHEUS__PORT": str(port)}
            pinned = (sys.executable, "-m", "semjpeg.benchmark.pipeline.pinned", allowed)
            process = self.processes.start(name, *pinned, sys.executable, "-m", "semjpeg", "worker")
            started.append((process, f"http://127.0.0.1:{port}/metrics"))
        self.processes.environment = before
        self._addresses = [address for _, address in started]
        self._workers = [process for process, _ in started]
        until = time.monotonic() + _START_S
        while not all(_answers(address) for address in self._addresses):
            self.processes.check()
            if time.monotonic() > until:
                raise SemjpegError(f"a worker did not start within {_START_S:g} s")
            time.sleep(_LOOK_S)
        try:
            yield [process.pid for process, _ in started]
        finally:
            for process, _ in started:
                process.terminate()
            for process, _ in started:
                process.wait()
                self.processes.forget(process)

    @contextmanager
    def servers_on(self, cores: Sequence[str]) -> Iterator[None]:
        """Keep broker and S3 server to some cores for as long as the block takes."""
        before = os.sched_getaffinity(0)
        _pin(self._servers, {int(number) for number in cores})
        try:
            yield
        finally:
            _pin(self._servers, before)

    def warm(self, paths: Sequence[Path]) -> None:
        """Let the workers do as many pictures as they have in flight, as the bare work does before it is measured."""
        count = len(self._addresses) * self.settings.worker.threads
        self.compress(self.upload(paths[:count], 1, f"warm-{uuid4().hex[:8]}"))

    def upload(self, paths: Sequence[Path], times: int, prefix: str) -> list[Job]:
        """Put pictures into the bucket, each `times` times under keys of its own, and return the jobs for them."""
        route = Route(source=f"s3://{_SOURCE}", output=f"s3://{_OUTPUT}")
        recipe = self.settings.recipe(route.recipe)
        for number in range(times):
            for path in paths:
                key = f"{prefix}/{number}/{path.name}"
                self.source.put(key, path.read_bytes(), content_type="application/octet-stream")
        return [Job.of(route, recipe, found, run=prefix) for found in self.source.list(f"{prefix}/")]

    def compress(self, jobs: Sequence[Job]) -> Throughput:
        """Queue jobs of one run and wait until the last one has ended.

        Raises:
            SemjpegError: One failed, or nothing happened for minutes.
        """
        before, spent_s = self._batches(), self._cpu_s()
        began = time.time()
        self._queue.publish(jobs)
        run = jobs[0].run
        seen, moved = 0, time.monotonic()
        while seen < len(jobs):
            time.sleep(_LOOK_S)
            self.processes.check()
            counts = self._counters.read(run)
            ended = sum(counts.get(name, 0) for name in ENDED)
            if ended != seen:
                seen, moved = ended, time.monotonic()
            elif time.monotonic() - moved > _STALLED_S:
                raise SemjpegError(f"no image ended for {_STALLED_S:g} s")
        if counts.get("done", 0) != len(jobs):
            raise SemjpegError(f"of {len(jobs)} images, {counts.get('done', 0)} were compressed")
        pictures, batches = (after - was for after, was in zip(self._batches(), before, strict=True))
        cpu_s = {name: after - spent_s[name] for name, after in self._cpu_s().items()}
        return Throughput(len(jobs), counts["last_ended_ms"] / 1000 - began, pictures / batches, cpu_s)

    def _cpu_s(self) -> dict[str, float]:
        """Seconds of processor time that processes have taken so far, by what they are."""
        store, broker = self._servers
        parts = {"workers": self._workers, "store": [store], "broker": [broker]}
        return {name: sum(_cpu_seconds(process.pid) for process in processes) for name, processes in parts.items()}

    def _batches(self) -> tuple[float, float]:
        """Pictures that went through the network so far, and in how many batches."""
        values = [_metrics(address) for address in self._addresses]
        names = ("semjpeg_map_batch_size_sum", "semjpeg_map_batch_size_count")
        return sum(found.get(names[0], 0) for found in values), sum(found.get(names[1], 0) for found in values)


def _cpu_seconds(pid: int) -> float:
    """Seconds of processor time that all threads of a process have taken so far (proc_pid_stat(5), utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pin(processes: Sequence[subprocess.Popen[bytes]], cores: set[int]) -> None:
    """Keep all threads of some processes to cores."""
    for process in processes:
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(task.name), cores)


@contextmanager
def system() -> Iterator[System]:
    """Start servers on this machine, with an environment of their own; everything ends with the block."""
    before = dict(os.environ)
    os.environ.update(environment := clean_environment(before))
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    try:
        with (
            tempfile.TemporaryDirectory(prefix="semjpeg-benchmark-") as folder,
            Processes(Path(folder), environment) as processes,
        ):
            yield System(processes, Path(folder))
    finally:
        os.environ.clear()
        os.environ.update(before)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=1):  # noqa: S310 - our own worker's address
            return True
    except OSError:
        return False


def _metrics(address: str) -> dict[str, float]:
    """Read the samples without labels that a worker exports."""
    with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - our own worker's address
        lines = answer.read().decode().splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#") and "{" not in line)
    return {name: float(value) for name, value in pairs}
