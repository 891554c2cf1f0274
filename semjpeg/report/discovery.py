"""Finding the output places in a bucket or a folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from config.errors import ObjectMissingError
from config.places import RECORDS_PREFIX, Place
from semjpeg.report.reading import FOLDERS, holds_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage import ObjectStore

_MOST_STEPS: Final = 2000
"""Keys that are looked at for places below one that holds no records itself."""

_LAST: Final = "\U0010ffff"
"""Sorts after every character of a key."""


def with_records(store: ObjectStore, place: Place, name: str) -> tuple[Place, ...]:
    """Return the place itself if it holds records, else the places below it that do.

    Args:
        store: The bucket of the place.
        place: Where to look.
        name: What messages call the place.

    Raises:
        ObjectMissingError: There are none, or the bucket does not exist.
        SemjpegError: As `ObjectStore.list`.
    """
    if holds_records(store, place.prefix):
        return (place,)
    steps = _Steps(_MOST_STEPS)
    found = tuple(Place(place.bucket, below) for below in _places_below(store, place.prefix, steps))
    if not found:
        folders = " or ".join(FOLDERS)
        below = "in the folders below it" if steps.left else f"where its first {_MOST_STEPS:,} keys are"
        raise ObjectMissingError(f"{name} is no output place: there is nothing in {folders}, neither here nor {below}")
    return found


@dataclass(slots=True)
class _Steps:
    """How many keys may still be looked at."""

    left: int


def _places_below(store: ObjectStore, prefix: str, steps: _Steps) -> Iterator[str]:
    """Find the prefixes below one that hold records, stepping over what lies in folders."""
    after = prefix
    while steps.left > 0:
        for found in store.list(prefix, start_after=after):
            steps.left -= 1
            name, slash, _ = found.key.removeprefix(prefix).partition("/")
            if slash or steps.left < 1:
                break
        else:
            return
        if not slash:
            return
        below = f"{prefix}{name}/"
        if name != RECORDS_PREFIX.rstrip("/"):
            if holds_records(store, below):
                yield below
            else:
                yield from _places_below(store, below, steps)
        after = f"{below}{_LAST}"
