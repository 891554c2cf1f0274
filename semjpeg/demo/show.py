"""What the demo prints: a progress bar while it runs, a table when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from semjpeg.demo.results import totals

if TYPE_CHECKING:
    from rich.console import Console

    from semjpeg.demo.results import ImageResult

_MB = 1_000_000


def progress_bar(console: Console) -> Progress:
    """Make the bar: images, MB in → out, images/s. The last two are fields named `mb` and `rate`."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images"),
        TextColumn("{task.fields[mb]}"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def megabytes(bytes_in: int, bytes_out: int) -> str:
    """Say how much went in and came out."""
    return f"{bytes_in / _MB:.2f} → {bytes_out / _MB:.2f} MB"


def print_table(console: Console, results: list[ImageResult]) -> None:
    """Print a row for each finished image, the totals, and a line for each failed one with its reason."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("image", overflow="fold")
    for name in ("bytes in", "bytes out", "libjpeg", "saved", "PSNR-S", "PSNR-HVS-M", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        if result.status == "done":
            metrics = result.metrics or {}
            table.add_row(
                _plain(result.key),
                f"{result.bytes_in:,}",
                f"{result.bytes_out:,}",
                f"{result.bytes_libjpeg:,}",
                f"{1 - result.bytes_out / result.bytes_in:.1%}",
                _decibels(metrics.get("psnr_s")),
                _decibels(metrics.get("psnr_hvs_m")),
                f"{result.seconds:.2f}",
            )
    total = totals(results)
    if total["done"]:
        table.add_section()
        table.add_row(
            f"{total['done']} images",
            f"{total['bytes_in']:,}",
            f"{total['bytes_out']:,}",
            f"{total['bytes_libjpeg']:,}",
            f"{total['saved']:.1%}",
            _decibels(total["metrics"].get("psnr_s")),
            _decibels(total["metrics"].get("psnr_hvs_m")),
            f"{sum(result.seconds for result in results):.2f}",
        )
        console.print(table)
    for result in results:
        if result.status == "failed":
            console.print(f"failed: {_plain(result.key)}: {_plain(result.reason or '')}", markup=False, style="red")


def _decibels(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _plain(text: str) -> str:
    """Make a name safe for a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
