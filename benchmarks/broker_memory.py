"""What a queued job takes in the memory of the bundled Valkey, by its key's length and its recipe.

    python benchmarks/broker_memory.py [--jobs 20000]

The growth of the server's `used_memory` while the jobs are queued, divided by how many they are: so it holds the
messages, the list around them and the allocator's rounding. Every line has a server of its own.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
import redis

from config.jobs import Job
from config.objects import ObjectVersion
from config.queues import BULK, queue_key
from config.recipes import Recipe, Route
from config.settings import Settings
from producer.queue import JobQueue
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_valkey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_AT_ONCE = 500
_SIZE_BYTES = 4_000_000
_ETAG = "d41d8cd98f00b204e9800998ecf8427e"
_KEY_BYTES = (32, 256, 1000)
"""The last is nearly the longest that S3 allows for a key."""
_ROUTE = Route(source="s3://photos", output="s3://photos-small")


def jobs(count: int, key_bytes: int, recipe: Recipe) -> Iterator[list[Job]]:
    """Make jobs for keys of one length, some hundreds at a time."""
    for begin in range(0, count, _AT_ONCE):
        keys = [f"{number:08d}.jpg".rjust(key_bytes, "d") for number in range(begin, min(count, begin + _AT_ONCE))]
        yield [
            Job.of(_ROUTE, recipe, ObjectVersion(key=key, etag=_ETAG, size_bytes=_SIZE_BYTES), run="backfill")
            for key in keys
        ]


def used_bytes(server: redis.Redis) -> int:
    """Return what the server says that it uses."""
    told: Mapping[str, int] = server.info("memory")
    return told["used_memory"]


def grown_bytes(count: int, key_bytes: int, recipe: Recipe) -> int:
    """Return by how much a new server grows when jobs are queued."""
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder), os.environ) as processes:
        url = start_valkey(processes, Path(folder))
        settings = Settings.model_validate({"broker": {"url": url}})
        queue, server = JobQueue(settings), redis.Redis.from_url(url)
        before = used_bytes(server)
        for some in jobs(count, key_bytes, recipe):
            queue.publish(some)
        if (queued := server.llen(queue_key(settings.broker.key_prefix, BULK))) != count:
            raise click.ClickException(f"{queued} jobs are queued, not {count}")
        return used_bytes(server) - before


@click.command()
@click.option("--jobs", "count", type=click.IntRange(min=_AT_ONCE), default=20_000, show_default=True)
def main(count: int) -> None:
    """Run."""
    print(f"{count:,} jobs each time")
    print(f"{'recipe':>8} {'key, bytes':>10} {'bytes a job':>11} {'all, MB':>8}")
    for name, recipe in {"default": Recipe(), "mosaic": Recipe(method="mosaic")}.items():
        for key_bytes in _KEY_BYTES:
            grown = grown_bytes(count, key_bytes, recipe)
            print(f"{name:>8} {key_bytes:>10} {grown / count:>11.0f} {grown / 1e6:>8.1f}")


if __name__ == "__main__":
    main()
