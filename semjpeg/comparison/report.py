"""What an evaluation tells: the tables on the terminal and as Markdown, and everything as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len
from rich.table import Table

from semjpeg.benchmark.measures import DECIBELS
from semjpeg.benchmark.measures import TITLES as MEASURE_TITLES
from semjpeg.comparison.entry import COLUMNS, TOLERANCE
from semjpeg.comparison.paper import PAPER
from semjpeg.comparison.summary import groups, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from semjpeg.comparison.entry import Entry
    from semjpeg.comparison.summary import Gain, Row

    Texts = Sequence[str]

_GAP: Final = 2
"""Blanks between the columns of a table."""

_DIGITS: Final = {"ssimulacra2": 2}
"""Places after the point, where they are not 2 for decibels and 4 for the rest."""

_NOTES: Final = (
    "Means over the pictures, on luma but for SSIMULACRA2, which sees colour; more is better.",
    "Differences are against libjpeg's file of the same picture.",
    "Below each difference stands what encloses 95 % of it if pictures are drawn again (bootstrap).",
    f"“bytes” is the mean difference in size, “off” how many files differ by more than {100 * TOLERANCE:g} %.",
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is told of the pictures.

    title: a heading.
    entries: the pictures, at least one.
    names: what the encoders are called in print.
    notes: what there is to say about how the figures were made.
    """

    title: str
    entries: Sequence[Entry]
    names: Mapping[str, str]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table before it is drawn. The first `words` columns are words, the others numbers."""

    headings: Texts
    rows: Sequence[Texts]
    words: int


def to_tables(summary: Summary, width: int) -> list[Table]:
    """Return the tables for a terminal of `width` columns; one that is wider is cut into several."""
    found = []
    for title, grid in _grids(summary).items():
        for part, columns in enumerate(_cut(grid, width)):
            table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
            table.title, table.title_style, table.title_justify = title if part == 0 else None, "bold", "left"
            for number in columns:
                table.add_column(
                    grid.headings[number], justify="left" if number < grid.words else "right", no_wrap=True
                )
            for row in grid.rows:
                table.add_row(*(row[number] for number in columns))
            found.append(table)
    return found


def _cut(grid: _Grid, width: int) -> list[list[int]]:
    """Return the columns of each part of a table; every part begins with the words."""
    lines = [grid.headings, *grid.rows]
    widths = [max(cell_len(text) for row in lines for text in row[i].split("\n")) + _GAP for i in range(len(lines[0]))]
    words = list(range(grid.words))
    parts = [words]
    for number in range(grid.words, len(widths)):
        if len(parts[-1]) > grid.words and sum(widths[i] for i in parts[-1]) + widths[number] > width + _GAP:
            parts.append(words)
        parts[-1] = [*parts[-1], number]
    return parts


def to_markdown(summary: Summary) -> str:
    """Write the tables, and how they were made."""
    parts = [f"# {summary.title}"]
    for title, grid in _grids(summary).items():
        lines = [grid.headings, ["---"] * grid.words + ["---:"] * (len(grid.headings) - grid.words), *grid.rows]
        cells = [[cell.replace("|", "\\|").replace("\n", "<br>") for cell in line] for line in lines]
        parts += [f"## {title}", "\n".join(f"| {' | '.join(line)} |" for line in cells)]
    notes = "\n".join(f"- {note}" for note in (*_NOTES, *summary.notes))
    return "\n\n".join([*parts, "## Notes", notes]) + "\n"


def to_json(summary: Summary) -> dict[str, Any]:
    """Return all means and gains JSON-ready."""
    return {
        "title": summary.title,
        "pictures": len(summary.entries),
        "encoders": _rows_as_json(summary.entries),
        "groups": {name: _rows_as_json(entries) for name, entries in groups(summary.entries).items()},
        "paper": PAPER,
        "notes": list(summary.notes),
    }


def _rows_as_json(entries: Sequence[Entry]) -> dict[str, Any]:
    return {row.encoder: asdict(row) for row in summarise(entries)}


def _grids(summary: Summary) -> dict[str, _Grid]:
    rows = summarise(summary.entries)
    measures = [measure for measure in COLUMNS if any(measure in row.means for row in rows)]
    titles = [MEASURE_TITLES[measure] for measure in measures]
    found = {
        f"Means over {_pictures(len(summary.entries))}, beside the paper's": _Grid(
            ("encoder", "bytes, %", "off", *titles), [*_means(rows, measures, summary.names), *_paper(measures)], 1
        )
    }
    others = [row for row in rows if row.gains]
    if others:
        gained = [(summary.names.get(row.encoder, row.encoder), *_gains(row, measures)) for row in others]
        found["Difference to libjpeg at equal bytes"] = _Grid(("encoder", *titles), gained, 1)
    by_group = [
        (name, summary.names.get(row.encoder, row.encoder), str(row.pictures), *_gains(row, measures))
        for name, entries in groups(summary.entries).items()
        for row in summarise(entries)
        if row.encoder.startswith("our")
    ]
    if by_group:
        found["The same difference by category"] = _Grid(("category", "encoder", "pictures", *titles), by_group, 2)
    return found


def _means(rows: Sequence[Row], measures: Texts, names: Mapping[str, str]) -> list[Texts]:
    most = max(row.pictures for row in rows)
    lines: list[Texts] = []
    for row in rows:
        name = names.get(row.encoder, row.encoder)
        if row.pictures < most:
            name += f" ({_pictures(row.pictures)})"
        compared = (_signed(row.bytes_percent, 2), str(row.off)) if row.gains else ("", "")
        means = [_plain(measure, row.means.get(measure)) for measure in measures]
        lines.append((name, *compared, *means))
    return lines


def _paper(measures: Texts) -> list[Texts]:
    lines: list[Texts] = []
    for name, means in PAPER.items():
        texts = [_plain(measure, means.get(measure), 2 if measure in DECIBELS else 3) for measure in measures]
        lines.append((name, "", "", *texts))
    return lines


def _gains(row: Row, measures: Texts) -> list[str]:
    return [_gain(row.gains.get(measure), _places(measure)) for measure in measures]


def _gain(gain: Gain | None, places: int) -> str:
    if gain is None:
        return "–"
    text = _signed(gain.mean, places)
    if gain.interval is not None:
        low, high = (_signed(end, places) for end in gain.interval)
        text += f"\n{low} … {high}"
    return text


def _plain(measure: str, value: float | None, places: int | None = None) -> str:
    return "–" if value is None else f"{value:.{_places(measure) if places is None else places}f}".replace("-", "−")


def _signed(value: float, places: int) -> str:
    return f"{value:+.{places}f}".replace("-", "−")


def _places(measure: str) -> int:
    return _DIGITS.get(measure, 2 if measure in DECIBELS else 4)


def _pictures(count: int) -> str:
    return f"{count} picture{'' if count == 1 else 's'}"
