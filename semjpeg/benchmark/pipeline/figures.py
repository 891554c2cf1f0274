"""What was measured, as a table and as JSON."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.table import Table

from semjpeg.benchmark.pipeline.cpu import COMPARED, PILLOW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BARE: Final = "bare"
_DIGITS = 3


@dataclass(slots=True)
class Figures:
    """Images a second where nothing else is said; what was not measured is None or empty.

    Attributes:
        cores: That the process may use.
        bare: Of the bare work on local files.
        system: Of the whole system, one worker on all cores.
        one, two: Of one worker pinned to a core, and of two pinned to two.
        bare_one, bare_two: The same of the bare work: what the machine's cores are worth together.
        small: Of the whole system on the small pictures.
        original: Of the paper's algorithm on them, on one core while the others do the same.
        mean_batch, batch_size: Pictures in a batch of the network under full load, and the most.
        system_cpu, small_cpu: Milliseconds of processor time for an image, of the bare work, and of the workers, the
            store and the broker of the whole system.
        cpu: Milliseconds of processor time per megapixel, by stage.
        cpu_small: The same of the small pictures.
        cpu_over_pillow, cpu_over_pillow_small: Of these the compared stages, divided by Pillow's time.
        latency_s: Seconds from an upload to its result.
    """

    cores: int = 0
    bare: float | None = None
    system: float | None = None
    one: float | None = None
    two: float | None = None
    bare_one: float | None = None
    bare_two: float | None = None
    small: float | None = None
    bare_small: float | None = None
    original: float | None = None
    mean_batch: float | None = None
    batch_size: int | None = None
    system_cpu: Mapping[str, float] = field(default_factory=dict)
    small_cpu: Mapping[str, float] = field(default_factory=dict)
    cpu: Mapping[str, float] = field(default_factory=dict)
    cpu_small: Mapping[str, float] = field(default_factory=dict)
    cpu_over_pillow: float | None = None
    cpu_over_pillow_small: float | None = None
    latency_s: Sequence[float] = ()


def ratio(above: float | None, below: float | None) -> float | None:
    """Divide what was measured; None where either was not."""
    return above / below if above is not None and below else None


def document(found: Figures) -> dict[str, Any]:
    """Return everything as JSON-ready values, units in the names."""
    values: dict[str, Any] = {
        "cores": found.cores,
        "system_over_bare": ratio(found.system, found.bare),
        "system_over_bare_small": ratio(found.small, found.bare_small),
        "two_over_one": ratio(found.two, found.one),
        "bare_two_over_one": ratio(found.bare_two, found.bare_one),
        "system_over_original": ratio(found.small, found.original),
        "cpu_over_pillow": found.cpu_over_pillow,
        "cpu_over_pillow_small": found.cpu_over_pillow_small,
        "mean_batch_over_max": ratio(found.mean_batch, found.batch_size),
        "latency_median_s": statistics.median(found.latency_s) if found.latency_s else None,
        "latency_p99_s": float(np.quantile(found.latency_s, 0.99)) if found.latency_s else None,
        "bare_images_per_s": found.bare,
        "system_images_per_s": found.system,
        "one_worker_images_per_s": found.one,
        "two_workers_images_per_s": found.two,
        "small_images_per_s": found.small,
        "original_images_per_s": found.original,
        "mean_batch": found.mean_batch,
        "batch_size": found.batch_size,
    }
    rounded = {name: round(value, _DIGITS) if isinstance(value, float) else value for name, value in values.items()}
    stages = {
        "cpu_ms_per_megapixel": dict(found.cpu),
        "cpu_ms_per_megapixel_small": dict(found.cpu_small),
        "cpu_ms_per_image": dict(found.system_cpu),
        "cpu_ms_per_image_small": dict(found.small_cpu),
    }
    return rounded | {name: {stage: round(ms, _DIGITS) for stage, ms in part.items()} for name, part in stages.items()}


_MEANINGS = {
    "system_over_bare": "whole system ÷ bare work on local files, images/s",
    "system_over_bare_small": "the same, small pictures",
    "two_over_one": "two workers ÷ one, each on a core of its own that broker and S3 server share",
    "bare_two_over_one": "the same of the bare work: what the second core is worth here",
    "system_over_original": "whole system ÷ the paper's algorithm on one core, small pictures",
    "cpu_over_pillow": "processor time ÷ Pillow's decode and optimised progressive encode",
    "cpu_over_pillow_small": "the same, small pictures",
    "mean_batch_over_max": "mean batch of the network ÷ the largest, under full load",
    "latency_median_s": "from an upload of 2 megapixels to its result, idle, median, s",
    "latency_p99_s": "the same, 99 of 100, s",
    "bare_images_per_s": "bare work, images/s",
    "system_images_per_s": "whole system, images/s",
    "small_images_per_s": "whole system, small pictures, images/s",
    "original_images_per_s": "the paper's algorithm, small pictures, images/s",
}


def summary(found: Figures) -> Table:
    """Draw the figures that were measured."""
    values = document(found)
    table = Table(title=f"pipeline, {found.cores} cores", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("what it is")
    for name, meaning in _MEANINGS.items():
        if values[name] is not None:
            table.add_row(name, f"{values[name]:.3g}", meaning)
    return table


def stages(found: Figures) -> Table:
    """Draw where the processor time of the bare work goes."""
    table = _of_both("processor time, ms per megapixel (* counts in cpu_over_pillow)", "stage")
    for name in dict.fromkeys((*found.cpu, *found.cpu_small)):
        mark = " *" if name in COMPARED else ""
        table.add_row(
            f"{name}{mark}", *_cells(name, found.cpu, found.cpu_small), style="dim" if name == PILLOW else None
        )
    return table


def parts(found: Figures) -> Table:
    """Draw who takes the processor time of the whole system, and what the bare work alone takes."""
    table = _of_both("processor time, ms per image", "who")
    for name in dict.fromkeys((*found.system_cpu, *found.small_cpu)):
        table.add_row(name, *_cells(name, found.system_cpu, found.small_cpu), style="dim" if name == BARE else None)
    return table


def _of_both(title: str, first: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    table.add_column("photographs", justify="right")
    table.add_column("small", justify="right")
    return table


def _cells(name: str, *columns: Mapping[str, float]) -> list[str]:
    return [f"{column[name]:.1f}" if name in column else "" for column in columns]
