"""A summary as JSON and in a few lines."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from semjpeg.report.summary import Summary

_MEGABYTE: Final = 1_000_000


def as_json(summary: Summary) -> dict[str, Any]:
    """Return the figures JSON-ready: all of the summary but the sample, shares besides, times in ISO 8601."""
    figures = asdict(summary)
    del figures["sample"]
    shares = {"saved": _saved(summary), "saved_against_libjpeg": _saved_against_libjpeg(summary)}
    ready: dict[str, Any] = json.loads(json.dumps(figures | shares, default=_as_text))
    return ready


def lines(summary: Summary) -> list[str]:
    """Say in a few lines what was done."""
    told = [f"{summary.title}: {summary.done:,} images done, {summary.failed:,} failed"]
    if (saved := _saved(summary)) is not None:
        sizes = f"{summary.bytes_in / _MEGABYTE:,.1f} MB → {summary.bytes_out / _MEGABYTE:,.1f} MB"
        told.append(f"{sizes}: {saved:.1%} saved")
    if (against := _saved_against_libjpeg(summary)) is not None:
        told.append(
            f"libjpeg at the recipe's quality would need {summary.bytes_libjpeg / _MEGABYTE:,.1f} MB: "
            f"{against:.1%} less than that"
        )
    return told


def _saved(summary: Summary) -> float | None:
    return 1 - summary.bytes_out / summary.bytes_in if summary.bytes_in else None


def _saved_against_libjpeg(summary: Summary) -> float | None:
    return 1 - summary.bytes_out_of_those / summary.bytes_libjpeg if summary.bytes_libjpeg else None


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    raise TypeError(type(value).__name__)
