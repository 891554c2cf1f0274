"""`semjpeg events serve` and `semjpeg events poll`."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import structlog

from config.errors import BrokerUnavailableError, ConfigurationError
from config.logs import configure_logging
from config.queues import LIVE
from config.recipes import Route
from config.settings import Settings
from config.telemetry import ProducerTelemetry, served
from producer.intake import Intake
from producer.polling import Room
from producer.polling import poll as poll_until
from producer.queue import JobQueue
from producer.redis_list import RedisListPoller
from producer.routing import Router
from producer.sqs import LONG_POLL_S, SqsPoller
from storage import Stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PORT = 8086
_log = structlog.get_logger("semjpeg.events")


@click.group(name="events")
def command() -> None:
    """Turn a store's notifications into jobs."""


def _routed(function: Callable[..., None]) -> Callable[..., None]:
    """Add the arguments that say what goes where."""
    for decorate in reversed((
        click.argument("source", required=False, metavar="[SRC"),
        click.argument("output", required=False, metavar="DST]"),
        click.option(
            "--recipe",
            "recipe_name",
            default="default",
            show_default=True,
            help="Name of the recipe, where SRC and DST are given.",
        ),
        click.option("--run", default="events", show_default=True, help="Name under which the jobs are counted."),
    )):  # fmt: skip
        function = decorate(function)
    return function


@command.command()
@_routed
@click.option(
    "--from",
    "origin",
    type=click.Choice(["sqs", "redis"]),
    help="Where notifications arrive; default: whichever of sqs.queue_url and events.redis_list is set.",
)
@click.option(
    "--wait",
    "long_poll_s",
    type=click.IntRange(0, LONG_POLL_S),
    default=LONG_POLL_S,
    show_default=True,
    help="Seconds for which one request to SQS waits for notifications.",
)
def poll(origin: str | None, long_poll_s: int, **routed: Any) -> None:
    """Take notifications from an SQS queue or a Redis list until SIGTERM.

    Images created under SRC go to DST; without both, the routes of the settings hold.
    """
    settings = _settings(**routed)
    telemetry = ProducerTelemetry(settings, LIVE)
    queue = JobQueue(settings, telemetry, queue=LIVE)
    intake = _intake(settings, queue, telemetry, routed["run"])
    room = Room(queue, settings.producer)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with served(telemetry, settings.prometheus), _poller(settings, intake, origin, long_poll_s) as poll_once:
        poll_until(poll_once, room, stop)


@command.command()
@_routed
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at; other machines need a token (SEMJPEG_EVENTS__TOKEN).",
)
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="0 means a free one.")
@click.option("--path", help="The only path that takes notifications; default: any.")
@click.option("--certificate", type=click.Path(path_type=Path), help="PEM file with the certificate: serve HTTPS.")
@click.option("--key", type=click.Path(path_type=Path), help="PEM file with the certificate's key.")
def serve(host: str, port: int, path: str | None, certificate: Path | None, key: Path | None, **routed: Any) -> None:
    """Take notifications over HTTP until SIGTERM: a webhook for the store.

    Images created under SRC go to DST; without both, the routes of the settings hold. A request is answered with 200
    after its jobs are queued; with 503 the store has to send again. GET /healthz tells whether the process lives.
    """
    from producer.serving import Address, check
    from producer.serving import serve as serve_until
    from producer.webhook import Webhook

    if path and not path.startswith("/"):
        raise click.UsageError("--path must begin with a slash")
    settings = _settings(**routed)
    address = Address(host, port, certificate, key)
    check(address, has_token=settings.events.token is not None)
    telemetry = ProducerTelemetry(settings, LIVE)
    queue = JobQueue(settings, telemetry, queue=LIVE)
    intake = _intake(settings, queue, telemetry, routed["run"])
    webhook = Webhook(settings.events, intake, Room(queue, settings.producer).is_full)
    with served(telemetry, settings.prometheus):
        _log.info("serving", routes=_sources(settings))
        serve_until(webhook.application(path), address)


def _settings(source: str | None, output: str | None, recipe_name: str, run: str) -> Settings:
    """Read the settings; SRC and DST take the place of their routes."""
    del run
    if (source is None) != (output is None):
        raise click.UsageError("give both SRC and DST, or neither")
    configure_logging()
    settings = Settings.load()
    if source is None or output is None:
        return settings
    return settings.model_copy(update={"routes": (Route(source=source, output=output, recipe=recipe_name),)})


def _intake(settings: Settings, queue: JobQueue, telemetry: ProducerTelemetry, run: str) -> Intake:
    return Intake(Router(settings, run, Stores(settings, settings.events.threads)), queue, telemetry)


@contextmanager
def _poller(settings: Settings, intake: Intake, origin: str | None, long_poll_s: int) -> Iterator[Callable[[], int]]:
    """Open what notifications are polled from."""
    if _origin(settings, origin) == "sqs":
        _log.info("polling", queue=settings.sqs.queue_url, routes=_sources(settings))
        yield SqsPoller(settings, intake, long_poll_s=long_poll_s).poll_once
        return
    poller = RedisListPoller(settings, intake)
    _log.info("polling", list=settings.events.redis_list, routes=_sources(settings))
    try:
        yield poller.poll_once
    finally:
        with suppress(BrokerUnavailableError):
            poller.close()


def _origin(settings: Settings, asked: str | None) -> str:
    there = [name for name, value in (("sqs", settings.sqs.queue_url), ("redis", settings.events.redis_list)) if value]
    if asked:
        return asked
    if len(there) != 1:
        raise ConfigurationError(
            "both sqs.queue_url and events.redis_list are set: say --from sqs or --from redis"
            if there
            else "neither sqs.queue_url nor events.redis_list is set: nothing says where notifications arrive"
        )
    return there[0]


def _sources(settings: Settings) -> list[str]:
    return [str(route.source_place) for route in settings.routes]
