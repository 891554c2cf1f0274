"""Keeping a few out of any number, the same few in whatever order they come."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

_Item = TypeVar("_Item")
_Kind = TypeVar("_Kind", bound="Hashable")


class Lowest(Generic[_Item]):
    """Keeps the items of lowest rank. Two items of one rank are taken for the same."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[tuple[tuple[Any, ...], _Item]] = []

    def admits(self, first: Any) -> bool:
        """Whether an item whose rank begins with `first` may be among the lowest."""
        return len(self._kept) < self._most or bool(self._most and first <= self._kept[-1][0][0])

    def add(self, rank: tuple[Any, ...], item: _Item) -> None:
        """Consider an item."""
        if len(self._kept) < self._most or (self._most and rank < self._kept[-1][0]):
            insort(self._kept, (rank, item), key=_rank)
            del self._kept[self._most :]

    @property
    def items(self) -> tuple[_Item, ...]:
        """Those that were kept, lowest first."""
        return tuple(item for _, item in self._kept)


class Tally(Generic[_Kind]):
    """Counts things by their kind, of which there should be few.

    Should there be more kinds than `most`, those that sort lowest are counted and all others together: a kind that was
    dropped once never comes back, because there are enough below it, so that no count depends on the order.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[_Kind, int] = {}
        self._kinds: list[_Kind] = []
        self._total = 0

    def add(self, kind: _Kind) -> None:
        """Count one."""
        self._total += 1
        if kind in self._counts:
            self._counts[kind] += 1
            return
        self._counts[kind] = 1
        insort(self._kinds, kind, key=_order)
        if len(self._kinds) > self._most:
            del self._counts[self._kinds.pop()]

    def __contains__(self, kind: _Kind) -> bool:
        return kind in self._counts

    def largest(self, most: int) -> list[tuple[_Kind, int]]:
        """Return the kinds of the highest counts, each with its own."""
        return sorted(self._counts.items(), key=lambda pair: (-pair[1], _order(pair[0])))[:most]

    def others(self, most: int) -> int:
        """Return how many things belong to none of the `largest`."""
        return self._total - sum(count for _, count in self.largest(most))


def _rank(kept: tuple[tuple[Any, ...], Any]) -> tuple[Any, ...]:
    return kept[0]


def _order(kind: Any) -> str:
    return repr(kind)
