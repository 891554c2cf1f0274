"""`semjpeg enqueue SRC DST`."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import redis

from config.counters import LEASE_S
from config.errors import BrokerUnavailableError
from config.logs import configure_logging
from config.recipes import Route
from config.settings import Settings
from producer.queue import JobQueue
from producer.scan import Follower, scan
from storage import Stores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.counters import RunCounters
    from config.jobs import Job

_FOLLOW_INTERVAL_S = 5.0
_BROKER_PAUSE_S = 2.0
_BROKER_ATTEMPTS = 60
_LINE_EVERY = 1000
_ANNOUNCE_EVERY_S = LEASE_S / 4


@click.command(name="enqueue")
@click.argument("source", metavar="SRC")
@click.argument("output", metavar="DST")
@click.option(
    "--recipe", "recipe_name", default="default", show_default=True, help="Name of the recipe in the settings."
)
@click.option("--run", help="Name under which the jobs are counted; default: made from the time.")
@click.option("--follow", is_flag=True, help="Stay and queue what arrives later.")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(min=0.1),
    default=_FOLLOW_INTERVAL_S,
    show_default=True,
    help="Seconds between two looks with --follow.",
)
def command(source: str, output: str, recipe_name: str, run: str | None, *, follow: bool, interval_s: float) -> None:
    """Queue every image under SRC; its result goes to DST.

    SRC and DST are s3://bucket/prefix (or file:///folder, which all workers must see). What is done already costs a
    worker one HEAD request.
    """
    configure_logging()
    settings = Settings.load()
    route = Route(source=source, output=output, recipe=recipe_name)
    recipe = settings.recipe(recipe_name)
    run = run or f"enqueue-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    store = Stores(settings).open(route.source_place.bucket)
    queue = JobQueue(settings)
    jobs = Follower(store, route, recipe, run).forever(interval_s) if follow else scan(store, route, recipe, run)
    queued = 0
    with _announced(queue.counters, run, str(route.source_place)):
        for job in jobs:
            _enqueue(queue, job)
            queued += 1
            if follow or queued % _LINE_EVERY == 0:
                click.echo(f"queued {queued:,}: {job.key}")
    click.echo(f"queued {queued:,} images of {route.source_place} in the run {run}")


@contextmanager
def _announced(counters: RunCounters, run: str, source: str) -> Iterator[None]:
    """Tell those who watch the run that more may come, until the listing ends; a thread does, for listings pause."""
    ended = threading.Event()

    def announce() -> None:
        while not ended.is_set():
            with suppress(redis.RedisError):  # who queues the jobs waits for a broker that is away, and says so
                counters.announce(run, source)
            ended.wait(_ANNOUNCE_EVERY_S)

    thread = threading.Thread(target=announce, name="announce", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(redis.RedisError):
            counters.withdraw(run, source)


def _enqueue(queue: JobQueue, job: Job) -> None:
    """Queue a job, waiting for room and for a broker that is away."""
    for attempt in range(_BROKER_ATTEMPTS):
        try:
            queue.wait_for_room()
            queue.enqueue(job)
        except BrokerUnavailableError as error:
            if attempt + 1 == _BROKER_ATTEMPTS:
                raise
            click.echo(f"waiting for the broker: {error}", err=True)
            time.sleep(_BROKER_PAUSE_S)
        else:
            return
