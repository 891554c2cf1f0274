"""The report as one HTML file: it holds all that it shows and asks no server for anything."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from config.settings import Settings
from semjpeg.report import charts, words
from semjpeg.report.gallery import Gallery, make_gallery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semjpeg.report.buckets import Buckets
    from semjpeg.report.rows import Row
    from semjpeg.report.summary import Summary

LIST_PRICE, LIST_CURRENCY = 0.023, "USD"
"""S3 Standard's list price of a GB for a month: us-east-1, the first tier."""

_PICTURES_BYTES, _PAGE_BYTES = 4_400_000, 4_900_000
"""How much the gallery and all of the page may take, less the names of pictures that are left out."""
_MOST_LEFT_OUT = 20
"""Pictures that could not be shown and are named; the others are counted."""
_MOST_MAKERS = 20
"""Recipes and versions that are shown; the others are counted."""
_MOST_OPTIONS = 60
"""Lines of a recipe that are shown."""
_MONTHS = 12
_MILLION = 1_000_000
_MANY_PIXELS = 1000 * _MILLION
"""From here on tenths of a megapixel tell nothing."""


@dataclass(frozen=True, slots=True)
class Headline:
    """What the run was worth, in numbers. What cannot be said is None.

    share, share_of_libjpeg: of the bytes in, and of libjpeg's bytes, that were saved.
    month: money saved each month; million: the same for a million images like these.
    images_per_s: over the whole run, failed ones included.
    """

    saved_bytes: int
    share: float | None
    share_of_libjpeg: float | None
    month: float
    year: float
    million: float | None
    images_per_s: float | None

    @classmethod
    def of(cls, summary: Summary, price: float) -> Headline:
        """Add up.

        Args:
            summary: The run.
            price: Of a GB, 2³⁰ bytes, for a month.
        """
        saved = summary.bytes_in - summary.bytes_out
        month = saved / words.GB_BYTES * price
        of_libjpeg = summary.bytes_libjpeg and 1 - summary.bytes_out_of_those / summary.bytes_libjpeg
        rate = None
        if summary.first and summary.last and summary.last > summary.first:
            rate = (summary.done + summary.failed - 1) / (summary.last - summary.first).total_seconds()
        return cls(
            saved_bytes=saved,
            share=saved / summary.bytes_in if summary.bytes_in else None,
            share_of_libjpeg=of_libjpeg if summary.bytes_libjpeg else None,
            month=month,
            year=month * _MONTHS,
            million=month / summary.done * _MILLION if summary.done else None,
            images_per_s=rate,
        )


def write_page(summary: Summary, stores: Buckets | None, *, price: float, currency: str, gallery: int) -> bytes:
    """Make the page.

    Args:
        summary: What it shows.
        stores: Where originals and results are fetched from for the gallery; None means that there is none.
        price: Of keeping a GB, 2³⁰ bytes, for a month.
        currency: A sign such as `$`, or a word such as `EUR`.
        gallery: How many pictures of the sample are shown, at most; there are fewer where 5 MB do not hold them.

    Returns:
        HTML in UTF-8. Pictures that cannot be had are named in it with the reason.
    """
    environment = _environment(currency)
    css, script = _inline(environment, "report.css"), _inline(environment, "report.js")
    template = environment.get_template("report.html.j2")

    def page(shown: Gallery) -> bytes:
        return template.render(
            summary=summary,
            headline=Headline.of(summary, price),
            price=price,
            gallery=shown,
            measures={name: words.MEASURES[name] for name in words.MEASURES if _is_known(summary, name)},
            most_makers=_MOST_MAKERS,
            most_left_out=_MOST_LEFT_OUT,
            css=css,
            script=script,
            policy=_policy(css, script),
        ).encode()

    bare = page(Gallery())
    if stores is None:
        return bare
    room_bytes = min(_PICTURES_BYTES, _PAGE_BYTES - len(bare))
    return page(make_gallery(summary.sample[:gallery], stores, Settings.load().limits, room_bytes))


def _environment(currency: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("semjpeg"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "size": words.size,
        "money": lambda amount: words.money(amount, words.visible(currency)),
        "unit_price": lambda price: words.unit_price(price, words.visible(currency)),
        "duration": words.duration,
        "name": words.name,
        "reason": words.reason,
        "visible": words.visible,
        "percent": words.SAVING.text,
        "decibels": words.MEASURES["psnr_hvs_m"].text,
        "megapixels": lambda pixels: f"{pixels / _MILLION:,.{1 if pixels < _MANY_PIXELS else 0}f}",
        "number": lambda count: f"{count:,}",
        "pretty": _pretty,
    }
    environment.globals |= {
        "SAVING": words.SAVING,
        "STAGES": words.STAGES,
        "bars": charts.bars,
        "failure_meaning": words.failure_meaning,
        "histogram": charts.histogram,
        "longest_s": _longest_s,
        "period": words.period,
        "saved": _saved,
        "share_bar": charts.share_bar,
        "stage_bar": charts.stage_bar,
        "stage_seconds": _stage_seconds,
        "summed_up": charts.summed_up,
        "swatch": charts.swatch,
    }
    return environment


def _is_known(summary: Summary, measure: str) -> bool:
    return measure in summary.quality and summary.quality[measure].total > 0


def _saved(row: Row) -> float | None:
    """Return the share of its bytes that an image lost."""
    return 1 - row.bytes_out / row.bytes_in if row.bytes_out is not None and row.bytes_in else None


def _pretty(recipe: str) -> str:
    lines = json.dumps(json.loads(recipe), indent=2, ensure_ascii=False).split("\n")
    return "\n".join(map(words.visible, lines[:_MOST_OPTIONS]))


def _stage_seconds(row: Row) -> dict[str, float | None]:
    return {stage: getattr(row, f"{stage}_s") for stage in words.STAGES}


def _longest_s(rows: Sequence[Row]) -> float:
    """Return what is the full width of a bar: the longest of the images' times, and of their stages together."""
    return max(
        (max(row.total_s or 0.0, sum(s or 0.0 for s in _stage_seconds(row).values())) for row in rows), default=0
    )


def _inline(environment: Environment, file: str) -> Markup:
    """Return a file of ours as it is."""
    assert environment.loader is not None  # noqa: S101  it was given one above
    return Markup(environment.loader.get_source(environment, file)[0])  # noqa: S704  ours, and no template


def _policy(css: str, script: str) -> str:
    """Return a content security policy under which these two run and nothing else does, nor is anything fetched."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (css, script)
    )
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; "
        "base-uri 'none'; form-action 'none'"
    )
