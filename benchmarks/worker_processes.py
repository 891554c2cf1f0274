"""One worker process on all cores beside several that share them: `python benchmarks/worker_processes.py FOLDER`.

Broker and S3 server are processes of their own on the same machine. Numbers of processes take turns, and of all rounds
the median counts. With small pictures one process does not keep many cores busy: Python runs one thread at a time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from config.machine import usable_cores
from semjpeg.benchmark.pipeline.system import system

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semjpeg.benchmark.pipeline.system import System


def _rate(running: System, processes: int, paths: Sequence[Path], times: int) -> float:
    """Images a second by so many processes."""
    with running.node(processes):
        running.warm(paths)
        return running.compress(running.upload(paths, times, f"{processes}-{os.urandom(4).hex()}")).images_per_s


def main() -> None:
    """Measure each number of processes that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="pictures")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--times", type=int, default=4, help="how often each picture is compressed in a round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    paths = sorted(path for path in options.folder.iterdir() if path.is_file())
    rates: dict[int, list[float]] = {count: [] for count in options.processes}
    with system() as running:
        for number in range(options.rounds):
            for count in options.processes if number % 2 else reversed(options.processes):
                rates[count].append(_rate(running, count, paths, options.times))
    first = statistics.median(rates[options.processes[0]])
    for count, values in rates.items():
        rate = statistics.median(values)
        sys.stdout.write(
            f"{count} processes on {usable_cores()} cores: {rate:.2f} images/s, {rate / first:.2f} times\n"
        )


if __name__ == "__main__":
    main()
