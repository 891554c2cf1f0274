"""`semjpeg evaluate log`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from config.errors import ConfigurationError
from semjpeg.commands.evaluate.output import METRICS, print_tables, write_all
from semjpeg.files import prepare_folder

_MOST_LINES = 10
"""Malformed lines of a file are named up to here, and counted."""


@click.command(name="log", short_help="Summarise and plot logs of the authors.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("evaluate-log"),
    show_default=True,
    help="Folder for metrics.csv, summary.md, summary.json and the charts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what summary.json holds.")
def command(*, files: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Summarise and plot logs of the paper's authors, or earlier metrics.csv.

    FILE is a log that the authors' program wrote, a line for each picture, or the metrics.csv of an evaluation.
    Several are taken together. The folder that a picture lies in is its category.
    """
    from semjpeg.comparison.log import Malformed, read
    from semjpeg.comparison.report import Summary, to_json

    if (out / METRICS).resolve() in {path.resolve() for path in files}:
        raise ConfigurationError(f"{out / METRICS} would be overwritten: give another -o")
    entries, malformed = [], list[Malformed]()
    for path in files:
        found, bad = read(path)
        entries += found
        malformed += bad
        for line in bad[:_MOST_LINES]:
            click.echo(str(line), err=True)
        if len(bad) > _MOST_LINES:
            click.echo(f"{path}: {len(bad) - _MOST_LINES} more lines cannot be read", err=True)
    if not entries:
        raise ConfigurationError(f"no picture is told of in {', '.join(map(str, files))}")
    prepare_folder(out)
    names = ", ".join(path.name for path in files)
    summary = Summary(f"Log of {names}", entries, {}, ["Encoders bear the names of the log's columns."])
    told = {**to_json(summary), "malformed": [str(line) for line in malformed]}
    write_all(summary, told, out)
    if as_json:
        click.echo(json.dumps(told))
    else:
        print_tables(summary, out)
    sys.exit(1 if malformed else 0)
