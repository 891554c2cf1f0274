"""Child processes that never outlive the demo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from config.errors import SemjpegError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_GRACE_S = 3.0
_LOG_TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Processes:
    """Starts programs, watches them, stops them all. Used with `with`."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Prepare.

        Args:
            folder: Working directory of the children and place of their logs.
            environment: All the environment variables that children get from now on.
        """
        self._folder = folder
        self.environment = dict(environment)
        self._children: list[_Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, so that Ctrl-C reaches only the demo, which then stops it."""
        log = self._folder / f"{name}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(  # noqa: S603 - the demo's own programs
                [sys.executable, "-m", "semjpeg.demo.launch", str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self.environment,
                start_new_session=True,
            )
        self._children.append(_Child(name, process, log))
        return process

    def running(self) -> list[subprocess.Popen[bytes]]:
        """Return what was started and is watched."""
        return [child.process for child in self._children]

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """Watch a program no longer that has ended."""
        self._children = [child for child in self._children if child.process is not process]

    def check(self) -> None:
        """See that all still run.

        Raises:
            SemjpegError: One ended; the message shows the end of its log.
        """
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                tail = "\n".join(child.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])
                raise SemjpegError(f"the process {child.name!r} ended with {code}:\n{tail}")

    def stop(self) -> None:
        """Ask all to end, the last started first, and kill what does not within seconds. Ctrl-C has to wait for it."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._stop()
        finally:
            signal.signal(signal.SIGINT, before)

    def _stop(self) -> None:
        for child in reversed(self._children):
            _signal(child.process, signal.SIGTERM)
        until = time.monotonic() + _GRACE_S
        for child in self._children:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, until - time.monotonic()))
            _signal(child.process, signal.SIGKILL)
            child.process.wait()
        self._children.clear()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the process's whole group: it leads a session of its own."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
