"""`semjpeg enqueue SRC DST`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from config.errors import ConfigurationError
from config.logs import configure_logging
from config.queues import BULK
from config.recipes import Route
from config.settings import Settings
from config.telemetry import ProducerTelemetry, served
from producer.announce import announced
from producer.candidates import is_candidate
from producer.checkpoint import Plan
from producer.feed import Step, feed, patiently
from producer.inventory import manifest_place, open_inventory
from producer.queue import JobQueue
from producer.scan import job_of, scan
from semjpeg import estimate as estimating
from storage import Stores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.recipes import Recipe

_SAMPLE = 40


@click.command(name="enqueue")
@click.argument("source", metavar="SRC")
@click.argument("output", metavar="DST")
@click.option(
    "--recipe", "recipe_name", default="default", show_default=True, help="Name of the recipe in the settings."
)
@click.option(
    "--run", help="Name under which the jobs are counted, and under which a run goes on; default: made from the time."
)
@click.option("--restart", is_flag=True, help="Begin the run anew, however far it has come.")
@click.option("--inventory", metavar="URL", help="Manifest of an S3 inventory that is read instead of listing SRC.")
@click.option("--dry-run", is_flag=True, help="Queue nothing: say how much there is, what it would take and save.")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=_SAMPLE,
    show_default=True,
    help="How many images --dry-run tries on this machine.",
)
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print a JSON object.")
def command(
    source: str,
    output: str,
    recipe_name: str,
    run: str | None,
    inventory: str | None,
    *,
    sample: int,
    restart: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Queue every image under SRC; its result goes to DST.

    SRC and DST are s3://bucket/prefix (or file:///folder, which all workers must see). What is done already costs a
    worker one HEAD request. A run that was killed goes on where it stood when it is started again under its name.
    --dry-run compresses a sample, where the extra 'worker' is installed, and keeps nothing of it. What arrives later is
    brought by events, or found by semjpeg reconcile --every.
    """
    if as_json and not dry_run:
        raise click.UsageError("--json needs --dry-run")
    configure_logging()
    settings = Settings.load()
    route = Route(source=source, output=output, recipe=recipe_name)
    run = run or f"enqueue-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    backfill = _Backfill(settings, route, settings.recipe(recipe_name), run)
    if dry_run:
        backfill.estimate(inventory, sample, as_json=as_json)
    else:
        backfill.run_through(inventory, restart=restart)


class _Backfill:
    """One call of the command."""

    def __init__(self, settings: Settings, route: Route, recipe: Recipe, run: str) -> None:
        self._settings = settings
        self._route = route
        self._recipe = recipe
        self._run = run
        self._stores = Stores(settings)
        self._store = self._stores.open(route.source_place.bucket)
        self._telemetry = ProducerTelemetry(settings, BULK)
        self._queue = JobQueue(settings, self._telemetry)
        self._source = str(route.source_place)

    def run_through(self, inventory: str | None, *, restart: bool) -> None:
        """Queue what there is, from where an earlier call under this run's name ended."""
        output = str(self._route.output_place)
        plan = Plan(self._run, self._source, output, self._recipe.hash, inventory or "")
        checkpoint = self._queue.checkpoint(plan)
        start = patiently(partial(checkpoint.begin, restart=restart), _warn)
        if start.finished:
            click.echo(
                f"the run {self._run} is finished: it queued {start.queued:,} images of {self._source}; "
                "--restart begins it anew"
            )
            return
        if start.position:
            click.echo(f"the run {self._run} goes on after {start.position}: {start.queued:,} are queued")
        steps = self._steps(inventory, start.position)
        with (
            served(self._telemetry, self._settings.prometheus),
            announced(self._queue.counters, self._run, self._source),
        ):
            queued = feed(self._queue, steps, checkpoint, click.echo, _warn)
            patiently(checkpoint.finish, _warn)
        click.echo(f"queued {start.queued + queued:,} images of {self._source} in the run {self._run}")

    def estimate(self, inventory: str | None, sample: int, *, as_json: bool) -> None:
        """Count what there is and, on a machine that can, try a sample of it."""
        counted = estimating.count((step.job for step in self._steps(inventory, "") if step.job), sample)
        figures = None
        if counted.sample and estimating.can_compress():
            limits = self._settings.limits
            tried = estimating.attempt(counted.sample, self._store, self._recipe, limits, _warn)
            figures = estimating.estimate(counted, tried)
        if as_json:
            document = {"source": self._source, "images": counted.images, "bytes_in": counted.bytes_in}
            click.echo(json.dumps({**document, "estimate": figures and figures.as_dict()}))
        else:
            click.echo("\n".join(estimating.lines(counted, figures)))

    def _steps(self, inventory: str | None, position: str) -> Iterator[Step]:
        return self._from_inventory(inventory, position) if inventory else self._from_listing(position)

    def _from_listing(self, position: str) -> Iterator[Step]:
        for job in scan(self._store, self._route, self._recipe, self._run, start_after=position):
            yield Step(job, job.key)

    def _from_inventory(self, url: str, position: str) -> Iterator[Step]:
        place, key = manifest_place(url)
        inventory = open_inventory(self._stores.open(place.bucket), key)
        bucket, prefix = self._route.source_place.bucket, self._route.source_place.prefix
        if inventory.source_bucket != bucket:
            raise ConfigurationError(f"{url} describes the bucket {inventory.source_bucket}, not {bucket}")
        for source, at in inventory.objects(position):
            if source.key.startswith(prefix) and is_candidate(source):
                job = job_of(self._route, self._recipe, source, self._run)
                if job:
                    yield Step(job, at)


def _warn(line: str) -> None:
    click.echo(line, err=True)
