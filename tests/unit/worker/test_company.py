"""Attempts run side by side, but for those that have to be alone."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest

from worker.company import Company, Seat

PATIENCE_S = 60


@pytest.fixture
def company():
    return Company()


def test_those_who_need_not_be_alone_run_side_by_side(company):
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(company.joined(alone=False)).take()


def test_nobody_runs_beside_one_who_is_alone(company):
    running: list[bool] = []
    beside: list[tuple[bool, int]] = []
    lock = threading.Lock()
    chance = np.random.default_rng(1)

    def run(*, alone: bool) -> None:
        with company.joined(alone=alone) as seat:
            seat.take()
            with lock:
                running.append(alone)
            time.sleep(0.001)
            with lock:
                beside.append((True in running, len(running)))
                running.remove(alone)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(run, alone=bool(chance.random() < 0.3)) for _ in range(300)]:
            future.result(PATIENCE_S)
    assert {count for someone_alone, count in beside if someone_alone} == {1}
    assert max(count for _, count in beside) > 1


def test_nobody_overtakes_one_who_waits_to_be_alone(company):
    order: list[str] = []

    def run(name: str, *, alone: bool) -> None:
        with company.joined(alone=alone) as seat:
            seat.take()
            order.append(name)

    threads = []
    with company.joined(alone=False) as seat:
        seat.take()
        for name, alone in (("suspect", True), ("next", False)):
            threads.append(threading.Thread(target=run, args=(name,), kwargs={"alone": alone}))
            threads[-1].start()
            while len(company._waiting) < len(threads):
                time.sleep(0.001)
        assert order == []
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == ["suspect", "next"]


def test_one_who_fails_makes_room(company):
    def fail(seat: Seat) -> None:
        seat.take()
        raise ValueError("wrong")

    for alone in (True, False, True):
        with pytest.raises(ValueError, match="wrong"), company.joined(alone=alone) as seat:
            fail(seat)


def test_one_who_leaves_without_having_sat_changes_nothing(company):
    with company.joined(alone=True) as seat:
        seat.take()
        for alone in (True, False):
            with company.joined(alone=alone):
                pass
        waiting = threading.Thread(target=lambda: take_and_leave(company))
        waiting.start()
        while not company._waiting:
            time.sleep(0.001)
        assert waiting.is_alive()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()


def take_and_leave(company: Company) -> None:
    with company.joined(alone=False) as seat:
        seat.take()
