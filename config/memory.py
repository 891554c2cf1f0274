"""How much memory this machine, or the container on it, has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_LIMIT_FILES: Final = (
    Path("/sys/fs/cgroup/memory.max"),  # control groups, version 2
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),  # version 1
)

_SHARE_OF_PICTURES: Final = 0.5
"""The network, the libraries and the file cache need memory as well."""


def memory_for_pictures(limit_files: tuple[Path, ...] = _LIMIT_FILES) -> int:
    """Return half of the container's limit, or of the machine's memory where that is less or there is no limit.

    Args:
        limit_files: Where the operating system tells the container's limit.
    """
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in limit_files:
        try:
            sizes.append(int(path.read_text()))
        except (OSError, ValueError):
            continue  # no such file, or `max`: there is no limit
    return int(min(sizes) * _SHARE_OF_PICTURES)
