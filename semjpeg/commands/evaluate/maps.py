"""`semjpeg evaluate maps`."""

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
    from collections.abc import Sequence

    from models import ImportanceModel
    from semjpeg.benchmark.runs import Failure
    from semjpeg.evaluation.pairs import Pairing
    from semjpeg.evaluation.run import Scored
    from semjpeg.evaluation.saving import Rates

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_MOST_NAMES = 10
"""What has no partner is named up to here, and counted."""
_WIDTH_OF_A_LOG = 120
"""Columns of what is printed into a file or a pipe, which have no width of their own."""


@click.command(name="maps")
@click.argument("images", type=_FOLDER)
@click.argument("masks", type=_FOLDER)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("evaluate-maps"),
    show_default=True,
    help="Folder for maps.csv and the contact sheet.",
)
@click.option(
    "--model",
    "weights",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Weights that `semjpeg train` or `semjpeg convert` wrote.  [default: the ones that the settings name]",
)
@click.option("--maps", type=_FOLDER, help="Score the maps NAME.png in this folder; no network is loaded.")
@click.option("--limit", type=click.IntRange(min=1), help="Take this many of the pictures, at even distances.")
@click.option(
    "--sheet",
    "sheet_rows",
    type=click.IntRange(min=0),
    default=40,
    show_default=True,
    help="Rows of the contact sheet, evenly from the worst picture to the best; 0 draws none.",
)
@click.option(
    "--saving",
    is_flag=True,
    help="Also encode: which share of the true mask's saving do the maps bring? Seconds for each picture.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(
    *,
    images: Path,
    masks: Path,
    out: Path,
    weights: Path | None,
    maps: Path | None,
    limit: int | None,
    sheet_rows: int,
    saving: bool,
    as_json: bool,
) -> None:
    """Score importance maps against object masks.

    IMAGES is a folder of pictures, MASKS one of grey PNGs with the pictures' names, white where the objects are.
    """
    from semjpeg.evaluation.pairs import pair_up
    from semjpeg.evaluation.run import evaluate
    from semjpeg.progress import progress

    if maps is not None and weights is not None:
        raise click.UsageError("--maps and --model exclude each other: the maps are there, or a network makes them")
    pairing = pair_up(images, masks, maps, limit)
    _tell_unpaired(pairing)
    prepare_folder(out)
    model = None if maps is not None else _network(weights)
    with progress("scoring", len(pairing.pairs)) as tell:
        scored, failures = evaluate(pairing.pairs, model, tell)
    rates: dict[Path, Rates] | None = None
    if saving:
        rates, more = _measure_saving(scored)
        failures += more
    named = "the network" if weights is None else weights.name
    label = named if maps is None else maps.resolve().name
    _report(scored, rates, pairing, failures, label, out, as_json=as_json)
    if sheet_rows and scored:
        _draw(scored, label, out, sheet_rows)
    sys.exit(1 if failures else 0)


def _tell_unpaired(pairing: Pairing) -> None:
    """Name and count what has no partner."""
    for paths, lack in (
        (pairing.pictures_without_mask, "without a mask"),
        (pairing.masks_without_picture, "without a picture"),
    ):
        if paths:
            names = ", ".join(path.name for path in paths[:_MOST_NAMES])
            more = f" and {len(paths) - _MOST_NAMES} more" if len(paths) > _MOST_NAMES else ""
            click.echo(f"{len(paths)} left out, {lack}: {names}{more}", err=True)


def _network(weights: Path | None) -> ImportanceModel:
    import models
    from semjpeg.api import network

    return network() if weights is None else models.load(weights)


def _measure_saving(scored: Sequence[Scored]) -> tuple[dict[Path, Rates], list[Failure]]:
    from semjpeg.evaluation.saving import measure_saving
    from semjpeg.progress import progress

    if not scored:
        return {}, []
    with progress("encoding", len(scored)) as tell:
        return measure_saving(scored, os.cpu_count() or 1, tell)


def _report(
    scored: Sequence[Scored],
    rates: dict[Path, Rates] | None,
    pairing: Pairing,
    failures: Sequence[Failure],
    label: str,
    out: Path,
    *,
    as_json: bool,
) -> None:
    from semjpeg.evaluation import report
    from semjpeg.evaluation.saving import summarise_saving
    from semjpeg.evaluation.summary import summarise
    from semjpeg.files import write_file

    rows = summarise(scored, label) if scored else []
    saved = summarise_saving(rates or {})
    if rows:
        write_file(
            out / "maps.csv", report.to_csv(scored, rows[0].threshold, rates).encode("utf-8", "backslashreplace")
        )
    if as_json:
        click.echo(json.dumps(report.to_json(rows, pairing, failures, saved)))
    elif rows:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = _WIDTH_OF_A_LOG
        console.print(report.to_table(rows))
        if saved is not None:
            console.print(report.to_saving_table(saved, label))


def _draw(scored: Sequence[Scored], label: str, out: Path, rows: int) -> None:
    """Write the pages of the contact sheet."""
    from semjpeg.evaluation.sheet import choose, draw_pages
    from semjpeg.files import write_file
    from semjpeg.overlay import encoded

    chosen = choose(scored, rows)
    title = f"{label}: {len(chosen)} of {len(scored)} pictures, the worst AUC first"
    for number, page in enumerate(draw_pages(chosen, len(scored), title), 1):
        path = out / ("contact-sheet.png" if number == 1 else f"contact-sheet-{number}.png")
        write_file(path, encoded(page, "PNG"))
        click.echo(f"look at {path}", err=True)
