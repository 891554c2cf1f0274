"""`semjpeg demo`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from config.recipes import Recipe

_WIDTH_OF_A_LOG = 140
"""Columns of what is printed into a file or a pipe, which have no width of their own."""


@click.command(name="demo")
@click.argument("photos", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-out"),
    show_default=True,
    help="Folder for the results.",
)
@click.option(
    "-q",
    "--quality",
    type=click.IntRange(1, 100),
    default=Recipe().quality,
    show_default=True,
    help="Where it matters, at least as good as libjpeg at this quality.",
)
def command(photos: Path | None, out: Path, quality: int) -> None:
    """Show the whole system at work: broker, S3 server, event poller and worker, all on this machine.

    PHOTOS is a folder of photographs; without it, those that scikit-image carries are used. They are uploaded to a
    bucket, whose notifications cause the work.
    """
    from semjpeg.demo.run import run_demo

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_LOG
    results = run_demo(photos, out, quality=quality, console=console)
    console.print(f"\nlook at [bold]{out / 'index.html'}[/bold]")
    sys.exit(1 if any(result.status == "failed" for result in results) else 0)
