"""Figures as words: short, of steady width, and never a guess where nothing is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from semjpeg.status.state import RunState, SystemState

NOTHING = "–"
"""Stands where nothing is known or nothing is there."""

_MB = 1_000_000
_FINE_MB = 100
"""From here on, megabytes are told without decimals."""
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MOST_S = 1000 * 86_400
_FINE_PACE = 10
"""From here on, a pace is told with one decimal."""


def megabytes(bytes_in: int, bytes_out: int) -> str:
    """Say how much went in and came out."""
    if not bytes_in:
        return NOTHING
    return f"{_mb(bytes_in)} → {_mb(bytes_out)}"


def _mb(amount_bytes: int) -> str:
    amount = amount_bytes / _MB
    return f"{amount:,.0f}" if amount >= _FINE_MB else f"{amount:.2f}"


def saved(bytes_in: int, bytes_out: int) -> str:
    """Say which share of the bytes was saved."""
    return f"{1 - bytes_out / bytes_in:.0%}" if bytes_in else NOTHING


def pace(images_per_s: float | None) -> str:
    """Say how many images a second there were."""
    if images_per_s is None:
        return NOTHING
    return f"{images_per_s:.2f}" if images_per_s < _FINE_PACE else f"{images_per_s:,.1f}"


def span(seconds: float | None) -> str:
    """Say how long something takes, in its two largest units."""
    if seconds is None:
        return "unknown"
    if seconds > _MOST_S:
        return f"over {_MOST_S // 86_400:,} d"
    left = round(seconds)
    parts: list[str] = []
    for length_s, unit in _UNITS:
        amount, left = divmod(left, length_s)
        if amount or (unit == "s" and not parts):
            parts.append(f"{amount} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def time_left(run: RunState) -> str:
    """Say how long it takes until nothing is left."""
    return NOTHING if run.is_over else span(run.left_s)


def stage(run: RunState) -> str:
    """Say in a word what a run is at."""
    if run.is_being_enqueued:
        return "being enqueued"
    if run.is_over:
        return "over"
    return "running" if run.in_flight else "waiting"


def run_line(state: SystemState) -> str:
    """Say all about the one run of a state in a line, for a log."""
    return f"{_line(state.runs[0])}, {plural(len(state.workers), 'worker')}"


def system_lines(state: SystemState) -> str:
    """Say in a line what is in the queue and who works, and in one for each run that is not over what it is at."""
    queue = (
        f"queue: {state.waiting:,} waiting, {state.delivered:,} taken, {state.put_aside:,} put aside, "
        f"{plural(len(state.workers), 'worker')}, {state.in_flight:,} in flight"
    )
    return "\n".join([queue, *(_line(run) for run in state.runs if not run.is_over)])


def _line(run: RunState) -> str:
    counts = [f"{run.count(name):,} {name}" for name in ("done", "unchanged", "failed")]
    parts = [
        f"{plain(run.name)}: {stage(run)}",
        *counts,
        f"{run.in_flight:,} in flight",
        f"{run.queued:,} queued",
        f"MB in → out {megabytes(run.count('bytes_in'), run.count('bytes_out'))}",
        f"{pace(run.images_per_s)} images/s",
        f"time left {time_left(run)}",
    ]
    return ", ".join(parts)


def plural(amount: int, thing: str) -> str:
    """Say how many things there are."""
    return f"{amount:,} {thing}{'' if amount == 1 else 's'}"


def plain(text: str) -> str:
    """Make a name safe for a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
