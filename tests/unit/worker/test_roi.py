from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from worker.roi import MapBatcher


class Recorder:
    """A network that answers with each picture's brightest level and remembers who called it with how many."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.threads: set[str] = set()
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def maps(self, prepared):
        self.entered.set()
        self.gate.wait()
        self.threads.add(threading.current_thread().name)
        self.batches.append(len(prepared))
        if any(p.canvas.max() == 13 for p in prepared):
            raise RuntimeError("bad batch")
        return [np.full((32, 32), p.canvas.max(), np.float32) for p in prepared]


def picture(level: int) -> np.ndarray:
    return np.full((8, 8, 3), level, np.uint8)


def level_of(importance: np.ndarray) -> int:
    """The level of the picture that a map belongs to."""
    return int(importance[0, 0])


@pytest.fixture
def unfinished(monkeypatch):
    """Maps as the network makes them, for finished ones no longer tell whose they are."""
    monkeypatch.setattr("worker.roi.refine", lambda _, grid: grid)


@pytest.fixture
def network() -> Recorder:
    return Recorder()


@pytest.mark.usefixtures("unfinished")
def test_each_thread_gets_the_map_of_its_own_picture(network):
    batcher = MapBatcher(network, batch_size=4, wait_s=0.005)
    with ThreadPoolExecutor(16) as pool:
        maps = list(pool.map(lambda level: batcher.map_of(picture(level)), range(20, 120)))
    batcher.close()
    assert [level_of(m) for m in maps] == list(range(20, 120))
    assert max(network.batches) <= 4
    assert sum(network.batches) == 100
    assert network.threads == {"importance-maps"}


@pytest.mark.usefixtures("unfinished")
def test_what_waits_together_goes_together(network):
    network.gate.clear()
    batcher = MapBatcher(network, batch_size=8, wait_s=0)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(batcher.map_of, picture(50))
        network.entered.wait()  # and holds the first one back
        rest = [pool.submit(batcher.map_of, picture(60 + i)) for i in range(8)]
        while batcher._waiting.qsize() < len(rest):
            time.sleep(0.01)
        network.gate.set()
        assert level_of(first.result()) == 50
        assert [level_of(r.result()) for r in rest] == list(range(60, 68))
    batcher.close()
    assert network.batches == [1, 8]


@pytest.mark.usefixtures("unfinished")
def test_an_error_reaches_those_who_wait_and_only_them(network):
    batcher = MapBatcher(network, batch_size=1, wait_s=0)
    with pytest.raises(RuntimeError, match="bad batch"):
        batcher.map_of(picture(13))
    assert level_of(batcher.map_of(picture(40))) == 40
    batcher.close()


def test_closing_ends_the_thread(network):
    batcher = MapBatcher(network, batch_size=2, wait_s=0.01)
    batcher.map_of(picture(5))
    batcher.close()
    assert not batcher._thread.is_alive()


def test_the_map_is_finished(network):
    batcher = MapBatcher(network, batch_size=2, wait_s=0)
    assert batcher.map_of(np.zeros((60, 80, 3), np.uint8)).shape == (96, 128)
    batcher.close()
