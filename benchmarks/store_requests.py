"""What an image costs in requests to the object store: those of a real worker, counted on their way.

    python benchmarks/store_requests.py [--images 200]

Queues pictures twice: first there are no results, then they are there. Prices are Amazon's list prices for S3 Standard
in us-east-1, without taxes, storage and traffic; a DELETE costs nothing.
"""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click
import redis
from PIL import Image

from config.counters import RunCounters
from config.jobs import Job
from config.places import RECORDS_PREFIX
from config.recipes import Route
from producer.queue import JobQueue
from semjpeg.benchmark.pipeline.system import System, system

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIDE_PX = 64
_PATIENCE_S: Final = 300
_DOLLARS_A_MILLION: Final = {"PUT": 5.0, "GET": 0.4, "HEAD": 0.4, "DELETE": 0.0}
_OF_ONE_CONNECTION: Final = {"connection", "keep-alive", "transfer-encoding"}


@contextmanager
def counted(endpoint: str) -> Iterator[tuple[str, Counter[tuple[str, str]]]]:
    """Pass requests on to a store and count them, by method and by what they are about.

    Yields:
        The address that stands for the store's, and the counter.
    """
    counts: Counter[tuple[str, str]] = Counter()
    host = urlsplit(endpoint).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept = {name: value for name, value in self.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
            behind = HTTPConnection(host, timeout=60)
            behind.request(self.command, self.path, body, kept)
            answer = behind.getresponse()
            content = answer.read()
            behind.close()
            counts[self.command, _about(self.path)] += 1
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _OF_ONE_CONNECTION | {"content-length"}:
                    self.send_header(name, value)
            length = answer.headers["Content-Length"] if self.command == "HEAD" else len(content)
            self.send_header("Content-Length", str(length or 0))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = _pass_on  # noqa: N815 - the base class' names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
            """Keep silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", counts
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _about(path: str) -> str:
    """Name what a request is about."""
    where = urlsplit(path).path
    if f"/{RECORDS_PREFIX}" in where:
        return "a record"
    return "the source" if where.startswith("/photos/") else "the result"


def jobs(running: System, count: int) -> list[Job]:
    """Put pictures into the bucket and make a job for each."""
    picture = io.BytesIO()
    Image.linear_gradient("L").save(picture, "PNG")
    for number in range(count):
        running.source.put(f"in/{number}.png", picture.getvalue(), content_type="image/png")
    route = Route(source="s3://photos", output="s3://results")
    recipe = running.settings.recipe("default")
    return [Job.of(route, recipe, found, run="requests") for found in running.source.list("in/")]


def again(running: System, todo: list[Job]) -> None:
    """Queue jobs whose results are there, and wait until workers have seen that."""
    run = "again"
    broker = running.settings.broker
    counters = RunCounters(redis.Redis.from_url(broker.url.get_secret_value()), broker.key_prefix)
    JobQueue(running.settings).publish([job.model_copy(update={"run": run}) for job in todo])
    until = time.monotonic() + _PATIENCE_S
    while counters.read(run).get("unchanged", 0) < len(todo):
        running.processes.check()
        if time.monotonic() > until:
            raise click.ClickException(f"after {_PATIENCE_S} s: {counters.read(run)}")
        time.sleep(0.1)


def told(title: str, counts: Counter[tuple[str, str]], images: int) -> None:
    """Print how many there were for each image, and what a million of them costs."""
    print(f"{title}: {sum(counts.values()) / images:.2f} requests for an image")
    for (method, about), count in sorted(counts.items()):
        print(f"{method:>8} {about:<10} {count / images:5.2f}")
    dollars = sum(count / images * _DOLLARS_A_MILLION[method] for (method, _), count in counts.items())
    print(f"{'':>8} a million images: {dollars:.2f} $")


@click.command()
@click.option("--images", type=click.IntRange(min=1), default=200, show_default=True)
def main(images: int) -> None:
    """Run."""
    with system() as running, counted(running.settings.s3.endpoint_url or "") as (address, counts):
        running.processes.environment["SEMJPEG_S3__ENDPOINT_URL"] = address
        todo = jobs(running, images)
        with running.workers("0,1"):
            counts.clear()
            running.compress(todo)
            told("new", counts, images)
            counts.clear()
            again(running, todo)
            told("done already", counts, images)


if __name__ == "__main__":
    main()
