"""From the figures of pictures to means, and to what the encoders gain over libjpeg."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from codec import MIXINGS
from semjpeg.comparison.entry import COLUMNS, JPEG, TOLERANCE
from semjpeg.evaluation.bootstrap import interval, resamples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from semjpeg.comparison.entry import Entry
    from semjpeg.evaluation.bootstrap import Interval

_ROUNDING: Final = 1e-12
"""What floating point may add to a share that is just within the tolerance."""


@dataclass(frozen=True, slots=True)
class Gain:
    """An encoder's measure less libjpeg's, as the mean over the pictures.

    interval: what encloses 95 % of it if pictures are drawn again; None for a single picture.
    better: on how many pictures it is above 0.
    """

    mean: float
    interval: Interval | None
    better: int


@dataclass(frozen=True, slots=True)
class Row:
    """What one encoder's files are worth.

    pictures: how many it made files of.
    size_bytes: of all its files.
    bytes_percent: by how much its files are larger than libjpeg's, as the mean of log ratios.
    off: how many are more than 1 % larger or smaller.
    means: by measure.
    gains: by measure; empty for libjpeg itself.
    """

    encoder: str
    pictures: int
    size_bytes: int
    bytes_percent: float
    off: int
    means: Mapping[str, float]
    gains: Mapping[str, Gain]


def summarise(entries: Sequence[Entry]) -> list[Row]:
    """Return the row of each encoder that made files of any of the pictures, libjpeg's first."""
    encoders = dict.fromkeys([JPEG, *(encoder for entry in entries for encoder in entry.files)])
    return [_row([entry for entry in entries if encoder in entry.files], encoder) for encoder in encoders]


def groups(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Sort pictures by category, and by the rule that mixed them where a log has several; what is one group is none."""
    found: dict[str, list[Entry]] = {}
    if len({entry.category for entry in entries}) > 1:
        for entry in sorted(entries, key=lambda each: each.category):
            found.setdefault(entry.category or "(no folder)", []).append(entry)
    if len({entry.model_number for entry in entries}) > 1:
        for entry in sorted(entries, key=lambda each: each.model_number):
            found.setdefault(f"model {_mixing(entry.model_number)}", []).append(entry)
    return found


def _mixing(model_number: int) -> str:
    known = 1 <= model_number <= len(MIXINGS)
    return f"{model_number}, {MIXINGS[model_number - 1]}" if known else str(model_number)


def _row(entries: Sequence[Entry], encoder: str) -> Row:
    files = [entry.files[encoder] for entry in entries]
    measures = [measure for measure in COLUMNS if all(measure in file.measures for file in files)]
    means = {measure: _mean([file.measures[measure] for file in files]) for measure in measures}
    ratios = [math.log1p(entry.excess(encoder)) for entry in entries]
    return Row(
        encoder=encoder,
        pictures=len(entries),
        size_bytes=sum(file.size_bytes for file in files),
        bytes_percent=100 * math.expm1(_mean(ratios)),
        off=sum(abs(entry.excess(encoder)) > TOLERANCE + _ROUNDING for entry in entries),
        means=means,
        gains={} if encoder == JPEG else _gains(entries, encoder, measures),
    )


def _gains(entries: Sequence[Entry], encoder: str, measures: Sequence[str]) -> dict[str, Gain]:
    draws = resamples(len(entries)) if len(entries) > 1 else None
    found = {}
    for measure in measures:
        if all(measure in entry.files[JPEG].measures for entry in entries):
            gains = [entry.files[encoder].measures[measure] - entry.files[JPEG].measures[measure] for entry in entries]
            around = None if draws is None else interval(draws @ np.array(gains))
            found[measure] = Gain(_mean(gains), around, sum(gain > 0 for gain in gains))
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
