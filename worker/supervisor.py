"""Several worker processes on one machine: started, started anew when something kills one, and ended together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

import structlog

from config.machine import usable_gpus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from config.settings import Settings

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

_LOOK_S: Final = 0.2
"""How often the processes are looked at."""

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_SETTLED_S: Final = 60.0
"""A process that has lived so long is started anew after the first pause, one that dies sooner after longer ones."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Process:
    """A place for a process, and the process that has it, if one has.

    Attributes:
        begin_s: When it was begun, or is to be begun, by the monotonic clock.
    """

    environment: Mapping[str, str]
    running: subprocess.Popen[bytes] | None = None
    begin_s: float = field(default_factory=time.monotonic)
    pause_s: float = _FIRST_PAUSE_S


class Supervisor:
    """Keeps processes of one command until a signal comes.

    One that is killed, or ends though it was not told to, is started anew. One that ends by an error, which it has
    told, ends the others as well: it would be the same again.

    A process is told to end by the end of its standard input. So all end when this one is killed itself, and a service
    manager that sends a signal to every process of a service does not have it taken for two. Signals after the first
    are passed on.
    """

    def __init__(self, command: Sequence[str], environments: Sequence[Mapping[str, str]]) -> None:
        """Prepare.

        Args:
            command: Program and arguments; it ends when its standard input does.
            environments: One for each process.
        """
        self._command = list(command)
        self._places = [_Process(environment) for environment in environments]
        self._signals: SimpleQueue[int] = SimpleQueue()
        self._stopping = False
        self._signalled = False
        self._code = os.EX_OK

    def run(self) -> int:
        """Run until all have ended, in the main thread.

        Returns:
            0, or the exit code of a process that has ended by an error.
        """
        for number in _SIGNALS:
            # a handler may come in the middle of anything: this queue alone is made for that
            signal.signal(number, lambda number, _frame: self._signals.put(number))
        while True:
            self._look()
            if self._stopping and not any(place.running for place in self._places):
                return self._code
            try:
                self._hear(self._signals.get(timeout=_LOOK_S))
            except Empty:
                continue

    def _hear(self, number: int) -> None:
        for place in self._places:
            if self._signalled and place.running is not None:
                place.running.send_signal(number)
        self._signalled = True
        self._stop()

    def _look(self) -> None:
        """Start what is to be started, and see what has ended."""
        for place in self._places:
            if place.running is None:
                if not self._stopping and time.monotonic() >= place.begin_s:
                    self._start(place)
            elif place.running.poll() is not None:
                self._ended(place, place.running)

    def _start(self, place: _Process) -> None:
        # a session of its own: what a terminal sends to all goes to this process alone, which passes it on
        place.running = subprocess.Popen(  # noqa: S603 - it is our own command
            self._command, env=place.environment, stdin=subprocess.PIPE, start_new_session=True
        )
        place.begin_s = time.monotonic()

    def _ended(self, place: _Process, process: subprocess.Popen[bytes]) -> None:
        _close(process)
        place.running = None
        code = process.returncode
        if code > 0:
            self._code = self._code or code
        if self._stopping:
            return
        if code > 0:
            _log.error("a worker process has ended", process=process.pid, exit_code=code)
            self._stop()
            return
        lived_s = time.monotonic() - place.begin_s
        place.pause_s = _FIRST_PAUSE_S if lived_s >= _SETTLED_S else min(2 * place.pause_s, _LONGEST_PAUSE_S)
        place.begin_s = time.monotonic() + place.pause_s
        _log.error("a worker process is started anew", process=process.pid, exit_code=code, pause_s=place.pause_s)

    def _stop(self) -> None:
        self._stopping = True
        for place in self._places:
            if place.running is not None:
                _close(place.running)


def _close(process: subprocess.Popen[bytes]) -> None:
    """End a process's standard input."""
    if process.stdin is not None:
        process.stdin.close()


def shares_of(settings: Settings) -> list[dict[str, str]]:
    """Share a machine out: return the variables that tell each worker process its part of cores, memory and GPUs.

    Each serves its metrics at a port of its own: the first at the one that is set, the others at those that follow.
    """
    worker, port = settings.worker, settings.prometheus.port
    gpus = usable_gpus()
    shares = []
    for number in range(worker.processes):
        cores = (worker.cores + number) // worker.processes
        share = {
            "SEMJPEG_WORKER__PROCESSES": "1",
            "SEMJPEG_WORKER__CORES": str(max(1, cores)),
            "SEMJPEG_LIMITS__MEMORY_BYTES": str(settings.memory_of_process),
        }
        if port:
            share["SEMJPEG_PROMETHEUS__PORT"] = str(port + number)
        if gpus:
            share["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
        shares.append(share)
    return shares


def wait_for_supervisor() -> None:
    """Return when the supervisor of this process tells it to end, or is gone itself."""
    while os.read(sys.stdin.fileno(), 1):
        pass
