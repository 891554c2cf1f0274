"""Real servers, started once for a run: Valkey as broker, and an object store.

The store is moto behind waitress, or with `--store ceph` the RADOS gateway of a Ceph cluster; the queues of SQS are
moto's in either case.
"""

from __future__ import annotations

import json
import os
import random
import select
import socket
import socketserver
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest
import redis

from config.places import Place
from config.queues import BULK
from config.settings import Settings
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_s3, start_valkey
from semjpeg.demo.system import clean_environment
from storage import Stores

CEPH = Path(__file__).with_name("ceph")
PROMETHEUS = Path(__file__).with_name("prometheus")
START_S = 120.0
PATIENCE_S = 120
REGION = "us-east-1"
TOKEN = "0123456789abcdef-store"  # noqa: S105 - of these tests alone
LEFT_OUT = pytest.StashKey[dict[str, list[str]]]()
"""Tests that do not run on this store, by reason."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", choices=["moto", "ceph"], default="moto", help="what the integration tests run against")
    parser.addoption("--prometheus", action="store_true", help="run the tests of monitoring, and no others")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_moto(reason): is about what Ceph does not have")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out: dict[str, list[str]] = defaultdict(list)
    kept, dropped = [], []
    for item in items:
        reason = why_left_out(item, store_of(config), prometheus=config.getoption("--prometheus", default=False))
        (dropped if reason else kept).append(item)
        if reason:
            left_out[reason].append(item.nodeid.rpartition("/")[2])
    config.stash[LEFT_OUT] = left_out
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    left_out = config.stash.get(LEFT_OUT, {})
    return [f"left out, {reason}: {', '.join(sorted(names))}" for reason, names in sorted(left_out.items())]


def store_of(config: pytest.Config) -> str:
    return config.getoption("--store", default="moto")


def why_left_out(item: pytest.Item, store: str, *, prometheus: bool) -> str | None:
    if item.path.is_relative_to(PROMETHEUS) != prometheus:
        return "they do without Prometheus" if prometheus else "they need Prometheus, and --prometheus"
    if store == "moto" and item.path.is_relative_to(CEPH):
        return "they need --store ceph"
    if store == "ceph" and "servers" not in getattr(item, "fixturenames", ()):
        return "they use no object store"
    marker = item.get_closest_marker("only_moto")
    return marker.kwargs["reason"] if store == "ceph" and marker else None


@dataclass(frozen=True)
class Servers:
    broker_url: str
    endpoint: str
    queues: str
    """Endpoint of SQS and SNS, and of a second object store in Ceph's stead."""
    environment: dict[str, str]
    stranger: dict[str, str]
    """Environment of a user of the same store to whom no bucket of the tests is open."""

    @property
    def is_ceph(self) -> bool:
        return self.endpoint != self.queues

    def settings(self, **sections: dict[str, object]) -> Settings:
        """Settings for these servers, under a key prefix that no other test uses."""
        values = {
            "broker": {"url": self.broker_url, "key_prefix": f"test-{uuid4().hex}:"},
            "s3": {"endpoint_url": self.endpoint, "region": REGION, "addressing_style": "path"},
        }
        sqs = {"endpoint_url": self.queues, **sections.pop("sqs", {})}
        return Settings(**{**values, "sqs": sqs, **sections})  # type: ignore[arg-type]

    def environment_of(self, settings: Settings) -> dict[str, str]:
        """Return the environment of a program with the settings that `settings` has made."""
        return {
            **self.environment,
            "SEMJPEG_BROKER__URL": self.broker_url,
            "SEMJPEG_BROKER__KEY_PREFIX": settings.broker.key_prefix,
            "SEMJPEG_S3__ENDPOINT_URL": self.endpoint,
            "SEMJPEG_S3__REGION": REGION,
            "SEMJPEG_S3__ADDRESSING_STYLE": "path",
        }

    def client(self, service: str):
        endpoint = self.endpoint if service == "s3" else self.queues
        return boto3.client(service, endpoint_url=endpoint, region_name=REGION)

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.broker_url)


@dataclass
class Desk:
    """Where a person starts commands, and what then stands in the queue."""

    settings: Settings
    environment: dict[str, str]
    bucket: str
    redis: redis.Redis

    @property
    def places(self) -> tuple[str, str]:
        return f"s3://{self.bucket}/in", f"s3://{self.bucket}/out"

    @property
    def queue_key(self) -> str:
        return f"{self.settings.broker.key_prefix}{BULK}"

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "semjpeg", *command],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str) -> tuple[int, str]:
        process = self.start(*command)
        out, _ = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out

    @staticmethod
    def fields_of(message: bytes) -> dict[str, object]:
        return json.loads(b64decode(json.loads(message)["body"]))[1]

    def keys(self) -> list[str]:
        """Keys of the jobs that wait, the next one first."""
        waiting = self.redis.lrange(self.queue_key, 0, -1)
        return [self.fields_of(message)["key"] for message in reversed(waiting)]

    def put(self, *names: str) -> None:
        s3 = Stores(self.settings).open(self.bucket)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: s3.put(name, b"x", content_type="image/png"), names))


class Gate(socketserver.ThreadingTCPServer):
    """A way to the S3 server on which requests can be held up."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: str) -> None:
        address = urlsplit(target)
        self.target = (address.hostname, address.port)
        self.held = b""
        """Requests that begin so wait."""
        self.drops = False
        """Their lines are cut when the gate is opened."""
        self.delay_s = 0.0
        """Each request waits up to so long."""
        self.arrived = threading.Event()
        self.opened = threading.Event()
        super().__init__(("127.0.0.1", 0), Forward)
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"

    def hold(self, beginning: str) -> None:
        self.arrived.clear()
        self.opened.clear()
        self.held = beginning.encode()

    def open(self) -> None:
        self.held = b""
        self.opened.set()

    def handle_error(self, request, client_address):
        """A client that was killed says nothing."""


class Forward(socketserver.BaseRequestHandler):
    def handle(self):
        gate = self.server
        with socket.create_connection(gate.target) as server:
            ends = {self.request: server, server: self.request}
            while True:
                for ready in select.select(list(ends), [], [], 1)[0]:
                    received = ready.recv(65536)
                    if not received:
                        return
                    if ready is self.request and gate.held and received.startswith(gate.held):
                        gate.arrived.set()
                        gate.opened.wait(PATIENCE_S)
                        if gate.drops:
                            return
                    if ready is self.request and gate.delay_s:
                        time.sleep(random.uniform(0, gate.delay_s))  # noqa: S311 - guards nothing
                    ends[ready].sendall(received)


def start_ceph(processes: Processes, folder: Path) -> dict:
    """Start a cluster; return its endpoint and the keys of its users."""
    processes.start("ceph", sys.executable, str(CEPH / "cluster.py"), str(folder))
    ready, until = folder / "gateway.json", time.monotonic() + START_S
    while not ready.exists():
        processes.check()
        assert time.monotonic() < until, "the cluster did not start"
        time.sleep(0.1)
    return json.loads(ready.read_text())


def environment_of(user: dict[str, str]) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": user["access_key"], "AWS_SECRET_ACCESS_KEY": user["secret_key"]}


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder: Path = tmp_path_factory.mktemp("servers")
    before = dict(os.environ)
    with ExitStack() as stack:
        stack.callback(lambda: (os.environ.clear(), os.environ.update(before)))
        environment, stranger = clean_environment(before), {}
        environment["SEMJPEG_WORKER__PROCESSES"] = "1"  # whoever starts a worker has its process
        processes = stack.enter_context(Processes(folder, environment))
        queues = endpoint = start_s3(processes, folder)
        if store_of(request.config) == "ceph":
            gateway = start_ceph(processes, folder / "cluster")
            endpoint, stranger = gateway["endpoint"], environment_of(gateway["stranger"])
            environment |= environment_of(gateway["owner"])
        os.environ.update(environment)
        yield Servers(start_valkey(processes, folder), endpoint, queues, environment, stranger)


@pytest.fixture
def bucket(servers: Servers) -> str:
    """A bucket of the test's own."""
    name = f"bucket-{uuid4().hex}"
    servers.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def gate(servers) -> Iterator[Gate]:
    with Gate(servers.endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.opened.set()
        server.shutdown()


@pytest.fixture
def desk(servers: Servers, bucket: str) -> Desk:
    settings = servers.settings()
    environment = servers.environment_of(settings)
    return Desk(settings, environment, bucket, servers.redis())


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., str]:
    """Start a webhook for the events of a place; return its URL, in which a store shows the token."""

    def serve(processes: Processes, source: str, output: str) -> str:
        processes.environment["SEMJPEG_EVENTS__TOKEN"] = TOKEN
        processes.start("serve", sys.executable, "-m", "semjpeg", "events", "serve", source, output, "--port", "0")
        until = time.monotonic() + START_S
        while True:
            processes.check()
            assert time.monotonic() < until, "the webhook did not start"
            for line in (tmp_path / "serve.log").read_text().splitlines():
                if '"listening"' in line:
                    return f"http://semjpeg:{TOKEN}@127.0.0.1:{json.loads(line)['port']}/"
            time.sleep(0.05)

    return serve


@pytest.fixture
def notify(servers: Servers) -> Callable[[str, str], None]:
    """Have Ceph tell a URL of all that is created in a bucket."""

    def notify(bucket: str, url: str) -> None:
        topics = boto3.client("sns", endpoint_url=servers.endpoint, region_name=REGION)
        # it takes a password in a topic's URL over TLS alone: we say what a proxy says that ends it
        topics.meta.events.register(
            "before-sign.sns", lambda request, **_: request.headers.add_header("X-Forwarded-Proto", "https")
        )
        arn = topics.create_topic(Name=f"topic-{uuid4().hex}", Attributes={"push-endpoint": url})["TopicArn"]
        topic = {"Id": "created", "TopicArn": arn, "Events": ["s3:ObjectCreated:*"]}
        servers.client("s3").put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"TopicConfigurations": [topic]}
        )

    return notify


@pytest.fixture
def announce(servers: Servers, serve, notify) -> Callable[[Processes, str, str], None]:
    """Have all that is created in a place become jobs, by the way that the store has: a queue, or a webhook."""

    def announce(processes: Processes, source: str, output: str) -> None:
        bucket = Place.parse(source).bucket
        if servers.is_ceph:
            notify(bucket, serve(processes, source, output))
            return
        sqs = servers.client("sqs")
        queue_url = sqs.create_queue(QueueName=f"queue-{uuid4().hex}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        queue = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
        servers.client("s3").put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [queue]}
        )
        processes.environment["SEMJPEG_SQS__QUEUE_URL"] = queue_url
        command = ("events", "poll", source, output, "--wait", "1")
        processes.start("poller", sys.executable, "-m", "semjpeg", *command)

    return announce
