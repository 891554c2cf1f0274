"""`semjpeg status [RUN]`."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from config.counters import MOST_RUNS
from config.settings import Settings
from semjpeg.status.document import run_document, system_document
from semjpeg.status.reading import StateReader
from semjpeg.status.show import detail, overview
from semjpeg.status.watch import Lines, Picture, live, watch
from semjpeg.status.words import run_line, system_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from semjpeg.status.state import SystemState
    from semjpeg.status.watch import Screen

_INTERVAL_S = 2.0
_MOST_RUNS = 20
_WIDTH_OF_A_LOG = 140
"""Columns of what is printed into a file or a pipe, which have no width of their own."""


@click.command(name="status")
@click.argument("run", required=False)
@click.option("--watch", "watched", is_flag=True, help="Look again and again; with RUN until it is over.")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(min=0.1),
    default=_INTERVAL_S,
    show_default=True,
    help="Seconds between two looks with --watch; a look takes a good second.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object; with --watch one on each line.")
@click.option("--all", "all_runs", is_flag=True, help=f"Show all runs, not only the {_MOST_RUNS} that moved last.")
def command(run: str | None, interval_s: float, *, watched: bool, as_json: bool, all_runs: bool) -> None:
    """Show how runs, queue and workers are doing.

    Without RUN all runs are shown, the newest first. With --watch and RUN the exit code is 1 if images of the run
    have failed.
    """
    if run and all_runs:
        raise click.UsageError("give either RUN or --all")
    reader = StateReader(Settings.load())
    look = partial(reader.run, run) if run else partial(reader.system, MOST_RUNS if all_runs else _MOST_RUNS)
    view = _OF_A_RUN if run else _OF_THE_SYSTEM
    console = Console(highlight=False)
    if not watched:
        _print(look(), view, console, as_json=as_json)
        return
    try:
        with _screen(view, console, as_json=as_json) as screen:
            last = watch(look, screen, interval_s, until_over=bool(run))
    except KeyboardInterrupt:
        if run:
            raise
        return  # there is no other way to end it
    sys.exit(1 if any(seen.count("failed") for seen in last.runs) else 0)


@dataclass(frozen=True, slots=True)
class _View:
    """How a state is told: as JSON, on a terminal of some width, and in a log."""

    document: Callable[[SystemState], dict[str, Any]]
    draw: Callable[[SystemState, int], RenderableType]
    tell: Callable[[SystemState], str]

    def as_json(self, state: SystemState) -> str:
        """Tell a state on one line, for machines."""
        return json.dumps(self.document(state), ensure_ascii=False)


_OF_A_RUN = _View(run_document, detail, run_line)
_OF_THE_SYSTEM = _View(system_document, overview, system_lines)


def _print(state: SystemState, view: _View, console: Console, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(view.document(state), ensure_ascii=False, indent=2))
        return
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_LOG
    console.print(view.draw(state, console.width))


@contextmanager
def _screen(view: _View, console: Console, *, as_json: bool) -> Iterator[Screen]:
    if as_json:
        yield Lines(view.as_json)
    elif console.is_terminal:
        with live(console) as area:
            yield Picture(area, view.draw)
    else:
        yield Lines(view.tell)
