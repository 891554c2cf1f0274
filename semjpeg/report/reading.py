"""Reading the records of an output place: however many there are, few of them are in memory at a time."""

from __future__ import annotations

import json
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from config.errors import (
    ConfigurationError,
    DamagedRecordError,
    ObjectChangedError,
    ObjectMissingError,
    PermanentError,
    TooLargeError,
)
from config.places import MAX_RECORD_BYTES, RECORDS_PREFIX
from semjpeg.report.rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from config.objects import ObjectVersion
    from storage import ObjectStore

_FINISHED: Final = f"{RECORDS_PREFIX}metrics/"
_FAILED: Final = f"{RECORDS_PREFIX}failed/"
FOLDERS: Final = (_FINISHED, _FAILED)
"""Where an output place has its records."""

_SUFFIX: Final = ".json"
_WINDOW: Final = 4
"""Records on their way for each thread."""

_ATTEMPTS: Final = 3
"""A record that is overwritten while it is read is read again, so often in all."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be read, and why; `count` records, if it stands for others that are not named."""

    key: str
    reason: str
    count: int = 1


def read_records(store: ObjectStore, prefix: str, threads: int) -> Iterator[Row | Unreadable]:
    """Read all records of an output place, in the order of their keys: first of finished images, then of failed ones.

    A record that is removed meanwhile is left out, and so is one of a failure if the image was finished later. A
    failure of a newer version of an image stands beside the result of its older version.

    Args:
        store: The bucket of the place.
        prefix: The prefix of the place.
        threads: How many to read at a time. A folder on this machine is read fastest with one.

    Raises:
        RetryableError: The store was away: a report without some records would be wrong.
        ConfigurationError: Without credentials there is nothing to read.
        ObjectMissingError: The bucket does not exist.
    """
    yield from each(partial(read_record, store, prefix), list_records(store, prefix), threads)


def list_records(store: ObjectStore, prefix: str) -> Iterator[ObjectVersion]:
    """List the records of an output place: first those of finished images, then those of failed ones.

    Raises:
        SemjpegError: As `ObjectStore.list`.
    """
    for folder in FOLDERS:
        yield from (found for found in store.list(f"{prefix}{folder}") if found.key.endswith(_SUFFIX))


def read_record(store: ObjectStore, prefix: str, found: ObjectVersion) -> Row | Unreadable | None:
    """Read one record as `read_records` does; None for one that does not count."""
    row = _read(store, found)
    failed = f"{prefix}{_FAILED}"
    if isinstance(row, Row) and found.key.startswith(failed):
        later = _read_key(store, f"{prefix}{_FINISHED}{found.key.removeprefix(failed)}")
        if isinstance(later, Row) and later.finished >= row.finished:
            return None
    return row


def holds_records(store: ObjectStore, prefix: str) -> bool:
    """Whether a place holds a record.

    Raises:
        SemjpegError: As `ObjectStore.list`.
    """
    return any(next(iter(store.list(f"{prefix}{folder}")), None) is not None for folder in FOLDERS)


def parse_record(data: bytes) -> Row:
    """Read the JSON of a record. Odd bytes of a file's name come back as they went in.

    Raises:
        DamagedRecordError: It is none.
    """
    try:
        return Row.of(_DECODER.decode(data.decode("utf-8", "surrogateescape")))
    except (ValueError, RecursionError) as error:
        raise DamagedRecordError(f"is no JSON: {error}") from error


def each(
    read: Callable[[ObjectVersion], Row | Unreadable | None], records: Iterable[ObjectVersion], threads: int
) -> Iterator[Row | Unreadable]:
    """Read records side by side, a window of them at a time, and yield what counts in their order."""
    if threads == 1:
        yield from (row for row in map(read, records) if row is not None)
        return
    with ThreadPoolExecutor(threads) as pool:
        window: deque[Future[Row | Unreadable | None]] = deque()
        try:
            for found in records:
                window.append(pool.submit(read, found))
                if len(window) > threads * _WINDOW and (row := window.popleft().result()) is not None:
                    yield row
            while window:
                if (row := window.popleft().result()) is not None:
                    yield row
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _read(store: ObjectStore, found: ObjectVersion) -> Row | Unreadable | None:
    if found.size_bytes > MAX_RECORD_BYTES:
        return Unreadable(found.key, f"has {found.size_bytes} bytes, more than the limit of {MAX_RECORD_BYTES}")
    return _read_key(store, found.key)


def _read_key(store: ObjectStore, key: str) -> Row | Unreadable | None:
    """Read a record; None where there is none."""
    for _ in range(_ATTEMPTS):
        try:
            return parse_record(store.get(key, max_bytes=MAX_RECORD_BYTES))
        except ObjectMissingError:
            return None
        except ObjectChangedError:
            continue
        except TooLargeError:
            return Unreadable(key, f"has more bytes than the limit of {MAX_RECORD_BYTES}")
        except ConfigurationError:
            raise
        except PermanentError as error:
            return Unreadable(key, str(error))
    return Unreadable(key, "is overwritten faster than it can be read")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


_DECODER: Final[Any] = json.JSONDecoder(parse_constant=_refuse_constant)
