"""Check: Python, and what the operating system grants."""

from __future__ import annotations

import platform
import resource
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from config.machine import images_in_flight
from config.memory import memory_for_pictures
from semjpeg.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from semjpeg.doctor.context import Context

_HUGE_PAGES: Final = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_OLDEST_PYTHON: Final = (3, 11)
_FIRST_UNKNOWN_PYTHON: Final = (3, 14)
_FILES_OF_A_PROCESS: Final = 128
"""Libraries, logs, the broker's connections."""
_FILES_OF_A_THREAD: Final = 8
_LEAST_FREE_BYTES: Final = 1 << 30
_THREADS_PER_CORE: Final = 8
"""More of them only wait for each other, and hold memory."""


def look_at_machine(context: Context) -> Iterator[Finding]:
    """See that there is enough of everything; without settings, what can be seen without."""
    version = platform.python_version()
    mend = "Install Python 3.11, 3.12 or 3.13, and semjpeg there."
    good = _OLDEST_PYTHON <= sys.version_info < _FIRST_UNKNOWN_PYTHON
    yield Finding.judged("Python", f"{version} on {platform.platform()}", mend, good=good)
    yield _temporary_folder()
    yield _pages()
    if context.loaded is None:
        return
    settings = context.loaded
    threads = settings.worker.threads if context.makes_pictures else settings.events.threads
    yield files(resource.getrlimit(resource.RLIMIT_NOFILE)[0], threads)
    if context.makes_pictures:
        processes = settings.worker.processes
        yield memory(settings.memory_of_process * processes, 2 * memory_for_pictures())
        yield cores(settings.worker.threads, settings.worker.cores_of_process)


def files(limit: int, threads: int) -> Finding:
    """Judge how many files a process may have open; `limit` is -1 where there is no limit."""
    needed = _FILES_OF_A_PROCESS + _FILES_OF_A_THREAD * threads
    message = f"{'any number' if limit < 0 else limit} may be open, {threads} threads need about {needed}"
    mend = f"Raise the limit where the process is started: ulimit -n {needed} (LimitNOFILE= in a systemd unit)."
    return Finding.judged("file descriptors", message, mend, good=limit < 0 or limit >= needed)


def memory(budget_bytes: int, there_bytes: int) -> Finding:
    """Judge what pictures may take beside what the machine or the container has."""
    message = f"{_gib(budget_bytes)} for pictures of {_gib(there_bytes)} that there are"
    mend = f"Set SEMJPEG_LIMITS__MEMORY_BYTES={there_bytes // 2} or give the container more memory."
    if budget_bytes >= there_bytes:
        return Finding.failed("memory", f"{message}: the process would be killed", mend)
    return Finding.judged("memory", message, mend, good=budget_bytes <= there_bytes * 3 // 4)


def cores(threads: int, usable: int) -> Finding:
    """Judge a worker's threads beside the cores that it may use."""
    message = f"{threads} threads on {usable} cores"
    mend = f"Set SEMJPEG_WORKER__THREADS={images_in_flight(usable)}."
    return Finding.judged("cores", message, mend, good=threads <= usable * _THREADS_PER_CORE)


def _temporary_folder() -> Finding:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    message = f"{folder} has {_gib(free)} free"
    mend = "Set TMPDIR to a folder on a larger disk: inventories are kept there while they are read."
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"semjpeg")
    except OSError as error:
        return Finding.failed("temporary files", f"{folder}: {error}", "Set TMPDIR to a folder that can be written.")
    return Finding.judged("temporary files", message, mend, good=free >= _LEAST_FREE_BYTES)


def _pages() -> Finding:
    """Tell what decides about large pages, with which large pictures are a little faster. Nothing has to be done."""
    library = " ".join(platform.libc_ver()) or "an unknown C library"
    mode = _read(_HUGE_PAGES).partition("[")[2].partition("]")[0] or "unknown"
    return Finding.ok("memory pages", f"{library}, transparent huge pages: {mode}")


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _gib(amount: float) -> str:
    return f"{amount / (1 << 30):.1f} GiB"
