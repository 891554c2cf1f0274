"""`index.html`: original, result and overlay of every photograph, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from semjpeg.demo.results import totals
from semjpeg.files import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from semjpeg.demo.results import ImageResult


def write_gallery(results: list[ImageResult], out: Path, *, quality: int) -> None:
    """Write the page into `out`; it refers to the files there by relative addresses and to nothing else."""
    environment = Environment(
        loader=PackageLoader("semjpeg"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["address"] = quote
    environment.filters["kilobytes"] = lambda count: f"{count / 1000:,.1f} kB"
    environment.filters["percent"] = lambda share: "–" if share is None else f"{share:.1%}"
    environment.filters["decibels"] = lambda value: "–" if value is None else f"{value:.2f} dB"
    page = environment.get_template("gallery.html.j2").render(
        done=[result for result in results if result.status == "done"],
        failed=[result for result in results if result.status == "failed"],
        totals=totals(results),
        quality=quality,
    )
    write_file(out / "index.html", page.encode())
