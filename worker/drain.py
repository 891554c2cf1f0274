"""How a worker ends: it takes no more jobs, finishes those in hand, and gives back those that take too long.

Celery's own soft shutdown does not do: it always waits for all of its time, and what it does then, to end the processes
of its pool, is not implemented for threads. So the time is kept here, and Celery is told one of two things. To stop,
when nothing is in hand. Or to terminate: then it waits for no thread, and its channel, which is closed, puts whatever
is not acknowledged back to where the next worker takes it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

import structlog
from celery.worker import state

if TYPE_CHECKING:
    from worker.heartbeat import Heartbeat

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

_ASKED: Final = 0
"""Stands for a signal where there was none."""

_LOOK_S: Final = 0.1
"""How often a worker that drains looks whether anything is in hand."""

_SETTLE_S: Final = 1.0
"""For so long those are waited for that are through with their pictures, when all the others are given back."""

_LEAVE_S: Final = 10.0
"""In so long a worker that has given back its jobs is gone, whatever its connections wait for."""

_log = structlog.get_logger(__name__)


class Drain:
    """Ends the worker of this process at the first signal; at the second one it does so at once.

    Attributes:
        begun: Whether the worker has been told to stop, so that no job should be begun.
        gave_back: Whether jobs were given back whose threads still run: nobody should wait for these.
    """

    def __init__(self, heartbeat: Heartbeat, drain_s: float) -> None:
        """Prepare.

        Args:
            heartbeat: Keeps the claims and messages of this process.
            drain_s: How long jobs in hand may go on.
        """
        self.begun = False
        self.gave_back = False
        self._heartbeat = heartbeat
        self._drain_s = drain_s
        self._signals: SimpleQueue[int] = SimpleQueue()

    def watch(self, consumer: Any) -> None:
        """Take the signals over from Celery, whose consumer has just become ready; call it in the main thread."""
        for number in _SIGNALS:
            # a handler may come in the middle of anything: this queue alone is made for that
            signal.signal(number, lambda number, _frame: self._signals.put(number))
        threading.Thread(target=self._run, args=(consumer,), name="drain", daemon=True).start()

    def stop(self) -> None:
        """Begin to end, as at the first signal; if that has begun already, it is no second one."""
        self._signals.put(_ASKED)

    def _run(self, consumer: Any) -> None:
        self._signals.get()
        self.begun = True
        _log.info("stopping", in_hand=len(state.reserved_requests), drain_s=self._drain_s)
        finished = self._wait(consumer)
        if finished:
            state.should_stop = os.EX_OK
        else:
            self._give_back()
            state.should_terminate = os.EX_OK
        consumer.hub.call_soon(_nothing)  # wakes the loop, which then looks what it should do
        if not finished:
            time.sleep(_LEAVE_S)
            _log.error("ended by force", reason="the worker did not end by itself")
            os._exit(os.EX_SOFTWARE)

    def _wait(self, consumer: Any) -> bool:
        """Wait until nothing is in hand; False when the time is up, or another signal has come."""
        until = time.monotonic() + self._drain_s
        while state.reserved_requests or self._heartbeat.has_messages:
            # again and again, because a connection that was lost and made anew consumes anew
            consumer.hub.call_soon(_take_no_more, consumer)
            left_s = until - time.monotonic()
            if left_s <= 0 or self._another_signal(min(left_s, _LOOK_S)):
                return False
        return True

    def _another_signal(self, within_s: float) -> bool:
        try:
            return self._signals.get(timeout=within_s) != _ASKED
        except Empty:
            return False

    def _give_back(self) -> None:
        """Leave the jobs in hand to others. Their claims go first, so that whoever takes one finds it free."""
        self.gave_back = True
        attempts = self._heartbeat.give_back()
        for names in attempts:
            _log.warning("given back", reason="the worker has to end", **names)
        until = time.monotonic() + _SETTLE_S
        while len(state.reserved_requests) > len(attempts) and time.monotonic() < until:
            time.sleep(_LOOK_S / 10)


def _take_no_more(consumer: Any) -> None:
    if consumer.task_consumer:
        consumer.task_consumer.cancel()


def _nothing() -> None:
    pass
