"""What an evaluation leaves: each picture's scores as CSV, the means on the terminal and as JSON."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

from semjpeg.evaluation.run import MAP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from semjpeg.benchmark.runs import Failure
    from semjpeg.evaluation.pairs import Pairing
    from semjpeg.evaluation.run import Scored
    from semjpeg.evaluation.saving import Rates, Saving
    from semjpeg.evaluation.summary import Figure, Row

_COLUMNS = ("name", "auc", "f", "mae", "mask_above_mean", "objects", "objects_found")
_RATES = ("bd_rate_none", "bd_rate_map", "bd_rate_mask")
_HEADINGS = ("maps", "pictures", "AUC", "best F", "at", "MAE", "objects found")


def to_csv(scored: Sequence[Scored], threshold: int, rates: Mapping[Path, Rates] | None) -> str:
    """Write one row for each picture.

    Args:
        scored: Their scores.
        threshold: Where F is taken, 1..255.
        rates: BD-rates of the pictures that have some, written in percent; None leaves their columns out.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*_COLUMNS, *(_RATES if rates is not None else ())))
    for each in scored:
        score, path = each.scores[MAP], each.pair.picture
        figures = [f"{value:.6f}" for value in (score.auc, score.f[threshold - 1], score.mae, score.above_mean)]
        row = [path.name, *figures, str(each.objects), str(score.found)]
        if rates is not None:
            row += [f"{100 * math.expm1(rate):.3f}" for rate in rates[path]] if path in rates else [""] * len(_RATES)
        writer.writerow(row)
    return text.getvalue()


def to_json(
    rows: Sequence[Row], pairing: Pairing, failures: Sequence[Failure], saving: Saving | None
) -> dict[str, Any]:
    """Return everything but the single pictures JSON-ready."""
    return {
        "pictures": rows[0].pictures if rows else 0,
        "failed": [{"picture": str(failure.picture), "reason": failure.reason} for failure in failures],
        "pictures_without_mask": [path.name for path in pairing.pictures_without_mask],
        "masks_without_picture": [path.name for path in pairing.masks_without_picture],
        "table": [asdict(row) for row in rows],
        "saving": None if saving is None else asdict(saving),
    }


def to_table(rows: Sequence[Row]) -> Table:
    """Return the table for the terminal, each interval below its figure."""
    table = _table(_HEADINGS)
    for row in rows:
        figures = (_text(row.auc, 4), _text(row.best_f, 4), str(row.threshold), _text(row.mae, 4))
        table.add_row(row.name, str(row.pictures), *figures, f"{row.found} of {row.objects}")
    return table


def to_saving_table(saving: Saving, label: str) -> Table:
    """Return the BD-rates for the terminal."""
    table = _table(("encoded with", "pictures", "BD-rate in the mask, %", "share of the mask's saving, %"))
    for name, rate, share in (
        ("no map", saving.none, None),
        (label, saving.map, saving.share),
        ("the true mask", saving.mask, None),
    ):
        table.add_row(name, str(saving.pictures), _text(rate, 1), "" if share is None else _text(share, 0, 100))
    return table


def _table(headings: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="left" if heading is headings[0] else "right")
    return table


def _text(figure: Figure, digits: int, factor: float = 1) -> str:
    text = f"{factor * figure.value:.{digits}f}"
    if figure.interval is not None:
        low, high = (f"{factor * end:.{digits}f}" for end in figure.interval)
        text += f"\n{low} to {high}"
    return text.replace("-", "−")
