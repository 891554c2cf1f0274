from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.memory import memory_for_pictures
from worker.memory import MemoryBudget

PATIENCE_S = 20


class Picture(threading.Thread):
    """A picture that takes a share and holds it until it is told to end."""

    def __init__(self, budget: MemoryBudget, file_bytes: int, total_bytes: int) -> None:
        super().__init__(daemon=True)
        self.budget, self.file_bytes, self.total_bytes = budget, file_bytes, total_bytes
        self.read, self.decoding, self.end = threading.Event(), threading.Event(), threading.Event()
        self.start()

    def run(self):
        with self.budget.share(self.file_bytes) as share:
            self.read.set()
            share.grow(self.total_bytes)
            self.decoding.set()
            self.end.wait(PATIENCE_S)


@pytest.fixture
def arrive() -> Callable[..., Picture]:
    """Let a picture arrive that is not expected to wait for being read, or is."""
    with ExitStack() as all_:

        def arrive(budget: MemoryBudget, file_bytes: int, total_bytes: int) -> Picture:
            picture = Picture(budget, file_bytes, total_bytes)
            all_.callback(picture.join, PATIENCE_S)
            all_.callback(picture.end.set)
            return picture

        yield arrive


def waits(event: threading.Event) -> bool:
    return not event.wait(0.2)


def test_pictures_wait_for_each_other_and_large_ones_do_not_starve(arrive):
    budget = MemoryBudget(100)
    first = arrive(budget, 5, 60)
    assert first.decoding.wait(PATIENCE_S)
    large = arrive(budget, 5, 90)
    assert large.read.wait(PATIENCE_S)
    assert waits(large.decoding)
    small = arrive(budget, 5, 10)
    assert waits(small.read)  # there is room for it, but it came later
    first.end.set()
    assert large.decoding.wait(PATIENCE_S)
    assert small.read.wait(PATIENCE_S)
    large.end.set()
    assert small.decoding.wait(PATIENCE_S)


def test_a_picture_that_needs_more_than_everything_runs_alone(arrive):
    budget = MemoryBudget(100)
    first = arrive(budget, 5, 10)
    assert first.decoding.wait(PATIENCE_S)
    huge = arrive(budget, 5, 1000)
    assert waits(huge.decoding)
    first.end.set()
    assert huge.decoding.wait(PATIENCE_S)
    following = arrive(budget, 5, 10)
    assert waits(following.read)
    huge.end.set()
    assert following.decoding.wait(PATIENCE_S)


def test_those_that_all_have_been_read_do_not_wait_for_each_other_for_ever(arrive):
    budget = MemoryBudget(100)
    pictures = [arrive(budget, 30, 95) for _ in range(3)]
    for picture in pictures:
        picture.end.set()
    for picture in pictures:
        assert picture.decoding.wait(PATIENCE_S)


def test_memory_is_free_again_after_an_error(arrive):
    budget = MemoryBudget(100)
    with suppress(ValueError), budget.share(10) as share:
        share.grow(100)
        raise ValueError("wrong")
    assert arrive(budget, 50, 100).decoding.wait(PATIENCE_S)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(40, 150)), min_size=1, max_size=12))
def test_everyone_gets_in_and_what_is_decoded_stays_within_the_budget(sizes):
    budget, lock = MemoryBudget(100), threading.Lock()
    decoded: list[int] = []
    worst: list[tuple[int, int]] = []

    def run(file_bytes: int, total_bytes: int) -> None:
        with budget.share(file_bytes) as share:
            share.grow(total_bytes)
            with lock:
                decoded.append(total_bytes)
                worst.append((sum(decoded), len(decoded)))
            with lock:
                decoded.remove(total_bytes)

    threads = [threading.Thread(target=run, args=size, daemon=True) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(worst) == len(sizes)
    assert all(total <= 100 or count == 1 for total, count in worst)


def test_the_containers_limit_holds_where_it_is_less_than_the_machines_memory(tmp_path):
    limit, none, missing = tmp_path / "limit", tmp_path / "none", tmp_path / "missing"
    limit.write_text("1000000\n")
    none.write_text("max\n")
    assert memory_for_pictures((none, limit, missing)) == 500_000
    assert memory_for_pictures((none, missing)) == memory_for_pictures(()) > 10**8
