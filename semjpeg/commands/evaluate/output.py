"""What `semjpeg evaluate DATA` and `semjpeg evaluate log` leave and show alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

if TYPE_CHECKING:
    from pathlib import Path

    from semjpeg.comparison.report import Summary

METRICS = "metrics.csv"
_WIDTH_OF_A_LOG = 160
"""Columns of what is printed into a file or a pipe, which have no width of their own."""


def write_all(summary: Summary, told: dict[str, Any], out: Path) -> None:
    """Write each picture's figures, the summary and the bars.

    Raises:
        ForbiddenError: A file cannot be written.
    """
    from semjpeg.comparison.charts import difference_charts
    from semjpeg.comparison.report import to_markdown
    from semjpeg.comparison.table import to_csv
    from semjpeg.files import write_file

    write_file(out / METRICS, to_csv(summary.entries).encode("utf-8", "backslashreplace"))
    write_file(out / "summary.json", json.dumps(told, indent=1).encode())
    charts = difference_charts(summary.entries, summary.names)
    for name, chart in charts.items():
        write_file(out / name, chart)
    write_file(out / "summary.md", to_markdown(summary).encode("utf-8", "backslashreplace"))


def print_tables(summary: Summary, out: Path) -> None:
    """Show the tables, and say where more is."""
    from semjpeg.comparison.report import to_tables

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_LOG
    for table in to_tables(summary, console.width):
        console.print(table)
        console.print()
    click.echo(f"look at {out / 'summary.md'} and the charts beside it", err=True)
