"""Reading the log files of the paper's authors, and our own `metrics.csv`.

A line of theirs tells of one picture: its name, which may hold blanks, six whole numbers, and six measures each of
libjpeg's file and of theirs, with a bar after each group.

    /pictures/kodim11.png 6 638906 45772 46596 50 54  |  33.908424 …  39.881672  |  34.059929 …  40.124123  |
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final

from semjpeg.comparison.entry import COLUMNS, JPEG, LOGGED, OUR, Entry, File
from semjpeg.comparison.table import from_row, number, whole
from semjpeg.files import read_file

if TYPE_CHECKING:
    from pathlib import Path

_BAR: Final = "|"
_MAX_BYTES: Final = 1 << 30
"""Longest log that is read: some millions of pictures."""

_COUNTS: Final = ("model_number", "png_size", "jpeg_size", "our_size", "jpeg_q", "our_q")
_NO_SIZE: Final = frozenset({"model_number", "jpeg_q", "our_q"})
"""Numbers that may be 0."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that could not be read, counted from 1, and why."""

    path: Path
    line: int
    reason: str

    def __str__(self) -> str:
        """Name the line as compilers do, so that editors find it."""
        return f"{self.path}:{self.line}: {self.reason}"


def read(path: Path) -> tuple[list[Entry], list[Malformed]]:
    """Read a log, or a `metrics.csv`, which its heading tells apart.

    Returns:
        The pictures in the order of the file, and the lines that could not be read.

    Raises:
        SemjpegError: The file cannot be read.
    """
    text = read_file(path, _MAX_BYTES).decode("utf-8-sig", "surrogateescape")
    if text.partition("\n")[0].startswith("filename,"):
        return _read_csv(path, text)
    entries, malformed = [], []
    for count, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            entries.append(parse(line))
        except ValueError as error:
            malformed.append(Malformed(path, count, str(error)))
    return entries, malformed


def parse(line: str) -> Entry:
    """Read a line of the authors' log. The fields are split off from the right, since the name may hold anything.

    Raises:
        ValueError: It does not have that form; the message says where.
    """
    groups = line.strip().removesuffix(_BAR).rsplit(_BAR, 2)
    if len(groups) != 3:  # noqa: PLR2004  the picture, libjpeg's measures, theirs
        raise ValueError(f"bars part it into {len(groups)}, not into 3")
    head, *measures = groups
    fields = head.strip().rsplit(None, len(_COUNTS))
    if len(fields) != 1 + len(_COUNTS):
        raise ValueError(f"has {len(fields)} fields before the first bar, not a name and {len(_COUNTS)} numbers")
    filename, *counts = fields
    found = {
        name: whole(text, name, least=0 if name in _NO_SIZE else 1) for name, text in zip(_COUNTS, counts, strict=True)
    }
    files = {
        encoder: File(found[f"{encoder}_size"], found[f"{encoder}_q"], _measures(encoder, group))
        for encoder, group in zip((JPEG, OUR), measures, strict=True)
    }
    return Entry(filename, category_of(filename), found["model_number"], found["png_size"], None, files)


def category_of(filename: str) -> str:
    """Return the name of the folder that a file lies in; empty where the name tells none."""
    path = PureWindowsPath(filename) if "\\" in filename else PurePosixPath(filename)
    return path.parent.name


def _measures(encoder: str, group: str) -> dict[str, float]:
    texts = group.split()
    if len(texts) != len(LOGGED):
        raise ValueError(f"has {len(texts)} measures of {encoder}, not {len(LOGGED)}")
    return {measure: number(text, f"{encoder}_{COLUMNS[measure]}") for measure, text in zip(LOGGED, texts, strict=True)}


def _read_csv(path: Path, text: str) -> tuple[list[Entry], list[Malformed]]:
    entries: list[Entry] = []
    malformed: list[Malformed] = []
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            try:
                entries.append(from_row(row))
            except ValueError as error:
                malformed.append(Malformed(path, reader.line_num, str(error)))
    except csv.Error as error:
        malformed.append(Malformed(path, reader.line_num, f"is no CSV, nor is what follows: {error}"))
    return entries, malformed
