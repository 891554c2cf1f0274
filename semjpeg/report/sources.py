"""What `semjpeg report` is asked about: a run, a place, a folder or a table, and how its rows are got."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import redis

from config.counters import RunCounters
from config.errors import BrokerUnavailableError, ConfigurationError, SemjpegError
from config.places import Place
from config.settings import Settings
from semjpeg.report.buckets import LocalBuckets
from semjpeg.report.discovery import with_records
from semjpeg.report.parquet import read_table, table_title
from semjpeg.report.processes import CONNECTIONS, read_stored
from semjpeg.report.reading import Unreadable, read_records
from storage import Stores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from semjpeg.report.buckets import Buckets
    from semjpeg.report.rows import Row

_RUN: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_TABLE: Final = ".parquet"


class Source(Protocol):
    """What a report is about.

    title: the run's name, or the place.
    run: records of other runs are left out; None: none are.
    """

    @property
    def title(self) -> str: ...  # noqa: D102 - see above

    @property
    def run(self) -> str | None: ...  # noqa: D102 - see above

    def items(self) -> Iterator[Row | Unreadable]:
        """Yield all records.

        Raises:
            SemjpegError: They are out of reach.
        """
        ...

    def buckets_of(self, rows: tuple[Row, ...]) -> Buckets | None:
        """Return what opens the buckets with the pictures of these rows; None where they are out of reach."""
        ...


@dataclass(frozen=True, slots=True)
class Folders:
    """Output places in folders of this machine. One thread reads them fastest."""

    title: str
    run: str | None
    buckets: Buckets
    places: tuple[Place, ...]

    def items(self) -> Iterator[Row | Unreadable]:
        """See `Source.items`."""
        for place in self.places:
            yield from read_records(self.buckets.open(place.bucket), place.prefix, threads=1)

    def buckets_of(self, rows: tuple[Row, ...]) -> Buckets:
        """See `Source.buckets_of`."""
        del rows
        return self.buckets


@dataclass(frozen=True, slots=True)
class Stored:
    """Output places in an object store."""

    title: str
    run: str | None
    settings: Settings
    stores: Stores
    places: tuple[Place, ...]

    def items(self) -> Iterator[Row | Unreadable]:
        """See `Source.items`."""
        for place in self.places:
            yield from read_stored(self.settings, self.stores, place)

    def buckets_of(self, rows: tuple[Row, ...]) -> Stores:
        """See `Source.buckets_of`."""
        del rows
        return self.stores


@dataclass(frozen=True, slots=True)
class Table:
    """A table that an earlier report wrote."""

    title: str
    run: str | None
    path: Path

    def items(self) -> Iterator[Row | Unreadable]:
        """See `Source.items`."""
        return read_table(self.path)

    def buckets_of(self, rows: tuple[Row, ...]) -> Buckets | None:
        """See `Source.buckets_of`."""
        try:
            buckets = LocalBuckets(self.path.parent, Stores(Settings.load()))
            within_reach = any(
                buckets.open(Place.parse(row.output).bucket).head(row.result or "") is not None for row in rows[:1]
            )
        except (SemjpegError, UnicodeError):  # a name with odd bytes is none in a bucket
            return None
        return buckets if within_reach else None


def find_source(target: str, run: str | None) -> Source:
    """Tell what is meant by a command's argument.

    Args:
        target: `s3://bucket/prefix`, `file:///folder`, a folder, a `.parquet` file or a run's name.
        run: Only records of this run.

    Raises:
        ConfigurationError: It is none of these.
        ObjectMissingError: The place holds no records, nor do places below it.
        SemjpegError: The store or the broker is away.
    """
    path = Path(target)
    if target.startswith("s3://"):
        return _stored(target, run)
    if target.startswith("file://"):
        return _folder(Path(Place.parse(target).bucket.removeprefix("file://")), target, run)
    if path.is_dir():
        return _folder(path, target, run)
    if path.is_file() or target.endswith(_TABLE):
        return _table(path, run)
    if not _RUN.fullmatch(target):
        raise ConfigurationError(f"{target} does not exist")
    return _run(target, run)


def _stored(target: str, run: str | None) -> Stored:
    if target.endswith(_TABLE):
        raise ConfigurationError(f"{target}: a table is read from this machine; copy it here first")
    settings = Settings.load()
    stores = Stores(settings, CONNECTIONS)
    place = Place.parse(target)
    found = with_records(stores.open(place.bucket), place, str(place))
    return Stored(run or str(place), run, settings, stores, found)


def _folder(folder: Path, target: str, run: str | None) -> Folders:
    buckets = LocalBuckets(folder)
    place = Place(f"file://{folder.resolve()}")
    return Folders(run or target, run, buckets, with_records(buckets.open(place.bucket), place, target))


def _table(path: Path, run: str | None) -> Table:
    if not path.is_file():
        raise ConfigurationError(f"{path} does not exist")
    return Table(run or table_title(path), run, path)


def _run(name: str, run: str | None) -> Folders | Stored:
    """Find the places of a run, which the broker knows."""
    if run not in (None, name):
        raise ConfigurationError(f"{name} is no place: --run {run} needs one")
    settings = Settings.load()
    try:
        with redis.Redis.from_url(settings.broker.url.get_secret_value()) as client:
            urls = RunCounters(client, settings.broker.key_prefix).places(name)
    except redis.RedisError as error:
        raise BrokerUnavailableError(f"the broker, which knows the places of runs: {error}") from error
    if not urls:
        raise ConfigurationError(
            f"{name} is no folder, and the broker knows no run of that name; "
            f"of an older one, name its output place: semjpeg report s3://… --run {name}"
        )
    places = tuple(sorted({Place.parse(url) for url in urls}, key=str))
    stores = Stores(settings, CONNECTIONS)
    if all(place.is_local for place in places):
        return Folders(name, name, stores, places)
    return Stored(name, name, settings, stores, places)
