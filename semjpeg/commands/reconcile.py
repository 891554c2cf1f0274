"""`semjpeg reconcile SRC DST`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from config.errors import ConfigurationError
from config.logs import configure_logging
from config.recipes import Route
from config.settings import Settings
from producer.announce import announced
from producer.feed import Step, feed
from producer.queue import JobQueue
from producer.reconcile import THREADS, Check, Reconciler, State
from storage import Stores

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRONG = (State.MISSING, State.STALE)


@click.command(name="reconcile")
@click.argument("source", metavar="SRC")
@click.argument("output", metavar="DST")
@click.option(
    "--recipe", "recipe_name", default="default", show_default=True, help="Name of the recipe in the settings."
)
@click.option("--run", help="Name under which the jobs are counted; default: made from the time.")
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
    model_hash: str | None,
    *,
    deep: bool,
    retry_failed: bool,
    list_orphans: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Queue the images under SRC that have no right result in DST.

    A result is right if it is of its source's newest version, recipe and network. This heals events that were lost and
    a broker that was. Nothing is ever deleted.
    """
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
    findings = _Findings(retry_failed=retry_failed, list_orphans=list_orphans, as_json=as_json)
    jobs = findings.jobs(reconciler)
    queued = 0
    if dry_run:
        for _ in jobs:
            pass
    else:
        queue = JobQueue(settings)
        with announced(queue.counters, reconciler.run, str(route.source_place)):
            queued = feed(queue, jobs, None, lambda _: None, lambda line: click.echo(line, err=True))
    findings.show(reconciler.run, queued)


class _Findings:
    """What is found, counted and told."""

    def __init__(self, *, retry_failed: bool, list_orphans: bool, as_json: bool) -> None:
        self._wrong = (*_WRONG, State.FAILED) if retry_failed else _WRONG
        self._list_orphans = list_orphans
        self._as_json = as_json
        self._counts: Counter[State] = Counter()

    def jobs(self, reconciler: Reconciler) -> Iterator[Step]:
        """Yield what is to be queued."""
        for verdict in reconciler.verdicts():
            self._counts[verdict.state] += 1
            if verdict.state is State.ORPHAN and self._list_orphans:
                click.echo(verdict.key, err=self._as_json)
            if verdict.job and verdict.state in self._wrong:
                yield Step(verdict.job, verdict.key)

    def show(self, run: str, queued: int) -> None:
        """Print the figures."""
        sources = self._counts.total() - self._counts[State.ORPHAN]
        figures = {
            "sources": sources,
            "right": self._counts[State.RIGHT],
            "missing": self._counts[State.MISSING],
            "stale": self._counts[State.STALE],
            "failed": self._counts[State.FAILED],
            "orphans": self._counts[State.ORPHAN],
            "queued": queued,
        }
        if self._as_json:
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
