"""How the state looks on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rich.console import Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from semjpeg.status.words import NOTHING, megabytes, pace, plain, plural, saved, span, stage, time_left

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rich.console import RenderableType

    from semjpeg.status.state import RunState, SystemState

_STAGE_STYLES = {"being enqueued": "cyan", "running": "green", "waiting": "yellow", "over": "dim"}
_VERY_NARROW = 56
_NARROW = 80
_WIDE = 116
"""Columns of a terminal from which on a table of runs has bars, more figures, and all."""
_ANY = 10**6
_BAR_WIDTH = 12
_DETAIL_WIDTH = 80


def overview(state: SystemState, width: int) -> RenderableType:
    """Show all runs, the queue and the workers, in at most `width` columns."""
    parts: list[RenderableType] = [_runs(state, width) if state.runs else Text("no runs yet", style="dim")]
    if state.other_runs:
        parts.append(Text(f"and {plural(state.other_runs, 'older run')}: --all shows them", style="dim"))
    return Group(*parts, Text(), *_queue_and_workers(state, width))


def detail(state: SystemState, width: int) -> RenderableType:
    """Show one run, the queue and the workers, in at most `width` columns."""
    run = state.runs[0]
    title = Table.grid(expand=True)
    title.add_column(overflow="ellipsis", no_wrap=True)
    title.add_column(justify="right", no_wrap=True)
    title.add_row(Text(plain(run.name), style="bold"), _stage(run))
    share = f"{run.ended / run.jobs:.0%}" if run.jobs else NOTHING
    told = f"{run.ended:,} of {run.jobs:,}{' so far' if run.is_being_enqueued else ''}   {share}"
    bar = Table.grid(expand=True, padding=(0, 2, 0, 0))
    bar.add_column(ratio=1)
    bar.add_column(justify="right", no_wrap=True)
    bar.add_row(_bar(run), told)
    head = Table.grid(expand=False)
    head.width = min(width, _DETAIL_WIDTH)
    head.add_row(title)
    head.add_row(bar)
    return Group(head, Text(), _figures(run, state, width), Text(), *_queue_and_workers(state, width))


def _runs(state: SystemState, width: int) -> Table:
    columns = [(name, cell) for name, least, most, cell in _COLUMNS if least <= width <= most]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("run", overflow="fold", min_width=12)
    for name, _ in columns:
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for run in state.runs:
        table.add_row(Text(plain(run.name)), *(cell(run) for _, cell in columns))
    return table


def _moved(run: RunState) -> str:
    return megabytes(run.count("bytes_in"), run.count("bytes_out"))


def _saved(run: RunState) -> str:
    return saved(run.count("bytes_in"), run.count("bytes_out"))


def _bar(run: RunState, width: int | None = None) -> ProgressBar:
    total = max(run.jobs, 1)
    return ProgressBar(total=total, completed=run.ended, width=width, complete_style="green", finished_style="green")


def _stage(run: RunState) -> Text:
    told = stage(run)
    return Text(told, style=_STAGE_STYLES[told])


def _failed(run: RunState) -> Text:
    failed = run.count("failed")
    return Text(f"{failed:,}", style="red" if failed else "")


_COLUMNS: tuple[tuple[str, int, int, Callable[[RunState], RenderableType]], ...] = (
    ("", _VERY_NARROW, _ANY, lambda run: _bar(run, width=_BAR_WIDTH)),
    ("done", 0, _ANY, lambda run: f"{run.count('done') + run.count('unchanged'):,}"),
    ("failed", 0, _ANY, _failed),
    ("left", 0, _NARROW - 1, lambda run: f"{run.left:,}"),
    ("queued", _NARROW, _ANY, lambda run: f"{run.queued:,}"),
    ("in flight", _NARROW, _ANY, lambda run: f"{run.in_flight:,}"),
    ("MB in → out", _NARROW, _ANY, _moved),
    ("saved", _WIDE, _ANY, _saved),
    ("images/s", _WIDE, _ANY, lambda run: pace(None if run.is_over else run.images_per_s)),
    ("time left", 0, _ANY, time_left),
    ("stage", _WIDE, _ANY, _stage),
)
"""A column's name, the fewest and the most columns of a terminal for which it is shown, and what it shows of a run.

Done are those, too, that were done before.
"""


def _figures(run: RunState, state: SystemState, width: int) -> Table:
    """Show counts at the left and amounts at the right, or all in one column where it is narrow."""
    left_column: list[tuple[str, str | Text]] = [
        ("done", f"{run.count('done'):,}"),
        ("unchanged", f"{run.count('unchanged'):,}"),
        ("failed", _failed(run)),
        ("in flight", f"{run.in_flight:,}"),
        ("queued", f"{run.queued:,}"),
    ]
    right_column: list[tuple[str, str | Text]] = [
        ("MB in → out", f"{_moved(run)}   {_saved(run)} saved" if run.count("bytes_in") else NOTHING),
        ("images/s", f"{pace(run.images_per_s)} in the last minute, {pace(run.mean_images_per_s)} on the whole"),
        ("time left", _time_left(run, state)),
        ("began", _since(run.moment("began"), state.at)),
        ("last ended", _since(run.moment("last_ended"), state.at)),
    ]
    for name, urls in (("from", run.counted.sources), ("to", run.counted.places)):
        right_column += [(name, Text(plain(url))) for url in urls]
    if width < _NARROW:
        return _names_and_values([*left_column, *right_column])
    table = Table.grid(padding=(0, 5, 0, 0))
    table.add_row(_names_and_values(left_column, justify="right"), _names_and_values(right_column))
    return table


def _names_and_values(rows: list[tuple[str, str | Text]], justify: Literal["left", "right"] = "left") -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify=justify, overflow="fold", min_width=7)
    for row in rows:
        table.add_row(*row)
    return table


def _queue_and_workers(state: SystemState, width: int) -> list[RenderableType]:
    threads = sum(worker.threads for worker in state.workers)
    parts: list[RenderableType] = [
        Text.assemble(
            ("queue    ", "dim"),
            f"{state.waiting:,} waiting, {state.delivered:,} taken, ",
            (f"{state.put_aside:,} put aside", "red" if state.put_aside else ""),
        ),
        Text.assemble(
            ("workers  ", "dim"),
            (f"{len(state.workers):,} alive", "" if state.workers else "yellow"),
            f", {state.in_flight:,} of {plural(threads, 'thread')} at work" if state.workers else "",
        ),
    ]
    if state.held > threads:
        told = f"{state.held:,} taken by no living worker: they wait to be tried again, or their worker died"
        parts.insert(1, Text(f"         {told}", style="yellow"))
    if state.workers:
        parts.append(Padding(_workers(state, width), (0, 0, 0, 9)))
    return parts


def _workers(state: SystemState, width: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, overflow="ellipsis")
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    for worker in state.workers:
        figures = [f"{worker.busy:,} of {plural(worker.threads, 'thread')}"]
        if width >= _NARROW:
            figures += [f"{plural(worker.attempts, 'job')} taken", f"up {span(worker.uptime_s)}"]
        table.add_row(Text(plain(worker.name)), *figures)
    return table


def _time_left(run: RunState, state: SystemState) -> str:
    """Say how long it takes, or why nobody knows."""
    if run.is_over or run.left_s is not None:
        return time_left(run)
    if run.is_being_enqueued:
        return "unknown: still being enqueued"
    return "unknown: nothing ended lately" if state.workers else "unknown: no worker is alive"


def _since(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return NOTHING
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC, {span(max((now - moment).total_seconds(), 0))} ago"
