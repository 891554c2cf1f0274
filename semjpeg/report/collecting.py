"""Adding up rows to a summary, in memory that does not grow and to the same result in whatever order they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from config.sampling import position
from semjpeg.report.histogram import SAVING, SCALES, Distribution, Total
from semjpeg.report.keeping import Lowest, Tally
from semjpeg.report.rows import STAGES, Row
from semjpeg.report.summary import FailureGroup, Histogram, Maker, Summary

if TYPE_CHECKING:
    from datetime import datetime

    from semjpeg.report.reading import Unreadable

SHOWN_ROWS: Final = 10
"""How many of the slowest and the worst images a summary holds."""

_EXAMPLES: Final = 5
"""Of each reason for failures."""

_SHOWN_UNREADABLE: Final = 10
_SHOWN_KINDS: Final = 50
"""Reasons and makers that a summary names; the rest stands together in one more entry."""

_COUNTED_KINDS: Final = 1000
"""Reasons and makers that are counted apart from each other."""

_OTHERS: Final = "others"

_MakerKind = tuple[str, str, str | None, str | None, str]


class Collector:
    """Rows and unreadable records as they come.

    Args:
        sample: How many finished images to choose for the gallery.
    """

    def __init__(self, sample: int) -> None:
        self._done = self._failed = self._kept = self._pixels = 0
        self._bytes_in = self._bytes_out = self._bytes_libjpeg = self._bytes_out_of_those = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._savings = Distribution(SAVING)
        self._quality = [(name, Distribution(scale)) for name, scale in SCALES.items()]
        self._seconds = [(f"{stage}_s", Total()) for stage in STAGES]
        self._slowest, self._worst = Lowest[Row](SHOWN_ROWS), Lowest[Row](SHOWN_ROWS)
        self._sample = Lowest[Row](sample)
        self._failures = Tally[str](_COUNTED_KINDS)
        self._examples: dict[str, Lowest[tuple[str, str]]] = {}
        self._makers = Tally[_MakerKind](_COUNTED_KINDS)
        self._unreadable = Lowest[tuple[str, str]](_SHOWN_UNREADABLE)
        self._unreadable_count = 0

    def add(self, row: Row) -> None:
        """Count a row."""
        if self._first is None or row.finished < self._first:
            self._first = row.finished
        if self._last is None or row.finished > self._last:
            self._last = row.finished
        if row.status == "done":
            self._add_finished(row)
        else:
            self._add_failed(row)

    def add_unreadable(self, record: Unreadable) -> None:
        """Count what could not be read."""
        told = record.key, record.reason
        self._unreadable_count += record.count
        self._unreadable.add(told, told)

    def summary(self, title: str) -> Summary:
        """Return what was added up."""
        return Summary(
            title=title,
            done=self._done,
            failed=self._failed,
            kept=self._kept,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            bytes_libjpeg=self._bytes_libjpeg,
            bytes_out_of_those=self._bytes_out_of_those,
            pixels=self._pixels,
            first=self._first,
            last=self._last,
            savings=self._savings.histogram(),
            quality=_present(self._quality),
            seconds={name.removesuffix("_s"): total.value for name, total in self._seconds if total.count},
            slowest=self._slowest.items,
            worst=self._worst.items,
            failures=self._failure_groups(),
            makers=self._maker_entries(),
            sample=self._sample.items,
            unreadable=self._unreadable.items,
            unreadable_count=self._unreadable_count,
        )

    def _add_finished(self, row: Row) -> None:
        bytes_out = row.bytes_out or 0
        self._done += 1
        self._kept += row.kept_coefficients is True
        self._bytes_in += row.bytes_in
        self._bytes_out += bytes_out
        if row.bytes_libjpeg is not None:
            self._bytes_libjpeg += row.bytes_libjpeg
            self._bytes_out_of_those += bytes_out
        self._pixels += (row.width_px or 0) * (row.height_px or 0)
        self._savings.add(1 - bytes_out / row.bytes_in)
        for name, values in self._quality:
            if (value := getattr(row, name)) is not None:
                values.add(value)
        for name, total in self._seconds:
            if (value := getattr(row, name)) is not None:
                total.add(value)
        if row.total_s is not None and self._slowest.admits(-row.total_s):
            self._slowest.add((-row.total_s, *_identity(row)), row)
        if row.psnr_hvs_m is not None and self._worst.admits(row.psnr_hvs_m):
            self._worst.add((row.psnr_hvs_m, *_identity(row)), row)
        if self._sample.admits(chance := position(row.bucket, row.key)):
            self._sample.add((chance, *_identity(row)), row)
        self._makers.add((row.recipe_name, row.recipe, row.recipe_hash, row.model_hash, row.semjpeg))

    def _add_failed(self, row: Row) -> None:
        self._failed += 1
        code, example = str(row.code), (row.key, str(row.reason))
        self._failures.add(code)
        if code not in self._failures:
            return
        if code not in self._examples:
            self._examples = {kept: examples for kept, examples in self._examples.items() if kept in self._failures}
            self._examples[code] = Lowest(_EXAMPLES)
        self._examples[code].add((*example, *_identity(row)), example)

    def _failure_groups(self) -> tuple[FailureGroup, ...]:
        named = self._failures.largest(_SHOWN_KINDS)
        groups = [FailureGroup(code, count, self._examples[code].items) for code, count in named]
        others = self._failures.others(_SHOWN_KINDS)
        return (*groups, *([FailureGroup(_OTHERS, others, ())] if others else []))

    def _maker_entries(self) -> tuple[Maker, ...]:
        named = [Maker(*kind, count) for kind, count in self._makers.largest(_SHOWN_KINDS)]
        others = self._makers.others(_SHOWN_KINDS)
        return (*named, *([Maker(_OTHERS, "{}", None, None, "", others)] if others else []))


def _present(distributions: list[tuple[str, Distribution]]) -> dict[str, Histogram]:
    histograms = ((name, values.histogram()) for name, values in distributions)
    return {name: histogram for name, histogram in histograms if histogram is not None}


def _identity(row: Row) -> tuple[Any, ...]:
    """Return what decides between rows that are equal otherwise."""
    return row.bucket, row.key, row.output, row.etag, row.finished, row.run
