"""`semjpeg reconcile SRC DST`."""

from __future__ import annotations

import hashlib
import json
import signal
import sys
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from config.errors import ConfigurationError
from config.logs import configure_logging
from config.queues import BULK
from config.recipes import Route
from config.settings import Settings
from config.telemetry import ProducerTelemetry, served
from producer.looks import Findings, Listener, Looks
from producer.queue import JobQueue
from producer.reconcile import THREADS, Check, Reconciler
from storage import Stores

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command(name="reconcile")
@click.argument("source", metavar="SRC")
@click.argument("output", metavar="DST")
@click.option(
    "--recipe", "recipe_name", default="default", show_default=True, help="Name of the recipe in the settings."
)
@click.option(
    "--run", help="Name under which the jobs are counted, and under which a run goes on; default: made from the time."
)
@click.option("--restart", is_flag=True, help="Begin the run anew, whatever it has found out already.")
@click.option(
    "--every",
    "interval_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    help="Stay, and look again so long after each look and the end of what it queued.",
)
@click.option("--deep", is_flag=True, help="Read the metadata of every result: finds those of other recipes, too.")
@click.option("--failed", "retry_failed", is_flag=True, help="Queue what has failed once more.")
@click.option("--orphans", "list_orphans", is_flag=True, help="List the results whose sources are gone.")
@click.option(
    "--model-hash",
    metavar="SHA256",
    help="Of the weights that the workers use; default: of those that the settings name.",
)
@click.option("--dry-run", is_flag=True, help="Queue nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(
    source: str,
    output: str,
    recipe_name: str,
    run: str | None,
    interval_s: float | None,
    model_hash: str | None,
    *,
    restart: bool,
    deep: bool,
    retry_failed: bool,
    list_orphans: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Queue the images under SRC that have no right result in DST.

    A result is right if it is of its source's newest version, recipe and network. This heals events that were lost and
    a broker that was. Nothing is ever deleted. A run that was killed goes on where it stood when it is started again
    under its name, and one that ended begins again, looking less closely at what it found right.
    """
    if interval_s is not None and (dry_run or retry_failed):
        raise click.UsageError("--every looks again and again: without --dry-run and --failed")
    configure_logging()
    settings = Settings.load()
    route = Route(source=source, output=output, recipe=recipe_name)
    stores = Stores(settings, max_connections=THREADS + 1)
    reconciler = Reconciler(
        source=stores.open(route.source_place.bucket),
        output=stores.open(route.output_place.bucket),
        route=route,
        recipe=settings.recipe(recipe_name),
        run=run or f"reconcile-{datetime.now(UTC):%Y%m%dT%H%M%S}",
        check=Check(model_hash or weights_hash(settings.model.path), settings.limits.deadline_s, deep=deep),
    )
    listener = Listener(
        line=partial(click.echo, err=as_json),
        warning=partial(click.echo, err=True),
        orphan=partial(click.echo, err=as_json) if list_orphans else lambda _: None,
        figures=partial(_show, reconciler.run, as_json=as_json),
    )
    if dry_run:
        findings = Findings(listener.orphan)
        for _ in findings.steps(reconciler):
            pass
        listener.figures(findings.figures(0))
        return
    telemetry = ProducerTelemetry(settings, BULK)
    looks = Looks(JobQueue(settings, telemetry), reconciler, listener, retry_failed=retry_failed)
    with served(telemetry, settings.prometheus):
        if interval_s is None:
            looks.look(restart=restart)
        else:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            looks.forever(interval_s, restart=restart)


def _show(run: str, figures: Mapping[str, int], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"run": run, **figures}))
    else:
        click.echo(", ".join(f"{name} {count:,}" for name, count in figures.items()) + f", in the run {run}")


def weights_hash(weights: Path | None) -> str:
    """Return the SHA-256 of the workers' weights: the recorded one, for a producer may have no package for networks.

    Raises:
        ConfigurationError: The weights cannot be read.
    """
    if weights is None:
        package = find_spec("models")  # is found without being imported
        weights = Path(str(package and package.origin)).parent / "weights" / "msroi.keras"
    try:
        record = weights.with_suffix(".json")
        if record.is_file():
            return str(json.loads(record.read_text(encoding="utf-8"))["sha256"])
        return hashlib.sha256(weights.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"the hash of the weights {weights} is unknown ({error}): give --model-hash"
        ) from error
