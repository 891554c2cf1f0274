"""How many notifications a second one `semjpeg events serve` takes: each a request with one event, queued in a Valkey.

    python benchmarks/webhook_speed.py [--seconds 10] [--senders 8]

Sender, webhook and Valkey share this machine, so it is a lower bound.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import click
import redis

from config.queues import LIVE, queue_key
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import free_port, start_valkey
from semjpeg.demo.system import clean_environment

_START_S = 60.0
_NO_LIMIT = "1000000"


def request(key: str) -> bytes:
    """Make what a store sends of one upload."""
    stored = {"key": key, "size": 4_000_000, "eTag": "d41d8cd98f00b204e9800998ecf8427e"}
    s3 = {"bucket": {"name": "photos"}, "object": stored}
    return json.dumps({"Records": [{"eventName": "s3:ObjectCreated:Put", "s3": s3}]}).encode()


def send(port: int, sender: int, until: float) -> int:
    """Send one request after the other over one connection. Returns how many were taken."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_START_S)
    taken = 0
    while time.monotonic() < until:
        connection.request("POST", "/", request(f"{sender}/{taken}.jpg"))
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise click.ClickException(f"{answer.status}: {answer.read().decode()}")
        answer.read()
        taken += 1
    connection.close()
    return taken


def wait_for(processes: Processes, port: int) -> None:
    """Wait until the webhook answers."""
    until = time.monotonic() + _START_S
    while True:
        processes.check()
        try:
            HTTPConnection("127.0.0.1", port, timeout=1).connect()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), default=10, show_default=True)
@click.option("--senders", type=click.IntRange(min=1, max=64), default=8, show_default=True)
def main(seconds: float, senders: int) -> None:
    """Run."""
    environment = clean_environment(dict(os.environ))
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder), environment) as processes:
        url, port = start_valkey(processes, Path(folder)), free_port()
        processes.environment |= {
            "SEMJPEG_BROKER__URL": url,
            "SEMJPEG_EVENTS__REQUESTS_PER_S": _NO_LIMIT,
            "SEMJPEG_EVENTS__BURST": _NO_LIMIT,
            "SEMJPEG_PRODUCER__HIGH_WATER": _NO_LIMIT,
        }
        command = ("events", "serve", "s3://photos", "s3://photos-small", "--port", str(port))
        processes.start("webhook", sys.executable, "-m", "semjpeg", *command)
        wait_for(processes, port)
        began = time.monotonic()
        with ThreadPoolExecutor(senders) as pool:
            taken = sum(pool.map(lambda sender: send(port, sender, began + seconds), range(senders)))
        rate = taken / (time.monotonic() - began)
        if (queued := redis.Redis.from_url(url).llen(queue_key("semjpeg:", LIVE))) != taken:
            raise click.ClickException(f"{taken} were taken, {queued} are queued")
        print(f"{taken} requests, each queued: {rate:.0f} a second")


if __name__ == "__main__":
    main()
