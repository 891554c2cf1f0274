"""Reconciling: which sources have no right result? Two listings side by side tell, in constant memory.

A result is right if it was made from the newest version of its source, with this recipe and this network. Two dates
of the store decide most of them: what was written long after its source was made from it. The metadata of the others
is read, which says by which job they were made; `Check.deep` reads it of all.

Whatever is judged is judged in the order of the results' names, so one such name says how far one has come.
"""

from __future__ import annotations

import heapq
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from config.errors import PermanentError
from config.jobs import JOB_FIELD
from config.objects import ObjectVersion
from config.places import MAX_RECORD_BYTES, RECORDS_PREFIX, ResultKeys
from producer.candidates import is_candidate, is_image_key
from producer.scan import LATE_ARRIVALS, in_order, job_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor
    from datetime import datetime

    from config.jobs import Job
    from config.recipes import Recipe, Route
    from storage.base import ObjectStore

_SUFFIX = ResultKeys.of("", "").jpeg
"""What a result's name has more than its source's."""
_LAST = "\U0010ffff"
"""Sorts after every character of a key."""
_BATCH = 500
"""Sources that are looked into at a time."""
THREADS = 16
"""HEAD requests at a time."""
_PUBLISHING = timedelta(minutes=2)
"""A worker looks at the clock between its stages only: a result may be written so long after the deadline."""


class State(StrEnum):
    """What there is of a source."""

    RIGHT = "right"
    MISSING = "missing"
    STALE = "stale"
    FAILED = "failed"
    """No right result, and a record that says why; it is as new as the source."""
    ORPHAN = "orphan"
    """A result whose source is gone."""


_WRONG = frozenset({State.MISSING, State.STALE})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about one source, or one orphan.

    Attributes:
        state: What there is.
        key: Of the source, or of the orphan.
        position: The result's name, whether it is there or not: where to go on after this verdict.
        job: What puts it right; None where nothing is wrong or nothing can be done.
        outdated: Whether there is a wrong result, or the record of an earlier version's failure.
    """

    state: State
    key: str
    position: str
    job: Job | None = None
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """How results are judged.

    Attributes:
        model_hash: SHA-256 of the network's weights, as 64 hexadecimal digits.
        deadline_s: How long a worker takes for an image at the most.
        deep: Whether to read the metadata of every result.
        settled: Where source and result are both older than this, an earlier look has found nothing wrong with them.
    """

    model_hash: str
    deadline_s: float
    deep: bool = False
    settled: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Compares a source place with its output place."""

    source: ObjectStore
    output: ObjectStore
    route: Route
    recipe: Recipe
    run: str
    check: Check

    def verdicts(self, after: str = "") -> Iterator[Verdict]:
        """Judge every source and every result, by the results' names.

        Args:
            after: The position of the last verdict that is known.

        Raises:
            SemjpegError: A store cannot be read.
        """
        with ThreadPoolExecutor(THREADS) as pool:
            pairs = self._pairs(after)
            while batch := list(islice(pairs, _BATCH)):
                verdicts = list(pool.map(self._judge, batch))
                for verdict, record in zip(verdicts, self._failures(batch, verdicts, pool), strict=True):
                    yield verdict if record is None else _with_failure(verdict, of_this_version=record)

    def _pairs(self, after: str) -> Iterator[_Pair]:
        """Bring each source together with its result: a join of two sorted listings."""
        sources = by_result(filter(is_candidate, in_order(self._sources(after))), self.route.source_place.prefix)
        results = self._results(after)
        pending = next(results, None)
        for name, source in sources:
            expected = f"{name}{_SUFFIX}"
            while pending and pending[0] < expected:
                yield _Pair(pending[0], None, pending[1])
                pending = next(results, None)
            if pending and pending[0] == expected:
                yield _Pair(expected, source, pending[1])
                pending = next(results, None)
            else:
                yield _Pair(expected, source, None)
        if pending:
            yield _Pair(pending[0], None, pending[1])
            yield from (_Pair(name, None, result) for name, result in results)

    def _sources(self, after: str) -> Iterator[ObjectVersion]:
        """Yield the sources whose results' names sort after one, by key.

        Beside those that sort after it themselves these are its own beginnings: what waits in `by_result`.
        """
        prefix = self.route.source_place.prefix
        for name in (after[:end] for end in range(1, len(after) + 1)):
            if is_image_key(name) and f"{name}{_SUFFIX}" > after and (found := self.source.head(f"{prefix}{name}")):
                yield ObjectVersion(found.key, found.etag, found.size_bytes, modified=found.modified)
        yield from self.source.list(prefix, start_after=f"{prefix}{after}")

    def _results(self, after: str) -> Iterator[tuple[str, ObjectVersion]]:
        """Yield what may be results, with their names; the listing steps over the records, which are more."""
        prefix = self.route.output_place.prefix
        records = f"{prefix}{RECORDS_PREFIX}"
        after = f"{prefix}{after}"
        while True:
            for found in in_order(self.output.list(prefix, start_after=after)):
                if found.key.startswith(records):
                    after = f"{records}{_LAST}"
                    break
                name = found.key.removeprefix(prefix)
                if name.endswith(_SUFFIX) and is_image_key(name.removesuffix(_SUFFIX)):
                    yield name, found
            else:
                return

    def _judge(self, pair: _Pair) -> Verdict:
        source, result = pair.source, pair.result
        if source is None:
            assert result is not None  # noqa: S101 - a pair has one of the two
            return Verdict(State.ORPHAN, result.key, pair.name)
        if result and self._is_newer(source, result):
            return Verdict(State.RIGHT, source.key, pair.name)
        job = job_of(self.route, self.recipe, source, self.run)
        if result is None:
            return Verdict(State.MISSING, source.key, pair.name, job)
        if job and self._made_it(job, result):
            return Verdict(State.RIGHT, source.key, pair.name)
        return Verdict(State.STALE, source.key, pair.name, job, outdated=True)

    def _is_newer(self, source: ObjectVersion, result: ObjectVersion) -> bool:
        """Whether the dates alone tell that a result was made from this version.

        A job is over by its deadline. So what was written later than that after a version appeared was not made from
        an older one.
        """
        if not source.modified or not result.modified:
            return False
        if self.check.settled and max(source.modified, result.modified) < self.check.settled:
            return True
        if self.check.deep:
            return False
        slowest = timedelta(seconds=self.check.deadline_s) + _PUBLISHING + LATE_ARRIVALS
        return result.modified > source.modified + slowest

    def _made_it(self, job: Job, result: ObjectVersion) -> bool:
        """Whether a result names this job as its own."""
        found = self.output.head(result.key)
        return found is not None and found.metadata.get(JOB_FIELD) == job.identity(self.check.model_hash)

    def _failures(self, batch: list[_Pair], verdicts: list[Verdict], pool: Executor) -> Iterator[bool | None]:
        """Tell of each verdict whether a failure that is on record is that of the source's newest version.

        None where the source has a right result, or no failure is on record.
        """
        place, output = self.route.source_place, self.route.output_place
        open_ = {
            ResultKeys.of(pair.source.key.removeprefix(place.prefix), output.prefix).failure: pair.source
            for pair, verdict in zip(batch, verdicts, strict=True)
            if pair.source and verdict.state in _WRONG
        }
        found: list[tuple[ObjectVersion, ObjectVersion]] = []
        if open_:
            first, last = min(open_), max(open_)
            records = self.output.list(f"{output.prefix}{RECORDS_PREFIX}failed/", start_after=first[:-1])
            records = takewhile(lambda record: record.key <= last, records)
            found = [(open_[record.key], record) for record in records if record.key in open_]
        of_this_version = pool.map(lambda pair: self._is_failure_of(*pair), found)
        known = {source.key: answer for (source, _), answer in zip(found, of_this_version, strict=True)}
        return (known.get(verdict.key) for verdict in verdicts)

    def _is_failure_of(self, source: ObjectVersion, record: ObjectVersion) -> bool:
        """Whether a record tells of the failure of this version: by the dates, or where they are too near by itself."""
        if source.modified and record.modified and record.modified < source.modified:
            return False
        if self._is_newer(source, record):
            return True
        try:
            etag = json.loads(self.output.get(record.key, max_bytes=MAX_RECORD_BYTES))["etag"]
        except (ValueError, KeyError, TypeError, PermanentError):
            return False  # it is no record of ours, or gone by now
        return bool(etag == source.etag)


def _with_failure(verdict: Verdict, *, of_this_version: bool) -> Verdict:
    return replace(verdict, state=State.FAILED) if of_this_version else replace(verdict, outdated=True)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A result's name, a source and what stands in the place of its result; one of the two may be missing."""

    name: str
    source: ObjectVersion | None
    result: ObjectVersion | None


@dataclass(order=True, slots=True)
class _Waiting:
    result: str
    name: str = field(compare=False)
    source: ObjectVersion = field(compare=False)


def by_result(sources: Iterator[ObjectVersion], prefix: str) -> Iterator[tuple[str, ObjectVersion]]:
    """Bring sources from the order of their names into that of their results' names, and yield both.

    The orders differ where a name is the beginning of another: `a` stands before `a-1`, and `a-1.jpg` before `a.jpg`.
    A source waits until the listing has passed its result's name, for whatever comes then sorts behind it. What waits
    is the beginning of the name that the listing has reached, so there are never more than that name has characters.
    """
    waiting: list[_Waiting] = []
    for source in sources:
        name = source.key.removeprefix(prefix)
        while waiting and waiting[0].result <= name:
            ripe = heapq.heappop(waiting)
            yield ripe.name, ripe.source
        heapq.heappush(waiting, _Waiting(f"{name}{_SUFFIX}", name, source))
    while waiting:
        ripe = heapq.heappop(waiting)
        yield ripe.name, ripe.source
