"""`semjpeg benchmark codec` and `semjpeg benchmark pipeline`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from semjpeg.files import prepare_folder

if TYPE_CHECKING:
    from semjpeg.benchmark.plan import Plan
    from semjpeg.benchmark.runs import Failure, Record
    from semjpeg.benchmark.table import Line

_WIDTH_OF_A_LOG = 160
"""Columns of what is printed into a file or a pipe, which have no width of their own."""
_FEWEST_QUALITIES = 4


@click.group(name="benchmark")
def command() -> None:
    """Measure semjpeg on your own pictures."""


def _read_qualities(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Read `30,50,70,90`."""
    del context, parameter
    if value is None:
        return None
    words = value.replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() and 1 <= int(word) <= 100 for word in words):  # noqa: PLR2004
        raise click.BadParameter(f"{value!r} is no list of numbers from 1 to 100")
    qualities = tuple(sorted({int(word) for word in words}))
    if len(qualities) < _FEWEST_QUALITIES:
        raise click.BadParameter(f"a curve needs {_FEWEST_QUALITIES} different qualities, not {len(qualities)}")
    return qualities


@command.command(name="codec")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of pictures.")
@click.option(
    "--masks",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of grey PNGs with the pictures' names, white where it matters.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("benchmark-codec"),
    show_default=True,
    help="Folder for codec.csv, codec.md and the curves.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Take this many of the pictures, at even distances.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes.  [default: one for each core]")
@click.option(
    "--qualities",
    callback=_read_qualities,
    help="Points of the curves on libjpeg's scale.  [default: 30,40,50,60,70,80,90]",
)
@click.option(
    "--speed-megapixels",
    type=click.FloatRange(min=0),
    default=12.0,
    show_default=True,
    help="Size of the picture whose time and memory are measured; 0 measures none.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def codec_command(
    *,
    data: Path,
    masks: Path | None,
    out: Path,
    limit: int | None,
    jobs: int | None,
    qualities: tuple[int, ...] | None,
    speed_megapixels: float,
    as_json: bool,
) -> None:
    """Compare the encoder with libjpeg-turbo, mozjpeg and jpegli.

    Bytes at equal quality, quality at equal bytes, speed and memory. Each megapixel takes one to two minutes of
    processor time and 0.6 GB of memory, most of it for SSIMULACRA2. Speed and memory mean something only on a machine
    that does nothing else.
    """
    from semjpeg.benchmark import require_packages

    require_packages()
    from semjpeg.benchmark.pictures import find
    from semjpeg.benchmark.plan import QUALITIES, Plan

    pictures = find(data.resolve(), limit)
    prepare_folder(out)
    plan = Plan(qualities or QUALITIES, masks=masks is not None)
    records, failures = _measure(pictures, masks, plan, jobs or os.cpu_count() or 1)
    _report(records, failures, plan, out, speed_megapixels, as_json=as_json)
    sys.exit(1 if failures else 0)


@command.command(name="pipeline")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of photographs.")
@click.option("--small", type=click.Path(path_type=Path), help="Folder of small pictures, such as the Kodak set.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Of which the median counts.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def pipeline_command(*, data: Path, small: Path | None, rounds: int, as_json: bool) -> None:
    """Measure how busy a whole system keeps the cores of this machine.

    Broker, S3 server, event poller and workers run as processes of their own. The photographs are compressed by them
    and, beside that, in a loop over local files; the figures are ratios of the two. It takes some minutes, and means
    something only on a machine that does nothing else.
    """
    from semjpeg.benchmark.pictures import find
    from semjpeg.benchmark.pipeline.figures import document, parts, stages, summary
    from semjpeg.benchmark.pipeline.run import measure

    found = measure(
        find(data.resolve(), None),
        find(small.resolve(), None) if small else [],
        rounds,
        lambda line: click.echo(line, err=True),
    )
    if as_json:
        click.echo(json.dumps(document(found)))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_LOG
    console.print(summary(found))
    console.print(stages(found))
    console.print(parts(found))


def _measure(pictures: list[Path], masks: Path | None, plan: Plan, jobs: int) -> tuple[list[Record], list[Failure]]:
    from semjpeg.benchmark.runs import measure_all
    from semjpeg.progress import progress

    with progress("measuring", len(pictures), lines=len(pictures)) as tell:
        return measure_all(pictures, masks, plan, min(jobs, len(pictures)), tell)


def _report(
    records: list[Record], failures: list[Failure], plan: Plan, out: Path, speed_megapixels: float, *, as_json: bool
) -> None:
    from semjpeg.benchmark import report
    from semjpeg.benchmark.charts import charts
    from semjpeg.benchmark.speed import measure_speed
    from semjpeg.benchmark.table import Results, lines
    from semjpeg.files import write_file

    results = Results(records)
    measured = list(dict.fromkeys(record.picture for record in records))
    table: list[Line] = []
    if measured:
        write_file(out / "codec.csv", report.to_csv(records).encode())
        for name, chart in charts(results, plan).items():
            write_file(out / name, chart)
        if speed_megapixels:
            click.echo(f"timing a picture of {speed_megapixels:g} megapixels …", err=True)
        speed = measure_speed(measured, speed_megapixels) if speed_megapixels else None
        table = lines(results, plan, speed)
        write_file(out / "codec.md", report.to_markdown(table, results, measured[0].parent.name).encode())
    if as_json:
        click.echo(json.dumps(report.to_json(table, failures, len(results))))
    elif table:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = _WIDTH_OF_A_LOG
        console.print(report.to_table(table))
        console.print(f"\nlook at {out / 'codec.md'} and the curves beside it", markup=False)
