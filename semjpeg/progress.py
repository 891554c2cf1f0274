"""How far a long work is: a bar on a terminal, a line for each tenth elsewhere, both on standard error."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LINES = 10


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[Path, str], None]]:
    """Show how far `total` pictures are.

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
            if not console.is_terminal and done * _LINES // total > (done - 1) * _LINES // total:
                console.print(f"{label}: {done}/{total}", markup=False, soft_wrap=True)

        yield tell
