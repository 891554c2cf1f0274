"""All measurements, one after the other, on a machine that should do nothing else."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from config.errors import SemjpegError
from config.machine import usable_cores
from semjpeg.benchmark.pipeline.figures import BARE, Figures
from semjpeg.benchmark.pipeline.latency import measure_latency
from semjpeg.benchmark.pipeline.system import system
from worker.supervisor import shares_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from semjpeg.benchmark.pipeline.system import System

_UPLOADS = 30
_ALONE: Final = {"SEMJPEG_WORKER__PROCESSES": "1"}
"""The share of a process that is the only one on its cores."""
_TIMES = 4
"""How often each picture is done in a round: a round has a beginning and an end in which not all cores are busy."""


def measure(paths: Sequence[Path], small: Sequence[Path], rounds: int, tell: Callable[[str], None]) -> Figures:
    """Measure everything; bare work and whole system take turns, and of all rounds the median counts.

    Args:
        paths: Photographs.
        small: Small pictures, as the Kodak set; there may be none.
        rounds: How often each throughput is measured.
        tell: Gets a line before each measurement.

    Raises:
        SemjpegError: A picture cannot be compressed, or a process did not start.
    """
    found = Figures(cores=usable_cores())
    tell("processor time by stage …")
    for name, pictures in (("cpu", paths), ("cpu_small", small)):
        if pictures:
            answer = _python("cpu", *map(str, pictures), cores=_cores()[:1])
            setattr(found, name, answer["stages"])
            setattr(found, name.replace("cpu", "cpu_over_pillow"), answer["over_pillow"])
    if small:
        tell("the paper's algorithm …")
        # on all cores at once, as the system that it is compared with
        started = [_start("original", *map(str, small), cores=[core]) for core in _cores()]
        found.original = statistics.fmean([_rate(_answer(process)) for process in started])
    with system() as running:
        _throughput(running, found, paths, small, rounds, tell)
        tell("two workers beside one …")
        _scaling(running, found, paths, rounds)
        tell("latency …")
        with running.node():
            found.latency_s = measure_latency(running, paths[0], _UPLOADS)
    return found


def _throughput(
    running: System,
    found: Figures,
    paths: Sequence[Path],
    small: Sequence[Path],
    rounds: int,
    tell: Callable[[str], None],
) -> None:
    """Measure the bare work and the whole system by turns, on all cores."""
    sets = [("bare", "system", paths)] + ([("bare_small", "small", small)] if small else [])
    for bare, whole, pictures in sets:
        bares, wholes = [], []
        spent_s: Counter[str] = Counter()
        for number in range(rounds):
            tell(f"{len(pictures) * _TIMES} pictures, round {number + 1} of {rounds} …")
            # as many processes as a worker has, each on all cores and with its share of them
            started = [
                _start("bare", str(_TIMES), *map(str, pictures), cores=_cores(), share=share)
                for share in shares_of(running.settings)
            ]
            alone = [_answer(process) for process in started]
            bares.append(sum(map(_rate, alone)))
            with running.node():
                running.warm(pictures)
                done = running.compress(running.upload(pictures, _TIMES, f"{whole}-{number}"))
            wholes.append(done.images_per_s)
            spent_s.update({BARE: statistics.fmean(each["cpu_s"] for each in alone), **done.cpu_s})
            if whole == "system":
                found.mean_batch, found.batch_size = done.mean_batch, running.settings.worker.batch_size
        setattr(found, bare, statistics.median(bares))
        setattr(found, whole, statistics.median(wholes))
        images = rounds * _TIMES * len(pictures)
        setattr(found, f"{whole}_cpu", {name: 1000 * seconds / images for name, seconds in spent_s.items()})


def _scaling(running: System, found: Figures, paths: Sequence[Path], rounds: int) -> None:
    """Measure one worker on one core, and two on two; and the bare work likewise.

    Broker and S3 server share the workers' cores both times: a core of their own beside one worker, but not beside two,
    would be measured along with it.
    """
    pair = _cores()[:2]
    if len(pair) < len(("one", "two")):
        return
    rates: dict[str, list[float]] = {"one": [], "two": [], "bare_one": [], "bare_two": []}
    for number in range(rounds):
        for name, pinned in (("one", pair[:1]), ("two", pair)):
            with running.servers_on(pinned), running.workers(*pinned):
                running.warm(paths)
                done = running.compress(running.upload(paths, _TIMES, f"{name}-{number}"))
            rates[name].append(done.images_per_s)
            rates[f"bare_{name}"].append(_bare_beside(paths, pinned))
    for name, values in rates.items():
        setattr(found, name, statistics.median(values))


def _bare_beside(paths: Sequence[Path], pinned: Sequence[str]) -> float:
    """Return images a second of as many bare processes as there are cores, each on its own."""
    started = [_start("bare", "1", *map(str, paths), cores=[core]) for core in pinned]
    return sum(_rate(_answer(process)) for process in started)


def _cores() -> list[str]:
    """Numbers of the cores that this process may use."""
    return [str(number) for number in sorted(os.sched_getaffinity(0))]


def _rate(answer: dict[str, Any]) -> float:
    return float(answer["images"]) / float(answer["seconds"])


def _python(module: str, *arguments: str, cores: Sequence[str]) -> dict[str, Any]:
    return _answer(_start(module, *arguments, cores=cores))


def _start(
    module: str, *arguments: str, cores: Sequence[str], share: Mapping[str, str] = _ALONE
) -> subprocess.Popen[str]:
    """Start a module of this package on some cores, as `semjpeg worker` starts a process that has such a share."""
    from semjpeg.commands.worker import STARTED_WITH

    command = (sys.executable, "-m", "semjpeg.benchmark.pipeline.pinned", ",".join(cores), sys.executable)
    return subprocess.Popen(  # noqa: S603 - our own programs
        [*command, "-m", f"semjpeg.benchmark.pipeline.{module}", *arguments],
        env={**os.environ, **STARTED_WITH, **share},
        stdout=subprocess.PIPE,
        text=True,
    )


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = process.communicate()
    if process.returncode:
        raise SemjpegError(f"a process of the benchmark ended with {process.returncode}")
    answer: dict[str, Any] = json.loads(output)
    return answer
