"""`metrics.csv`: the columns of the authors' log under its own names, then ours; and reading it again."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, Final

from semjpeg.comparison.entry import COLUMNS, JPEG, LOGGED, OUR, Entry, File

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from semjpeg.comparison.entry import Result

LOG_COLUMNS: Final = (
    "filename", "model_number", "png_size", "jpeg_size", "our_size", "jpeg_q", "our_q",
    *(f"{encoder}_{COLUMNS[measure]}" for encoder in (JPEG, OUR) for measure in LOGGED),
)  # fmt: skip
"""What the authors' log tells, in its order."""

_SIZE: Final = "_size"
_WORDS: Final = ("category", "width_px", "height_px")


def columns(encoders: Sequence[str]) -> list[str]:
    """List the columns for these encoders, the authors' first."""
    rest = [f"{encoder}_{end}" for encoder in (JPEG, OUR) for end in ("psnrs", "ssimulacra2")]
    for encoder in encoders:
        if encoder not in {JPEG, OUR}:
            rest += [f"{encoder}_{end}" for end in ("size", "q", *COLUMNS.values())]
    off = [f"{encoder}_off_percent" for encoder in encoders if encoder != JPEG]
    return [*LOG_COLUMNS, *_WORDS, *rest, *off]


def to_csv(entries: Sequence[Entry]) -> str:
    """Write one row for each picture; what is not known is empty."""
    encoders = list(dict.fromkeys(encoder for entry in entries for encoder in entry.files))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(encoders), lineterminator="\n")
    writer.writeheader()
    for entry in entries:
        writer.writerow(_row(entry))
    return text.getvalue()


def _row(entry: Entry) -> dict[str, object]:
    width, height = entry.size_px or ("", "")
    row: dict[str, object] = {
        "filename": entry.filename,
        "model_number": entry.model_number,
        "png_size": entry.png_size,
        "category": entry.category,
        "width_px": width,
        "height_px": height,
    }
    for encoder, file in entry.files.items():
        row[f"{encoder}_size"] = file.size_bytes
        row[f"{encoder}_q"] = "" if file.quality is None else f"{file.quality:.9g}"
        row |= {f"{encoder}_{COLUMNS[measure]}": f"{value:.6f}" for measure, value in file.measures.items()}
        if encoder != JPEG:
            row[f"{encoder}_off_percent"] = f"{100 * entry.excess(encoder):.3f}"
    return row


def curves_to_csv(results: Sequence[Result]) -> str:
    """Write one row for each file of the curves."""
    measures = list(dict.fromkeys(name for result in results for point in result.points for name in point.measures))
    rows = [
        (result.entry.filename, p.encoder, p.quality, p.size_bytes, *(f"{p.measures[name]:.6f}" for name in measures))
        for result in results
        for p in result.points
    ]
    return _plain(("filename", "encoder", "jpeg_q", "size", *(COLUMNS[name] for name in measures)), rows)


def savings_to_csv(results: Sequence[Result]) -> str:
    """Write one row for each picture and quality: bytes of libjpeg's file, and of ours that promises its quality."""
    rows = [
        (result.entry.filename, saving.quality, saving.jpeg_bytes, saving.our_bytes, f"{saving.percent:.3f}")
        for result in results
        for saving in result.savings
    ]
    return _plain(("filename", "jpeg_q", "jpeg_size", "our_size", "saved_percent"), rows)


def _plain(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return text.getvalue()


def from_row(row: Mapping[str, str | None]) -> Entry:
    """Read a row of `metrics.csv`.

    Raises:
        ValueError: It does not have the agreed form; the message says where.
    """
    if None in row.values() or None in row:
        raise ValueError("has another number of fields than the heading")
    texts = {name: text or "" for name, text in row.items()}
    encoders = [name.removesuffix(_SIZE) for name in texts if name.endswith(_SIZE) and name != "png_size"]
    if JPEG not in encoders or not texts.get(f"{JPEG}_size"):
        raise ValueError("has no jpeg_size")
    size_px = None
    if texts.get("width_px") and texts.get("height_px"):
        size_px = (whole(texts["width_px"], "width_px"), whole(texts["height_px"], "height_px"))
    return Entry(
        texts.get("filename", ""),
        texts.get("category", ""),
        whole(texts.get("model_number", ""), "model_number", least=0),
        whole(texts.get("png_size", ""), "png_size"),
        size_px,
        {encoder: _file(encoder, texts) for encoder in encoders if texts[encoder + _SIZE]},
    )


def _file(encoder: str, texts: Mapping[str, str]) -> File:
    quality = texts.get(f"{encoder}_q", "")
    measures = {}
    for measure, end in COLUMNS.items():
        name = f"{encoder}_{end}"
        if texts.get(name):
            measures[measure] = number(texts[name], name)
    size = whole(texts[encoder + _SIZE], encoder + _SIZE)
    return File(size, number(quality, f"{encoder}_q") if quality else None, measures)


def whole(text: str, name: str, least: int = 1) -> int:
    """Read a whole number that is `least` or more.

    Raises:
        ValueError: It is none; the message names the field.
    """
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise ValueError(f"{name} must be a whole number of {least} or more, not {text!r}")
    return int(text)


def number(text: str, name: str) -> float:
    """Read a finite number.

    Raises:
        ValueError: It is none; the message names the field.
    """
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a number, not {text!r}")
    return value
