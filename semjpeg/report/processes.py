"""Reading the records of a store in several processes: a request keeps an interpreter busy for milliseconds."""

from __future__ import annotations

import os
import signal
from collections import deque
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from functools import partial
from itertools import chain, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from config.errors import StorageUnavailableError
from semjpeg.report.reading import Unreadable, each, list_records, read_record
from storage import Stores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from config.objects import ObjectVersion
    from config.places import Place
    from config.settings import Settings
    from semjpeg.report.rows import Row

CONNECTIONS: Final = 24
"""Records that a process reads at a time: a request waits most of its time."""

_ALONE: Final = 2000
"""So many records this process reads by itself, sooner than others would have started."""

_BATCH: Final = 200
"""Records that are handed to a process at a time."""

_WINDOW: Final = 3
"""Batches on their way for each process."""

_stores: Stores
"""Of a process that reads."""


def read_stored(
    settings: Settings, stores: Stores, place: Place, processes: int | None = None
) -> Iterator[Row | Unreadable]:
    """Read all records of a place in a store, as `reading.read_records` does.

    Args:
        settings: What the other processes open the store by.
        stores: What this one opens it by.
        place: The place.
        processes: How many there are if there are many records; None: one for each core.

    Raises:
        SemjpegError: As `reading.read_records`, or a process was killed.
    """
    store = stores.open(place.bucket)
    records = list_records(store, place.prefix)
    yield from each(partial(read_record, store, place.prefix), islice(records, _ALONE), CONNECTIONS)
    first = next(records, None)
    if first is not None:
        count = processes or len(os.sched_getaffinity(0))
        yield from _read_beside(settings, place, chain([first], records), count)


def _read_beside(
    settings: Settings, place: Place, records: Iterator[ObjectVersion], processes: int
) -> Iterator[Row | Unreadable]:
    """Read batches in other processes and yield what they found in the order of the records."""
    window: deque[Future[list[Row | Unreadable]]] = deque()
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_start, initargs=(settings,)) as pool:
        try:
            while batch := list(islice(records, _BATCH)):
                window.append(pool.submit(_read_batch, place, batch))
                if len(window) > processes * _WINDOW:
                    yield from window.popleft().result()
            while window:
                yield from window.popleft().result()
        except BrokenExecutor as error:
            raise StorageUnavailableError("a process that read records was killed") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start(settings: Settings) -> None:
    """Open the stores of a process that reads; Ctrl-C ends it without a traceback."""
    global _stores  # noqa: PLW0603  how a process of a pool keeps what it has opened
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _stores = Stores(settings, CONNECTIONS)


def _read_batch(place: Place, batch: Iterable[ObjectVersion]) -> list[Row | Unreadable]:
    store = _stores.open(place.bucket)
    return list(each(partial(read_record, store, place.prefix), batch, CONNECTIONS))
