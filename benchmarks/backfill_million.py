"""What `semjpeg enqueue` takes for any number of keys, and whether each is queued once when it is killed on its way.

    nice python benchmarks/backfill_million.py --keys 1000000 --kills 8

runs the command before a stand-in for an S3 server, which lists made-up keys and can do nothing else, and a real
Valkey, whose queue a thread draws like workers: through, for a tenth of the keys and for all, and once more for all of
them while it is killed at random moments and started again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64decode
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Process, Queue
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import redis

from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_valkey
from semjpeg.demo.system import clean_environment

_HIGH_WATER = 20_000
_LOW_WATER = 10_000
_DRAWN = 1000
"""Jobs that the stand-in for workers takes at a time."""
_LOOK_S = 0.02
_MIB = 1 << 20
_ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>2026-11-01T00:00:00.000Z</LastModified>"
    "<ETag>&quot;{number:032x}&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


def key_of(number: int) -> str:
    """Return a key with characters that listings encode."""
    return f"in/{number:09}/a b+ü&%.jpg"


class Listing(BaseHTTPRequestHandler):
    """Answers ListObjectsV2 for `keys` made-up keys, and nothing else."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    keys: int

    def do_GET(self) -> None:
        """List a page."""
        query = parse_qs(urlsplit(self.path).query)
        after = query.get("continuation-token") or [re.sub(r"\D", "", query.get("start-after", [""])[0])]
        first = int(after[0]) + 1 if after[0] else 0
        last = min(first + 1000, self.keys)
        entries = [_ENTRY.format(key=quote(key_of(n)), number=n, size=1000 + n % 9999) for n in range(first, last)]
        more = f"<NextContinuationToken>{last - 1}</NextContinuationToken>" if last < self.keys else ""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><EncodingType>url</EncodingType>'
            f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}{''.join(entries)}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        """Answer requests until the connection ends, in whichever way."""
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Keep quiet."""


def serve(handler: type[Listing], keys: int, told: Queue[int]) -> None:
    """Answer requests about so many keys, and tell at which port."""
    handler.keys = keys
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    told.put(server.server_address[1])
    server.serve_forever()


def settings_for(port: int) -> dict[str, str]:
    """Return the environment of a command before the stand-in."""
    return {
        **clean_environment(dict(os.environ)),
        "SEMJPEG_S3__ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "SEMJPEG_S3__REGION": "us-east-1",
        "SEMJPEG_S3__ADDRESSING_STYLE": "path",
        "SEMJPEG_PRODUCER__HIGH_WATER": str(_HIGH_WATER),
        "SEMJPEG_PRODUCER__LOW_WATER": str(_LOW_WATER),
    }


@dataclass
class Workers:
    """Draws jobs whenever the queue has reached its mark, and counts each key."""

    client: redis.Redis
    keys: int
    queue: str
    seen: bytearray = field(init=False)
    most: int = 0
    ended: bool = False

    def __post_init__(self) -> None:
        self.seen = bytearray(self.keys)

    def work(self) -> None:
        """Draw until all is drawn after the producer's end."""
        drawing = False
        while not self.ended or self.client.llen(self.queue):
            waiting = int(self.client.llen(self.queue))
            self.most = max(self.most, waiting)
            drawing = self.ended or waiting >= _HIGH_WATER or (drawing and waiting > _LOW_WATER)
            if not drawing:
                time.sleep(_LOOK_S)
                continue
            for message in self.client.rpop(self.queue, _DRAWN) or ():
                key = json.loads(b64decode(json.loads(message)["body"]))[1]["key"]
                number = int(key[3:12])
                if key != key_of(number):
                    raise SystemExit(f"a wrong key: {key!r}")
                self.seen[number] = min(255, self.seen[number] + 1)


def run(keys: int, kills: int, folder: Path) -> None:
    """Queue all keys, killing the producer so many times, and print a line of the table."""
    told: Queue[int] = Queue()
    listing = Process(target=serve, args=(Listing, keys, told), daemon=True)
    listing.start()
    environment = settings_for(told.get())
    with Processes(folder, environment) as processes:
        url = start_valkey(processes, folder)
        workers = Workers(redis.Redis.from_url(url), keys, "semjpeg:semjpeg")
        thread = threading.Thread(target=workers.work)
        thread.start()
        began_s = time.monotonic()
        command = ["enqueue", "s3://photos/in", "s3://small", "--run", "million"]
        peaks, killed = produce(
            command, {**environment, "SEMJPEG_BROKER__URL": url}, workers.client, moments(kills, keys)
        )
        seconds = time.monotonic() - began_s
        workers.ended = True
        thread.join()
    listing.terminate()
    missing, doubles = workers.seen.count(0), sum(count - 1 for count in workers.seen if count > 1)
    print(
        f"{keys:>9,} {killed:>5} {missing:>7,} {doubles:>7,} {workers.most:>11,} {max(peaks) / _MIB:>10.1f} "
        f"{seconds:>8.0f} {keys / seconds:>9,.0f}",
        flush=True,
    )


def moments(count: int, jobs: int) -> list[float]:
    """Choose how many jobs stand in the queue whenever the producer is killed, of all that there will be."""
    chance = random.Random(0)  # noqa: S311 - guards nothing
    return sorted(chance.uniform(0, 0.95) * jobs for _ in range(count))


def produce(
    arguments: list[str], environment: dict[str, str], client: redis.Redis, moments: list[float]
) -> tuple[list[int], int]:
    """Run a command in the run `million` until it ends by itself.

    Returns:
        The peaks of its memory in bytes, one of each time that it was started; and how often it was killed.
    """
    command = [sys.executable, "-m", "semjpeg", *arguments]
    chance = random.Random(1)  # noqa: S311 - guards nothing
    peaks, killed = [], 0
    while True:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        status = 1
        while status and killed < len(moments):
            time.sleep(chance.uniform(0, _LOOK_S))
            queued = int(client.hget("semjpeg:run:million", "enqueued") or 0)
            if queued > moments[killed]:
                process.kill()
                killed += 1
                break
            if process.poll() is not None:
                break
        _, status, usage = os.wait4(process.pid, 0) if process.returncode is None else (0, process.returncode, None)
        process.returncode = os.waitstatus_to_exitcode(status) if usage else status
        peaks.append(usage.ru_maxrss * 1024 if usage else 0)
        if process.returncode == 0:
            return peaks, killed
        if process.returncode > 0:
            raise SystemExit(f"semjpeg {arguments[0]} ended with {process.returncode}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=8)
    options = parser.parse_args()
    print("     keys kills missing doubles queue most  peak MiB  seconds    keys/s", flush=True)
    for keys, kills in ((options.keys // 10, 0), (options.keys, 0), (options.keys, options.kills)):
        with tempfile.TemporaryDirectory() as folder:
            run(keys, kills, Path(folder))


if __name__ == "__main__":
    main()
