"""How many cores this process may use, and how many images keep them busy."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Final

_QUOTA_FILE: Final = Path("/sys/fs/cgroup/cpu.max")
"""Control groups, version 2: microseconds of processor time in each period, and the period's length."""

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


def pictures_in_batch() -> int:
    """Return how many pictures a batch of the network should have on this machine at the most.

    One for each core: then all of them go on when it is through. Twice as many were waited for longer than they saved:
    on two cores the network takes as long for each of four pictures as for each of two.
    """
    return min(LARGEST_BATCH, usable_cores())


def images_in_flight() -> int:
    """Return how many images at a time keep this machine busy.

    One for each core, a batch that is gathered meanwhile, and as many that are on their way from or to the store.
    """
    return 3 * usable_cores()
