"""How many cores and GPUs this process may use, and how many processes and images keep them busy."""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path
from typing import Final

_QUOTA_FILE: Final = Path("/sys/fs/cgroup/cpu.max")
"""Control groups, version 2: microseconds of processor time in each period, and the period's length."""

_NVIDIA_FOLDER: Final = Path("/proc/driver/nvidia/gpus")
"""NVIDIA's driver keeps a folder in it for each GPU that is to be seen here."""

_BYTES_OF_PROCESS: Final = 8 * 1024**3
"""One process takes 0.9 GB for itself, and 7.2 for a picture of 200 megapixels, as large as they may be by default:
several processes do not wait for each other's memory."""

LARGEST_BATCH: Final = 16
"""Pictures that the network takes at once, at the most."""


def usable_cores(quota_file: Path = _QUOTA_FILE) -> int:
    """Return the cores that this process may run on, or as many as the container's quota pays for if that is less.

    Args:
        quota_file: Where the operating system tells the container's quota.

    Returns:
        At least 1; part of a core counts as one.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota_us, period_us = map(int, quota_file.read_text().split())
        paid = math.ceil(quota_us / period_us)
    except (OSError, ValueError, ZeroDivisionError):
        return allowed  # no such file, or `max`: there is no quota
    return max(1, min(allowed, paid))


def usable_gpus(folder: Path = _NVIDIA_FOLDER) -> tuple[str, ...]:
    """Return the GPUs that a process may use, as `CUDA_VISIBLE_DEVICES` names them.

    Args:
        folder: Where the driver tells of its GPUs.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return tuple(str(number) for number in range(len(list(folder.glob("*")))))
    names = [name.strip() for name in named.split(",")]
    # CUDA passes over all that stands behind a name that is none: -1 hides every GPU
    return tuple(itertools.takewhile(lambda name: name not in {"", "-1"}, names))


def worker_processes(cores: int, memory_bytes: int) -> int:
    """Return how many worker processes keep a machine busy: one for each GPU, if there are any.

    Otherwise one for each core as long as there is memory for so many. Python runs one thread of a process at a time,
    and of a small picture's time a fifth is Python's: on two cores two processes do 1.2 times the small pictures of one
    (`benchmarks/worker_processes.py`).
    """
    return len(usable_gpus()) or max(1, min(cores, memory_bytes // _BYTES_OF_PROCESS))


def pictures_in_batch(cores: int) -> int:
    """Return how many pictures a batch of the network should have at the most, in a process that has these cores.

    One for each core: then all of them go on when it is through. Twice as many were waited for longer than they saved:
    on two cores the network takes as long for each of four pictures as for each of two.
    """
    return min(LARGEST_BATCH, cores)


def images_in_flight(cores: int) -> int:
    """Return how many images at a time keep these cores of a process busy.

    One for each core, a batch that is gathered meanwhile, and as many that are on their way from or to the store.
    """
    return 3 * cores
