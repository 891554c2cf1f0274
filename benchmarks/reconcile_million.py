"""What `semjpeg reconcile` takes for any number of images, and whether it finds all that is wrong when it is killed.

    nice python benchmarks/reconcile_million.py --keys 1000000 --kills 8

runs the command before a stand-in for an S3 server with made-up sources and results: of a thousand sources one has no
result and one has a result of another version. The results were written a day after their sources, which dates alone
tell, or with `--prompt` seconds after them, as by workers that get events: then each costs a HEAD request.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import threading
import time
from collections import Counter
from multiprocessing import Process, Queue
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from urllib.request import urlopen

import redis
from backfill_million import Listing, Workers, key_of, moments, produce, serve, settings_for

from config.jobs import Job
from config.objects import ObjectVersion
from config.recipes import Recipe, Route
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_valkey

_MODEL = "0" * 64
_ROUTE = Route(source="s3://photos/in", output="s3://small")
_SPAN = 1000
"""Of so many sources one has no result and one a stale one."""
_MIB = 1 << 20
_DATES = {"photos": "2026-11-01T00:00:00.000Z", "small": "2026-11-02T00:00:00.000Z"}
_PROMPT = "2026-11-01T00:00:03.000Z"
_ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>{date}</LastModified><ETag>&quot;{number:032x}&quot;</ETag>"
    "<Size>1000</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


class _Places(Listing):
    """Answers ListObjectsV2 and HEAD for sources and results, and counts both."""

    dates = _DATES
    counts: Counter[str] = Counter()  # noqa: RUF012 - one for all requests

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server looks for
        """List a page, or tell the counts."""
        url = urlsplit(self.path)
        if url.path == "/counts":
            self._send(json.dumps(self.counts).encode())
            return
        self.counts["lists"] += 1
        bucket, query = url.path.strip("/"), parse_qs(url.query)
        if query.get("prefix", [""])[0].startswith(".semjpeg/"):
            self._send(b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
            return
        after = query.get("continuation-token") or [re.sub(r"\D", "", query.get("start-after", [""])[0])]
        first = int(after[0]) + 1 if after[0] else 0
        last = min(first + 1000, self.keys)
        entries = [
            _ENTRY.format(key=quote(_key(bucket, n)), number=n, date=self.dates[bucket])
            for n in range(first, last)
            if bucket == "photos" or n % _SPAN
        ]
        more = f"<NextContinuationToken>{last - 1}</NextContinuationToken>" if last < self.keys else ""
        self._send(
            f"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>{str(bool(more)).lower()}</IsTruncated>"
            f"{more}{''.join(entries)}</ListBucketResult>".encode()
        )

    def do_HEAD(self) -> None:  # noqa: N802 - likewise
        """Describe a result, or say that a source is not there."""
        self.counts["heads"] += 1
        bucket, _, key = unquote(self.path).strip("/").partition("/")
        number = int(re.sub(r"\D", "", key) or 0)
        if bucket != "small" or key != _key(bucket, number):
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        etag = f"{number:032x}" if number % _SPAN != 1 else "another"
        job = Job.of(_ROUTE, Recipe(), ObjectVersion(key_of(number), etag, 1000), run="earlier")
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.send_header("ETag", '"result"')
        self.send_header("Last-Modified", "Sun, 01 Nov 2026 00:00:03 GMT")
        self.send_header("x-amz-meta-semjpeg-job", job.identity(_MODEL))
        self.end_headers()

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _PromptPlaces(_Places):
    """The results were written seconds after their sources."""

    dates = {**_DATES, "small": _PROMPT}  # noqa: RUF012 - is not changed


def _key(bucket: str, number: int) -> str:
    return key_of(number) if bucket == "photos" else f"{key_of(number).removeprefix('in/')}.jpg"


def run(keys: int, kills: int, folder: Path, *, prompt: bool) -> None:
    """Reconcile all keys, killing the command so many times, and print a line of the table."""
    told: Queue[int] = Queue()
    server = Process(target=serve, args=(_PromptPlaces if prompt else _Places, keys, told), daemon=True)
    server.start()
    port = told.get()
    environment = settings_for(port)
    arguments = ["reconcile", _ROUTE.source, _ROUTE.output, "--run", "million", "--model-hash", _MODEL]
    wrong = {n for n in range(keys) if n % _SPAN == 0 or (prompt and n % _SPAN == 1)}
    with Processes(folder, environment) as processes:
        url = start_valkey(processes, folder)
        workers = Workers(redis.Redis.from_url(url), keys, "semjpeg:semjpeg")
        thread = threading.Thread(target=workers.work)
        thread.start()
        began_s = time.monotonic()
        environment["SEMJPEG_BROKER__URL"] = url
        peaks, killed = produce(arguments, environment, workers.client, moments(kills, len(wrong)))
        seconds = time.monotonic() - began_s
        workers.ended = True
        thread.join()
        with urlopen(f"http://127.0.0.1:{port}/counts") as answer:
            counts = json.load(answer)
    server.terminate()
    missed = sum(1 for n in wrong if not workers.seen[n])
    others = sum(count for n, count in enumerate(workers.seen) if n not in wrong)
    twice = sum(1 for count in workers.seen if count > 1)
    print(
        f"{keys:>9,} {killed:>5} {missed:>6,} {others:>6,} {twice:>5,} {counts['lists']:>7,} "
        f"{counts.get('heads', 0):>9,} {max(peaks) / _MIB:>9.1f} {seconds:>8.0f} {keys / seconds:>8,.0f}",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--prompt", action="store_true", help="results were written seconds after their sources")
    options = parser.parse_args()
    print("     keys kills missed others twice   lists     heads  peak MiB  seconds   keys/s", flush=True)
    for keys, kills in ((options.keys // 10, 0), (options.keys, 0), (options.keys, options.kills)):
        with tempfile.TemporaryDirectory() as folder:
            run(keys, kills, Path(folder), prompt=options.prompt)


if __name__ == "__main__":
    main()
