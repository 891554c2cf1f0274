from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from worker.cores import Cores

PATIENCE_S = 30.0


def test_no_more_than_there_are_cores_compute_and_all_get_their_turn():
    cores, lock = Cores(3), threading.Lock()
    computing, most, done = 0, 0, 0

    def compute(_: int) -> None:
        nonlocal computing, most, done
        with cores.core():
            with lock:
                computing += 1
                most = max(most, computing)
            time.sleep(0.002)
            with lock:
                computing -= 1
                done += 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(compute, range(60)))
    assert (most, done) == (3, 60)
    assert cores.are_idle()


def test_a_core_is_given_in_the_order_in_which_it_was_asked_for():
    cores, order = Cores(1), []

    def compute(number: int) -> None:
        with cores.core():
            order.append(number)

    threads = [threading.Thread(target=compute, args=(number,)) for number in range(5)]
    with cores.core():
        for number, thread in enumerate(threads, 1):
            thread.start()
            until = time.monotonic() + PATIENCE_S
            while len(cores._waiting) < number:
                assert time.monotonic() < until
        assert not cores.are_idle()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == [0, 1, 2, 3, 4]


def test_an_error_gives_the_core_back():
    cores = Cores(1)
    for _ in range(3):
        try:
            with cores.core():
                raise ZeroDivisionError
        except ZeroDivisionError:
            assert cores.are_idle()
