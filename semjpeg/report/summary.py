"""What the page shows of any number of records, in memory that does not grow with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from semjpeg.report.rows import Row


@dataclass(frozen=True, slots=True)
class Histogram:
    """How values are distributed: counts in steps of equal width from `low` to `high`.

    What lies outside is counted in the first or the last step; `least`, `most` and `mean` are exact.
    """

    low: float
    high: float
    counts: tuple[int, ...]
    least: float
    most: float
    mean: float

    @property
    def total(self) -> int:
        """How many values there are."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed images of one code.

    examples: a few of them, as key and reason.
    """

    code: str
    count: int
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Maker:
    """A recipe, a network and a version of semjpeg, and how many results they made together."""

    recipe_name: str
    recipe: str
    recipe_hash: str | None
    model_hash: str | None
    semjpeg: str
    count: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A run, or all that a place holds.

    title: the run's name, or the place.
    kept: results that hold their source's own coefficients.
    bytes_in, bytes_out: of the finished images.
    bytes_libjpeg: what libjpeg makes of them, over those whose record says so; `bytes_out_of_those`: our bytes of them.
    first, last: when the first and the last image ended; None without images.
    savings: share of its bytes that each image lost, −1 to 1; None without finished images.
    quality: distribution of each measure by its column's name; measures that no record has are missing.
    seconds: spent in each stage by all finished images, by the stage's name, `total` besides.
    slowest: finished images by `total_s`, the slowest first.
    worst: finished images by `psnr_hvs_m`, the worst first.
    sample: finished images for the gallery, chosen by hash of bucket and key: the same of the same records.
    unreadable: records that could not be read, and why, a few of them; `unreadable_count`: how many.
    """

    title: str
    done: int
    failed: int
    kept: int
    bytes_in: int
    bytes_out: int
    bytes_libjpeg: int
    bytes_out_of_those: int
    pixels: int
    first: datetime | None
    last: datetime | None
    savings: Histogram | None
    quality: dict[str, Histogram]
    seconds: dict[str, float]
    slowest: tuple[Row, ...]
    worst: tuple[Row, ...]
    failures: tuple[FailureGroup, ...]
    makers: tuple[Maker, ...]
    sample: tuple[Row, ...]
    unreadable: tuple[tuple[str, str], ...]
    unreadable_count: int
