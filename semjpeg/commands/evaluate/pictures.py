"""`semjpeg evaluate DATA`."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from semjpeg.commands.evaluate.output import print_tables, write_all
from semjpeg.files import prepare_folder

if TYPE_CHECKING:
    from semjpeg.comparison.measure import Plan
    from semjpeg.comparison.run import Found

_QUALITY = click.IntRange(1, 100)
_DEFAULT_QUALITY = 50
"""The paper's."""


class _Context(click.Context):
    """The context of a command that is called by its group's name."""

    @property
    def command_path(self) -> str:
        """Name the group alone."""
        return self.parent.command_path if self.parent is not None else ""


class _Command(click.Command):
    context_class = _Context


def _read_curve(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    """Read `30,50,70,90`; nothing at all means no curve."""
    return tuple(sorted({_QUALITY(word, parameter, context) for word in value.replace(",", " ").split()}))


@click.command(cls=_Command)
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("evaluate"),
    show_default=True,
    help="Folder for metrics.csv, summary.md, summary.json and the charts.",
)
@click.option(
    "-q",
    "--quality",
    type=_QUALITY,
    default=_DEFAULT_QUALITY,
    show_default=True,
    help="libjpeg's quality whose bytes every file takes.",
)
@click.option(
    "--curve",
    callback=_read_curve,
    default="30,50,70,90",
    show_default=True,
    metavar="Q,Q,…",
    help="libjpeg's qualities along the curves; '' draws none.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Take this many of the pictures, at even distances.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes.  [default: one for each core]")
@click.option(
    "--max-megapixels",
    type=click.FloatRange(min=0, min_open=True),
    default=8.0,
    show_default=True,
    help="Refuse larger pictures.",
)
@click.option("--keep-files", is_flag=True, help="Keep each encoder's files under files/ENCODER/.")
@click.option("--json", "as_json", is_flag=True, help="Print what summary.json holds.")
def command(
    *,
    data: Path,
    out: Path,
    quality: int,
    curve: tuple[int, ...],
    limit: int | None,
    jobs: int | None,
    max_megapixels: float,
    keep_files: bool,
    as_json: bool,
) -> None:
    """Compare encoders on your own pictures, as the paper by Prakash et al. does.

    DATA is a folder; its subfolders are categories. Each picture is encoded by libjpeg at the reference quality and, at
    equal bytes, as the paper's mosaic, by semjpeg and, where installed, by mozjpeg and jpegli. Every file is measured;
    the means are shown beside the paper's.

    A megapixel takes about 60 seconds of processor time, with the curves, and 0.6 GB of memory in each process. What
    was measured is kept: a run that was broken off goes on where it was.
    """
    from semjpeg.comparison.encoders import installed
    from semjpeg.comparison.measure import Plan
    from semjpeg.comparison.run import Place, find, measure_all
    from semjpeg.progress import progress

    import_module("matplotlib")  # a missing one is found out now, and not after hours of work
    pictures = find(data, out, limit)
    prepare_folder(out)
    encoders, lacking = installed()
    for package in lacking:
        click.echo(f"{package} is not installed: its encoder is left out", err=True)
    plan = Plan(quality, curve, tuple(encoders))
    with progress("measuring", len(pictures), lines=len(pictures)) as tell:
        found = measure_all(pictures, plan, Place(out, keep_files), max_megapixels, jobs or os.cpu_count() or 1, tell)
    if found.resumed:
        click.echo(f"{found.resumed} of {len(pictures)} pictures were measured already", err=True)
    _report(found, plan, data, out, as_json=as_json)
    sys.exit(1 if found.failures else 0)


def _report(found: Found, plan: Plan, data: Path, out: Path, *, as_json: bool) -> None:
    from semjpeg.comparison import report
    from semjpeg.comparison.charts import curve_charts, saving_chart
    from semjpeg.comparison.entry import TITLES
    from semjpeg.comparison.notes import notes
    from semjpeg.comparison.table import curves_to_csv, savings_to_csv
    from semjpeg.files import write_file

    failed = [{"picture": str(failure.picture), "reason": failure.reason} for failure in found.failures]
    if not found.results:
        if as_json:
            click.echo(json.dumps({"pictures": 0, "failed": failed}))
        return
    title = f"Encoders at the bytes of libjpeg at quality {plan.quality}: {data.resolve().name}"
    entries = [result.entry for result in found.results]
    summary = report.Summary(title, entries, TITLES, notes(entries, plan))
    told = {**report.to_json(summary), "quality": plan.quality, "failed": failed}
    write_all(summary, told, out)
    write_file(out / "savings.csv", savings_to_csv(found.results).encode("utf-8", "backslashreplace"))
    write_file(out / "savings.png", saving_chart(found.results))
    if plan.curve:
        write_file(out / "curves.csv", curves_to_csv(found.results).encode("utf-8", "backslashreplace"))
        for name, chart in curve_charts(found.results).items():
            write_file(out / name, chart)
    if as_json:
        click.echo(json.dumps(told))
    else:
        print_tables(summary, out)
