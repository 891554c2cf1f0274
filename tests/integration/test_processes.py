"""One worker of several processes, which share a queue, come back when one is killed, and end together."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from config.jobs import Job
from config.queues import LIVE
from config.recipes import Recipe, Route
from producer.queue import JobQueue
from semjpeg.demo.processes import Processes
from storage import Stores

PATIENCE_S = 120
IMAGES = 12


class Machine:
    """A worker of two processes, and what it does."""

    def __init__(self, desk, processes: Processes, folder: Path) -> None:
        self.desk = desk
        self.log = folder / "worker.log"
        self.process = processes.start("worker", sys.executable, "-m", "semjpeg", "worker", "-p", "2", "-t", "2")

    def told(self, event: str) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def children(self) -> list[int]:
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def enqueue(self) -> None:
        picture = io.BytesIO()
        Image.fromarray(data.chelsea()).save(picture, "PNG")
        store = Stores(self.desk.settings).open(self.desk.bucket)
        route = Route(source=self.desk.places[0], output=self.desk.places[1])
        jobs = []
        for number in range(IMAGES):
            store.put(f"in/{number}.png", picture.getvalue(), content_type="image/png")
            jobs.append(Job.of(route, Recipe(), store.head(f"in/{number}.png"), run="test"))
        JobQueue(self.desk.settings, queue=LIVE).publish(jobs)

    def results(self) -> set[str]:
        store = Stores(self.desk.settings).open(self.desk.bucket)
        return {found.key for found in store.list("out/") if found.key.endswith(".jpg")}


@pytest.fixture
def machine(desk, tmp_path) -> Iterator[Machine]:
    with Processes(tmp_path, desk.environment) as processes:
        machine = Machine(desk, processes, tmp_path)
        yield machine


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for a parent who asks how."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for(ready: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_all_work_one_that_is_killed_comes_back_and_they_end_together(machine):
    wait_for(lambda: len(machine.told("ready")) == 2)
    killed, other = machine.children()
    os.kill(killed, signal.SIGKILL)
    machine.enqueue()
    wait_for(lambda: len(machine.results()) == IMAGES)
    wait_for(lambda: len(machine.told("ready")) == 3)
    assert [line["exit_code"] for line in machine.told("a worker process is started anew")] == [-signal.SIGKILL]
    pids = machine.children()
    assert other in pids
    assert len(pids) == 2
    machine.process.send_signal(signal.SIGTERM)
    assert machine.process.wait(PATIENCE_S) == 0
    assert len(machine.told("stopping")) == 2
    assert not any(map(runs, pids))


def test_they_end_when_the_first_process_is_killed(machine):
    wait_for(lambda: len(machine.told("ready")) == 2)
    pids = machine.children()
    machine.process.kill()
    wait_for(lambda: not any(map(runs, pids)))
    assert len(machine.told("stopping")) == 2


def test_an_error_of_one_is_told_and_ends_all(desk, tmp_path):
    desk.environment["SEMJPEG_MODEL__PATH"] = str(tmp_path / "none.keras")
    code, out = desk.run("worker", "--processes", "2")
    assert code == 2
    assert f"{tmp_path}/none.keras" in out
    assert "a worker process has ended" in out
