"""`index.html`: the report of the demo's own run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semjpeg.demo.system import OUTPUT_BUCKET
from semjpeg.files import write_file
from semjpeg.report.collecting import Collector
from semjpeg.report.page import LIST_CURRENCY, LIST_PRICE, write_page
from semjpeg.report.reading import Unreadable, read_records

if TYPE_CHECKING:
    from pathlib import Path

    from semjpeg.demo.system import System

_TITLE = "Smaller where nobody looks"
_MOST_PICTURES = 24
_CONNECTIONS = 8
"""Records read at a time."""


def write_report(system: System, out: Path) -> None:
    """Write the page into `out`; it holds all that it shows, so that the folder can be moved and the servers be gone.

    Raises:
        SemjpegError: The records are out of reach.
    """
    collector = Collector(_MOST_PICTURES)
    for item in read_records(system.stores.open(OUTPUT_BUCKET), "", _CONNECTIONS):
        if isinstance(item, Unreadable):
            collector.add_unreadable(item)
        else:
            collector.add(item)
    page = write_page(
        collector.summary(_TITLE), system.stores, price=LIST_PRICE, currency=LIST_CURRENCY, gallery=_MOST_PICTURES
    )
    write_file(out / "index.html", page)
