"""Check: whether the codec's machine code is kept between processes."""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semjpeg.doctor.context import installed
from semjpeg.doctor.finding import BrokenOffError, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from semjpeg.doctor.context import Context

_MEND = "Set NUMBA_CACHE_DIR to a folder that this user can write, for all processes the same."


def look_at_kernels(context: Context) -> Iterator[Finding]:
    """Import the codec, which loads its machine code or compiles it, and see where that is kept."""
    del context
    missing = [name for name in ("numpy", "numba", "PIL") if not installed(name)]
    if missing:
        mend = "Install what a worker needs: pip install '.[worker]'."
        raise BrokenOffError(Finding.failed("packages", f"missing: {', '.join(missing)}", mend))
    began = time.perf_counter()
    codec = import_module("codec")
    seconds = time.perf_counter() - began
    yield kept(kernels(codec), seconds)


def kernels(codec: ModuleType) -> list[Any]:
    """Return numba's dispatchers of all modules of a package that have been imported."""
    from numba.core.registry import CPUDispatcher

    modules = [module for name, module in sys.modules.items() if name.startswith(f"{codec.__name__}.")]
    return [
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, CPUDispatcher) and each.stats.cache_path
    ]


def kept(compiled: list[Any], seconds: float) -> Finding:
    """Judge where machine code was found or put.

    Args:
        compiled: Numba's dispatchers.
        seconds: What the import took.
    """
    stats = {id(each): each.stats for each in compiled}.values()
    folders = sorted({stat.cache_path for stat in stats})
    fresh = sum(sum(stat.cache_misses.values()) for stat in stats)
    place = ", ".join(folders) or "nowhere"
    if not fresh:
        return Finding.ok("machine code", f"warm, {len(stats)} kernels loaded in {seconds:.1f} s (written to {place})")
    written = [folder for folder in folders if os.access(folder, os.W_OK) and any(Path(folder).glob("*.nbi"))]
    message = f"{fresh} kernels were compiled just now, in {seconds:.1f} s"
    if written == folders:
        return Finding.ok("machine code", f"{message}, and kept in {place}")
    return Finding.warning("machine code", f"{message}, and could not be kept in {place}", _MEND)
