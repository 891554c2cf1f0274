"""Runs a program on chosen cores: `python -m semjpeg.benchmark.pipeline.pinned CORES PROGRAM ARGUMENT…`.

CORES are numbers with commas between them.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Keep to the cores, then become the program."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(number) for number in sys.argv[1].split(",")})
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
