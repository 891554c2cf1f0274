"""Several processes on one machine, here of a little program that tells when it begins and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.settings import Settings
from worker.supervisor import shares_of

PATIENCE_S = 60
NAMES = ("first", "second")

CHILD = """
import os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: os._exit(int(os.environ["CODE"])))
signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
def tell(what):
    with open(os.environ["LOG"], "a") as log:
        log.write(f"{os.environ['NAME']} {what} {os.getpid()}\\n")
tell("begun")
while os.read(0, 1):
    pass
tell("told")
while os.environ["NAME"] == os.environ.get("STUBBORN"):
    signal.pause()
"""

PARENT = """
import os, sys
from worker.supervisor import Supervisor
environments = [os.environ | {"NAME": name} for name in sys.argv[2:]]
sys.exit(Supervisor([sys.executable, "-c", sys.argv[1]], environments).run())
"""


class Crew:
    def __init__(self, folder: Path, **environment: str) -> None:
        self.log = folder / "log"
        self.log.touch()
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT, CHILD, *NAMES],
            env={**os.environ, "LOG": str(self.log), "CODE": "3", **environment},
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: all(self.told(name, "begun") for name in NAMES))

    def told(self, name: str, what: str) -> list[int]:
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [int(pid) for who, event, pid in lines if (who, event) == (name, what)]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


def wait_for(ready: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Crew]]:
    crews: list[Crew] = []

    def start(**environment: str) -> Crew:
        crews.append(Crew(tmp_path, **environment))
        return crews[-1]

    yield start
    for crew in crews:
        crew.process.kill()
        crew.process.wait()


def test_a_signal_ends_all_and_each_is_told_once(start):
    crew = start()
    assert crew.end() == 0
    assert [len(crew.told(name, "told")) for name in NAMES] == [1, 1]


def test_one_that_is_killed_is_started_anew(start):
    crew = start()
    (killed,) = crew.told("second", "begun")
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: len(crew.told("second", "begun")) == 2)
    assert crew.end() == 0
    assert crew.told("second", "told") == [pid for pid in crew.told("second", "begun") if pid != killed]
    assert len(crew.told("first", "begun")) == 1


def test_one_that_ends_unasked_without_an_error_is_started_anew(start):
    crew = start(CODE="0")
    os.kill(crew.told("first", "begun")[0], signal.SIGUSR1)
    wait_for(lambda: len(crew.told("first", "begun")) == 2)
    assert crew.end() == 0


def test_one_that_ends_by_an_error_ends_the_others(start):
    crew = start()
    os.kill(crew.told("first", "begun")[0], signal.SIGUSR1)
    assert crew.process.wait(PATIENCE_S) == 3
    assert len(crew.told("first", "begun")) == 1
    assert crew.told("second", "told") == crew.told("second", "begun")


def test_signals_after_the_first_are_passed_on(start):
    crew = start(STUBBORN="second")
    crew.process.send_signal(signal.SIGTERM)
    wait_for(lambda: crew.told("second", "told"))
    assert crew.process.poll() is None
    assert crew.end() == 9


def test_all_end_when_the_supervisor_is_killed(start):
    crew = start()
    crew.process.kill()
    wait_for(lambda: all(crew.told(name, "told") for name in NAMES))


def shares(**worker: int) -> list[dict[str, str]]:
    return shares_of(Settings(worker=worker))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.mark.parametrize(("cores", "processes"), [(6, 2), (7, 2), (16, 4), (2, 3)])
def test_the_cores_and_the_memory_are_shared(cores, processes):
    given = shares(cores=cores, processes=processes)
    parts = [int(share["SEMJPEG_WORKER__CORES"]) for share in given]
    assert len(parts) == processes
    assert sum(parts) == max(cores, processes)
    assert max(parts) - min(parts) <= 1
    assert {share["SEMJPEG_WORKER__PROCESSES"] for share in given} == {"1"}
    whole = Settings().limits.memory_bytes
    assert sum(int(share["SEMJPEG_LIMITS__MEMORY_BYTES"]) for share in given) == pytest.approx(whole, abs=processes)
    assert not any("SEMJPEG_PROMETHEUS__PORT" in share or "CUDA_VISIBLE_DEVICES" in share for share in given)


def test_a_share_gives_a_process_its_numbers(monkeypatch):
    for name, value in shares(cores=8, processes=2)[1].items():
        monkeypatch.setenv(name, value)
    worker = Settings.load().worker
    assert (worker.processes, worker.cores, worker.threads, worker.batch_size) == (1, 4, 12, 4)


def test_memory_that_is_set_is_that_of_each_process():
    settings = Settings(limits={"memory_bytes": 1000}, worker={"processes": 4})  # type: ignore[arg-type]
    assert {share["SEMJPEG_LIMITS__MEMORY_BYTES"] for share in shares_of(settings)} == {"1000"}


def test_each_process_has_a_port_of_its_own_unless_any_will_do():
    settings = Settings(prometheus={"port": 9000}, worker={"processes": 3})  # type: ignore[arg-type]
    assert [share["SEMJPEG_PROMETHEUS__PORT"] for share in shares_of(settings)] == ["9000", "9001", "9002"]
    settings = Settings(prometheus={"port": 0}, worker={"processes": 3})  # type: ignore[arg-type]
    assert not any("SEMJPEG_PROMETHEUS__PORT" in share for share in shares_of(settings))


def test_each_process_has_a_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert [share["CUDA_VISIBLE_DEVICES"] for share in shares(processes=3)] == ["4", "6", "4"]
