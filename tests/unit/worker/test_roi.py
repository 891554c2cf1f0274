from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest

from models import prepare
from worker.cores import Cores
from worker.roi import MapBatcher

PATIENCE_S = 30.0


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
        assert len({p.canvas.shape for p in prepared}) == 1
        if any(p.canvas.max() == 13 for p in prepared):
            raise RuntimeError("bad batch")
        return [np.full((32, 32), p.canvas.max(), np.float32) for p in prepared]


def picture(level: int, shape=(8, 8)):
    return prepare(np.full((*shape, 3), level, np.uint8))


def level_of(importance: np.ndarray) -> int:
    """The level of the picture that a map belongs to."""
    return int(importance[0, 0])


@pytest.fixture
def network() -> Recorder:
    return Recorder()


@pytest.fixture
def cores() -> Cores:
    return Cores(2)


@pytest.fixture
def made(network, cores):
    """Make batchers that end with the test."""
    with ExitStack() as ending:

        def make(batch_size: int, wait_s: float = PATIENCE_S) -> MapBatcher:
            batcher = MapBatcher(network, cores, batch_size=batch_size, wait_s=wait_s)
            ending.callback(batcher.close)
            return batcher

        yield make


def wait_until(condition) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_each_thread_gets_the_map_of_its_own_picture(network, made):
    batcher = made(4, 0.005)
    with ThreadPoolExecutor(16) as pool:
        maps = list(pool.map(lambda level: batcher.coarse_map(picture(level)), range(20, 120)))
    assert [level_of(m) for m in maps] == list(range(20, 120))
    assert max(network.batches) <= 4
    assert sum(network.batches) == 100
    assert network.threads == {"importance-maps"}


def test_what_waits_together_goes_together(network, made):
    network.gate.clear()
    batcher = made(8)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(batcher.coarse_map, picture(50))
        network.entered.wait()  # and holds the first one back
        rest = [pool.submit(batcher.coarse_map, picture(60 + i)) for i in range(8)]
        wait_until(lambda: len(batcher._waiting) == len(rest))
        network.gate.set()
        assert level_of(first.result()) == 50
        assert [level_of(r.result()) for r in rest] == list(range(60, 68))
    assert network.batches == [1, 8]


def test_pictures_of_one_shape_go_together_and_the_first_that_came_goes_first(network, made):
    network.gate.clear()
    batcher = made(3)
    upright, lying, square = (12, 8), (8, 12), (8, 8)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(batcher.coarse_map, picture(50))
        network.entered.wait()
        rest = []
        for level, shape in enumerate((lying, upright, lying, square, upright, lying, lying), 60):
            rest.append(pool.submit(batcher.coarse_map, picture(level, shape)))
            wait_until(lambda: len(batcher._waiting) == len(rest))
        network.gate.set()
        assert level_of(first.result()) == 50
        assert [level_of(r.result()) for r in rest] == list(range(60, 67))
    assert network.batches == [1, 3, 2, 1, 1]


def test_a_batch_is_full_only_with_pictures_of_one_shape(network, cores, made):
    batcher = made(2)
    some = []
    with ThreadPoolExecutor(3) as pool, cores.core(), cores.core():
        for level, shape in ((40, (8, 12)), (50, (12, 8))):
            some.append(pool.submit(batcher.coarse_map, picture(level, shape)))
            wait_until(lambda: len(batcher._waiting) == len(some))
        assert not network.entered.wait(0.05)
        some.append(pool.submit(batcher.coarse_map, picture(60, (8, 12))))
        assert [level_of(some[0].result()), level_of(some[2].result())] == [40, 60]
        assert not some[1].done()
    assert level_of(some[1].result()) == 50
    assert network.batches == [2, 1]


def test_while_all_cores_are_busy_a_batch_is_gathered(network, cores, made):
    batcher = made(3)
    with ThreadPoolExecutor(3) as pool, cores.core():
        with cores.core():
            some = [pool.submit(batcher.coarse_map, picture(level)) for level in (40, 50)]
            wait_until(lambda: len(batcher._waiting) == 2)
            assert not network.entered.wait(0.05)
            some.append(pool.submit(batcher.coarse_map, picture(60)))
            assert [level_of(future.result()) for future in some] == [40, 50, 60]  # full
        assert network.batches == [3]


def test_a_core_that_becomes_free_sends_the_batch_as_it_is(network, cores, made):
    batcher = made(3)
    with ThreadPoolExecutor(2) as pool, cores.core():
        with cores.core():
            some = [pool.submit(batcher.coarse_map, picture(level)) for level in (40, 50)]
            wait_until(lambda: len(batcher._waiting) == 2)
            assert network.batches == []
        assert [level_of(future.result()) for future in some] == [40, 50]
    assert network.batches == [2]


def test_a_batch_does_not_wait_for_ever(network, cores, made):
    batcher = made(3, 0.05)
    with cores.core(), cores.core():
        assert level_of(batcher.coarse_map(picture(40))) == 40
    assert network.batches == [1]


def test_batches_are_told_of(made):
    told: list[tuple[int, float]] = []
    batcher = made(1)
    batcher.tell = lambda size, seconds: told.append((size, seconds))
    batcher.coarse_map(picture(40))
    batcher.coarse_map(picture(41))
    assert [size for size, _ in told] == [1, 1]
    assert all(0 <= seconds < PATIENCE_S for _, seconds in told)


def test_an_error_reaches_those_who_wait_and_only_them(made):
    batcher = made(1)
    with pytest.raises(RuntimeError, match="bad batch"):
        batcher.coarse_map(picture(13))
    assert level_of(batcher.coarse_map(picture(40))) == 40


def test_closing_ends_the_thread(made):
    batcher = made(2)
    batcher.coarse_map(picture(5))
    batcher.close()
    assert not batcher._thread.is_alive()
