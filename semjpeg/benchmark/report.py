"""What a run leaves: every file's figures as CSV, the table as Markdown, as JSON and on the terminal."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rich.table import Table

from semjpeg.benchmark.encoders import MOZJPEG_VERSION
from semjpeg.benchmark.measures import DECIBELS, TITLES
from semjpeg.benchmark.plan import EQUAL_BYTES, OURS
from semjpeg.benchmark.table import EQUAL_BYTES_MEASURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codec import Method, Mosaic
    from semjpeg.benchmark.runs import Failure, Record
    from semjpeg.benchmark.table import Line, Results

_COLUMNS = ("picture", "encoder", "method", "aim", "strength", "map", "setting", "bytes", "bits_per_pixel", *TITLES)
_HEADINGS = ("row", "semjpeg", "against", "figure", "pictures", "result", "must", "aim for", "met")
_PACKAGES = ("pillow", "jpeglib", "pyjpegli", "mozjpeg-lossless-optimization", "scipy", "ssimulacra2")

_METHOD = (
    "BD-rate: by how much the bytes differ at equal measure, with curves piecewise cubic and monotone (PCHIP) through "
    "the points, as the mean of the logs over the pictures. Every file was decoded by Pillow. libjpeg-turbo is what "
    f"Pillow saves by default, mozjpeg is `{MOZJPEG_VERSION}` of jpeglib, and jpegli's scans went through the scan "
    "optimiser. PSNR-S looks at the fifth of the picture that the network's map ranks highest."
)


def to_csv(records: Sequence[Record]) -> str:
    """Write one row for each picture × encoder × map × setting; measures that were not made are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in records:
        setting = record.setting
        choices: tuple[object, ...] = ("", "", "")
        if setting.encoder == OURS:
            choices = (_method_name(setting.method), setting.aim, setting.strength)
        writer.writerow(
            {
                "picture": record.picture.name,
                "encoder": setting.encoder,
                "method": choices[0],
                "aim": choices[1],
                "strength": choices[2],
                "map": setting.map,
                "setting": setting.rate_name,
                "bytes": record.size_bytes,
                "bits_per_pixel": f"{record.bits_per_pixel:.5f}",
                **{name: f"{value:.6g}" for name, value in record.measures.items()},
            }
        )
    return text.getvalue()


def _method_name(method: Method | Mosaic) -> str:
    """Name a method; a mosaic with its options."""
    if isinstance(method, str):
        return method
    return f"mosaic, {method.levels} levels {method.low}..{method.high}, {method.mixing}"


def cells(line: Line) -> tuple[str, ...]:
    """Return a line as texts, in the order of the headings."""
    goals = [line.text(goal) if goal is not None else "" for goal in (line.must, line.aim)]
    row, pictures = str(line.row), str(line.pictures)
    return (row, line.setting, line.against, line.figure, pictures, line.text(line.result), *goals, line.met)


def to_markdown(lines: Sequence[Line], results: Results, source: str) -> str:
    """Write the table, below it the measures at equal bytes, and what it was all made with.

    Args:
        lines: The table.
        results: What it was made of.
        source: Where the pictures come from.
    """
    heading = f"# semjpeg beside other JPEG encoders: {source}, {results.size}"
    parts = [heading, _grid(_HEADINGS, [cells(line) for line in lines])]
    if len(results):
        headings = ("at libjpeg's bytes", *(TITLES[measure] for measure in EQUAL_BYTES_MEASURES))
        parts += [_grid(headings, [_equal_bytes(results, name) for name in EQUAL_BYTES])]
    made_with = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    parts += [_METHOD, f"Made with semjpeg {version('semjpeg')}, {made_with}."]
    return "\n\n".join(parts) + "\n"


def to_json(lines: Sequence[Line], failures: Sequence[Failure], pictures: int) -> dict[str, Any]:
    """Return the table JSON-ready."""
    return {
        "pictures": pictures,
        "failed": [{"picture": str(failure.picture), "reason": failure.reason} for failure in failures],
        "table": [{**asdict(line), "met": line.met} for line in lines],
    }


def to_table(lines: Sequence[Line]) -> Table:
    """Return the table for the terminal."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for heading in _HEADINGS:
        words = heading in {"semjpeg", "against", "figure", "met"}
        table.add_column(heading, justify="left" if words else "right", no_wrap=not words)
    for line in lines:
        table.add_row(*cells(line))
    return table


def _grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _equal_bytes(results: Results, name: str) -> tuple[str, ...]:
    means = {measure: results.mean(EQUAL_BYTES[name], measure) for measure in EQUAL_BYTES_MEASURES}
    return (name, *(f"{value:.{2 if measure in DECIBELS else 4}f}" for measure, value in means.items()))
