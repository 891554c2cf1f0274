"""`semjpeg events poll`."""

from __future__ import annotations

import signal
import threading

import click
import structlog

from config.logs import configure_logging
from config.recipes import Route
from config.settings import Settings
from producer.queue import JobQueue
from producer.routing import Router
from producer.sqs import LONG_POLL_S, SqsPoller

_log = structlog.get_logger("semjpeg.events")


@click.group(name="events")
def command() -> None:
    """Turn a store's notifications into jobs."""


@command.command()
@click.argument("source", required=False, metavar="[SRC")
@click.argument("output", required=False, metavar="DST]")
@click.option(
    "--recipe",
    "recipe_name",
    default="default",
    show_default=True,
    help="Name of the recipe, where SRC and DST are given.",
)
@click.option("--run", default="events", show_default=True, help="Name under which the jobs are counted.")
@click.option(
    "--wait",
    "long_poll_s",
    type=click.IntRange(0, LONG_POLL_S),
    default=LONG_POLL_S,
    show_default=True,
    help="Seconds for which one request waits for notifications.",
)
def poll(source: str | None, output: str | None, recipe_name: str, run: str, long_poll_s: int) -> None:
    """Take notifications from the SQS queue `sqs.queue_url` until SIGTERM.

    Images created under SRC go to DST; without both, the routes of the settings hold.
    """
    if (source is None) != (output is None):
        raise click.UsageError("give both SRC and DST, or neither")
    configure_logging()
    settings = Settings.load()
    if source is not None and output is not None:
        route = Route(source=source, output=output, recipe=recipe_name)
        settings = settings.model_copy(update={"routes": (route,)})
    poller = SqsPoller(settings, Router(settings, run), JobQueue(settings), long_poll_s=long_poll_s)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _log.info("polling", queue=settings.sqs.queue_url, routes=[str(r.source_place) for r in settings.routes])
    poller.run(stop)
