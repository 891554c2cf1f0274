"""The records of failed jobs in output places: finding them, and queueing their jobs again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import redis

from config.deaths import forget_deaths
from config.errors import ConfigurationError, DamagedRecordError, SemjpegError
from config.jobs import Job
from config.places import MAX_RECORD_BYTES, RECORDS_PREFIX, Place, ResultKeys
from config.settings import Settings
from producer.queue import JobQueue
from semjpeg.report.reading import Unreadable, read_record
from semjpeg.report.sources import Folders, Stored, find_source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from semjpeg.report.rows import Row
    from storage import ObjectStore

_FAILED: Final = f"{RECORDS_PREFIX}failed/"
_SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed job, and where its record stands."""

    row: Row
    store: ObjectStore
    record: str
    """Key of the record."""


def find_failures(target: str, codes: Collection[str] = ()) -> Iterator[Failure | Unreadable]:
    """Yield the failures of a place or a run, in the order of their keys.

    Args:
        target: An output place, a folder that is one, or the name of a run.
        codes: Only failures with one of these codes; none given: all.

    Raises:
        ConfigurationError: It is none of these.
        SemjpegError: The records are out of reach.
    """
    source = find_source(target, None)
    if not isinstance(source, Folders | Stored):
        raise ConfigurationError(f"{target} is a table; failures are looked for where their records are")
    opened = source.buckets if isinstance(source, Folders) else source.stores
    for place in source.places:
        store, folder = opened.open(place.bucket), f"{place.prefix}{_FAILED}"
        for found in store.list(folder):
            if not found.key.endswith(_SUFFIX):
                continue
            row = read_record(store, place.prefix, found)
            if isinstance(row, Unreadable):
                yield row
            elif row is not None and source.run in {None, row.run} and (not codes or row.code in codes):
                yield Failure(row, store, found.key)


class Retrying:
    """Queues failed jobs again, as they were; their records go away when they succeed."""

    def __init__(self) -> None:
        settings = Settings.load()
        self._queue = JobQueue(settings)
        self._prefix = settings.broker.key_prefix
        self._redis = redis.Redis.from_url(settings.broker.url.get_secret_value())

    def retry(self, failure: Failure) -> None:
        """Queue a job, and forget that workers died with it.

        Raises:
            DamagedRecordError: The record names no job that could be done.
            BrokerUnavailableError: The broker did not take it.
        """
        job = job_of(failure)
        identity = json.loads(failure.store.get(failure.record, max_bytes=MAX_RECORD_BYTES)).get("job")
        if isinstance(identity, str):
            forget_deaths(self._redis, self._prefix, identity)
        self._queue.wait_for_room()
        self._queue.enqueue(job)


def job_of(failure: Failure) -> Job:
    """Return the job whose failure was recorded.

    Raises:
        DamagedRecordError: The record names none that could be done.
    """
    row = failure.row
    fields = {
        "run": row.run,
        "bucket": row.bucket,
        "key": row.key,
        "etag": row.etag,
        "version": row.version,
        "size": row.bytes_in,
        "output": row.output,
        "source_prefix": _source_prefix(failure),
        "recipe": {"name": row.recipe_name, **json.loads(row.recipe)},
    }
    try:
        return Job.from_message(fields)
    except SemjpegError as error:
        raise DamagedRecordError(f"names no job: {error}") from error


def _source_prefix(failure: Failure) -> str:
    """Return what the result's key leaves out of the source's: with one such prefix the record has the key that it has.

    Raises:
        DamagedRecordError: With none.
    """
    key = failure.row.key
    try:
        output = Place.parse(failure.row.output)
        for start in (0, *(slash.end() for slash in re.finditer("/", key))):
            if ResultKeys.of(key[start:], output.prefix).failure == failure.record:
                return key[:start]
    except SemjpegError as error:
        raise DamagedRecordError(f"names no job: {error}") from error
    raise DamagedRecordError("stands where no job of its source writes one")
