"""Looks at a source and its output: one, or one after the other, each going on where an earlier one broke off."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from config.errors import RetryableError
from producer.announce import announced
from producer.checkpoint import Plan
from producer.feed import Step, feed, patiently
from producer.reconcile import State
from producer.scan import LATE_ARRIVALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from producer.queue import JobQueue
    from producer.reconcile import Reconciler

_MARK_EVERY: Final = 500
"""Verdicts after which the position is noted, whether there was anything to queue or not."""
_CLOCKS: Final = timedelta(minutes=15)
"""How much this machine's clock and a store's may differ: S3 refuses requests that are signed further off."""
_POLL_S: Final = 0.5
_WRONG: Final = (State.MISSING, State.STALE)


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears what comes of a look.

    Attributes:
        line: Gets what a person may want to know.
        warning: Gets what is out of reach.
        orphan: Gets the key of each result whose source is gone.
        figures: Gets the counts of a look that came to its end, by name.
    """

    line: Callable[[str], None]
    warning: Callable[[str], None]
    orphan: Callable[[str], None]
    figures: Callable[[Mapping[str, int]], None]


class Findings:
    """What one look found, counted."""

    def __init__(self, orphan: Callable[[str], None], *, retry_failed: bool = False) -> None:
        """Prepare.

        Args:
            orphan: Gets the key of each result whose source is gone.
            retry_failed: Whether what failed is to be queued once more.
        """
        self._wrong = (*_WRONG, State.FAILED) if retry_failed else _WRONG
        self._orphan = orphan
        self._counts: Counter[State] = Counter()
        self.outdated = 0
        """Results that are wrong, whether their jobs are to be queued or not."""

    def steps(self, reconciler: Reconciler, after: str = "") -> Iterator[Step]:
        """Yield what is to be queued, and marks in between."""
        for number, verdict in enumerate(reconciler.verdicts(after), 1):
            self._counts[verdict.state] += 1
            self.outdated += verdict.outdated
            if verdict.state is State.ORPHAN:
                self._orphan(verdict.key)
            if verdict.job and verdict.state in self._wrong:
                yield Step(verdict.job, verdict.position)
            if number % _MARK_EVERY == 0:
                yield Step(None, verdict.position)

    def figures(self, queued: int) -> dict[str, int]:
        """Return the counts by name."""
        return {
            "sources": self._counts.total() - self._counts[State.ORPHAN],
            "right": self._counts[State.RIGHT],
            "missing": self._counts[State.MISSING],
            "stale": self._counts[State.STALE],
            "failed": self._counts[State.FAILED],
            "orphans": self._counts[State.ORPHAN],
            "queued": queued,
        }


class Looks:
    """Reconciles in a run that can be killed at any moment."""

    def __init__(
        self, queue: JobQueue, reconciler: Reconciler, listener: Listener, *, retry_failed: bool = False
    ) -> None:
        """Prepare.

        Args:
            queue: Takes the jobs, and keeps the checkpoint.
            reconciler: Judges.
            listener: Hears what comes of it.
            retry_failed: Whether what failed is to be queued once more.
        """
        self._queue = queue
        self._reconciler = reconciler
        self._listener = listener
        self._retry_failed = retry_failed
        self._source = str(reconciler.route.source_place)

    def look(self, *, restart: bool = False) -> None:
        """Queue what is wrong, from where an earlier look under this run's name broke off.

        Args:
            restart: Begin anew, whatever the run was begun with and has found out.

        Raises:
            ConfigurationError: The run was begun with other arguments, or another producer goes on with it.
            SemjpegError: A store or the broker is out of reach.
        """
        with announced(self._queue.counters, self._reconciler.run, self._source):
            self._look(restart=restart)

    def _look(self, *, restart: bool) -> None:
        began = datetime.now(UTC)
        checkpoint = self._queue.checkpoint(self._plan())
        begin = partial(checkpoint.begin, restart=True) if restart else checkpoint.begin_again
        start = patiently(begin, self._listener.warning)
        findings = Findings(self._listener.orphan, retry_failed=self._retry_failed)
        if start.position:
            self._listener.line(f"the run {self._reconciler.run} goes on after {start.position}")
        settled = datetime.fromisoformat(start.note) if start.note else None
        reconciler = replace(self._reconciler, check=replace(self._reconciler.check, settled=settled))
        steps = findings.steps(reconciler, start.position)
        if self._retry_failed:
            steps = self._forgiven(steps)
        queued = feed(self._queue, steps, checkpoint, lambda _: None, self._listener.warning)
        all_right = not start.position and not findings.outdated
        note = (began - LATE_ARRIVALS - _CLOCKS).isoformat() if all_right else ""
        patiently(partial(checkpoint.finish, note), self._listener.warning)
        self._listener.figures(findings.figures(queued))

    def _forgiven(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Let what killed its workers be begun once more."""
        for step in steps:
            if step.job:
                self._queue.forget_deaths(step.job.identity(self._reconciler.check.model_hash))
            yield step

    def forever(self, interval_s: float, *, restart: bool = False) -> None:
        """Look again and again; what is out of reach is asked again.

        Args:
            interval_s: From the end of one look, and of all that it queued, to the next.
            restart: As of `look`, for the first one.

        Raises:
            ConfigurationError: As `look`.
        """
        with announced(self._queue.counters, self._reconciler.run, self._source):
            while True:
                try:
                    self._look(restart=restart)
                    restart = False
                    self._wait_for_the_end()
                except RetryableError as error:
                    self._listener.warning(f"looking again in {interval_s:g} s: {error}")
                time.sleep(interval_s)

    def _wait_for_the_end(self) -> None:
        """Wait until what was queued has ended: what is on its way would look missing, and be queued twice.

        Should a count have been lost, nothing is on its way if the queue was empty for as long as a job may take.
        """
        empty_since_s = None
        while self._queue.left(self._reconciler.run) > 0:
            now_s = time.monotonic()
            empty_since_s = None if self._queue.waiting() else empty_since_s or now_s
            if empty_since_s and now_s - empty_since_s > self._reconciler.check.deadline_s:
                return
            time.sleep(_POLL_S)

    def _plan(self) -> Plan:
        reconciler, check = self._reconciler, self._reconciler.check
        output = str(reconciler.route.output_place)
        how = f"{'deep ' if check.deep else ''}{check.model_hash}"
        return Plan(reconciler.run, self._source, output, reconciler.recipe.hash, check=how)
