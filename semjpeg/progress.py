"""How far a long work is: a bar on a terminal, lines elsewhere, both on standard error."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SHOWN_EVERY = 100
"""How often a count without an end is drawn anew: there may be tens of thousands a second."""


@contextmanager
def progress(label: str, total: int, lines: int = 10) -> Iterator[Callable[[Path, str], None]]:
    """Show how far `total` pictures are.

    Args:
        label: What is being done to them.
        total: How many there are.
        lines: How many lines to write where there is no terminal, at even distances.

    Yields:
        What to call for each picture that is done, with an empty text or the reason why it failed, which is shown.
    """
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=total)
        done = 0

        def tell(path: Path, reason: str) -> None:
            nonlocal done
            done += 1
            bar.advance(task)
            if reason:
                console.print(f"{path}: {reason}", markup=False, soft_wrap=True)
            if not console.is_terminal and done * lines // total > (done - 1) * lines // total:
                console.print(f"{label}: {done}/{total}, {path.name}: done", markup=False, soft_wrap=True)

        yield tell


@contextmanager
def counting(label: str, things: str, line_every: int) -> Iterator[Callable[[], None]]:
    """Show how many of an unknown number are done.

    Args:
        label: What is being done to them.
        things: What they are, in the plural.
        line_every: After how many to write a line where there is no terminal.

    Yields:
        What to call for each that is done.
    """
    console = Console(stderr=True, highlight=False)
    terminal = console.is_terminal
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not terminal) as bar:
        task = bar.add_task(label, total=None, count="")
        done = 0

        def tell() -> None:
            nonlocal done
            done += 1
            if terminal:
                if done % _SHOWN_EVERY == 0:
                    bar.update(task, count=f"{done:,} {things}")
            elif done % line_every == 0:
                console.print(f"{label}: {done:,} {things}")

        yield tell
