"""Where a worker's work holds Python's global lock, so that its other threads wait.

    python benchmarks/global_lock.py PICTURE…

One thread compresses the pictures as a worker does, without broker and store. Another one, on a core of its own, asks
for the lock again and again, and notes where the first one was whenever it had to wait. Prints the milliseconds of
waiting for each picture by function and line, with what called it, and how often the system had to give fresh memory.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from config.jobs import Job
from config.recipes import Recipe
from config.settings import Settings
from worker.pipeline import make
from worker.stages import Stages
from worker.tools import Tools

if TYPE_CHECKING:
    from types import FrameType

_PAUSE_S = 0.0002
_WAITED_S = 0.00025
"""What the clock and the system add to a pause is below."""
_CALLERS = 3
_ROWS = 20


def compress(paths: list[Path], times: int, tools: Tools) -> None:
    """Compress each picture so many times."""
    for path in paths * times:
        data = path.read_bytes()
        job = Job(run="r", bucket="b", key=path.name, etag="e", size=len(data), output="s3://o", recipe=Recipe())
        with tools.memory.share(job.size) as share:
            make(job, data, tools, Stages(tools.settings.limits.deadline_s), share)


def place(frame: FrameType | None) -> str:
    """Name the line that a thread is at, and those that called it."""
    found = []
    while frame is not None and len(found) < _CALLERS:
        code = frame.f_code
        found.append(f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_name}")
        frame = frame.f_back
    return " < ".join(found)


def watch(worker: threading.Thread) -> dict[str, float]:
    """Ask for the lock until the thread ends; return seconds of waiting by the place where it was."""
    waits: dict[str, float] = defaultdict(float)
    while worker.is_alive():
        began = time.perf_counter()
        time.sleep(_PAUSE_S)
        waited = time.perf_counter() - began - _PAUSE_S
        frame = sys._current_frames().get(worker.ident or 0)  # noqa: SLF001 - documented all the same
        if waited > _WAITED_S and frame is not None and frame.f_code.co_name != "wait":  # for the network's thread
            waits[place(frame)] += waited
    return waits


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--times", default=4, show_default=True, type=click.IntRange(1))
def main(pictures: tuple[Path, ...], times: int) -> None:
    """Run."""
    tools = Tools.start(Settings.load())
    compress(list(pictures), 1, tools)
    sys.setswitchinterval(1e-6)  # who asks gets the lock as soon as it can be given
    before = resource.getrusage(resource.RUSAGE_SELF)
    worker = threading.Thread(target=compress, args=(list(pictures), times, tools))
    worker.start()
    waits = watch(worker)
    after = resource.getrusage(resource.RUSAGE_SELF)
    tools.close()
    count = len(pictures) * times
    click.echo("ms waited for each picture, and where")
    for where, seconds in sorted(waits.items(), key=lambda entry: -entry[1])[:_ROWS]:
        click.echo(f"{1000 * seconds / count:8.2f}  {where}")
    click.echo(f"{1000 * sum(waits.values()) / count:8.2f}  in all")
    click.echo(f"{(after.ru_minflt - before.ru_minflt) / count:8.0f}  pages of fresh memory for each picture")


if __name__ == "__main__":
    main()
