"""`semjpeg convert CHECKPOINT`."""

from __future__ import annotations

from pathlib import Path

import click

from models.imported import convert_checkpoint


@click.command(name="convert")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Weights file to write, FILE.keras; SEMJPEG_MODEL__PATH names it to the worker.",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Text file that names a class in each line, in the checkpoint's order. Default: class 0, class 1, ….",
)
def command(checkpoint: Path, out: Path, labels: Path | None) -> None:
    """Make a weights file of the network that the MSROI paper's authors trained.

    CHECKPOINT is what their program wrote by TensorFlow 1, such as models/model-50: one file, or what the names of an
    .index and a .data file begin with.
    """
    sha256 = convert_checkpoint(checkpoint, out, labels)
    click.echo(f"{out}\nSHA-256 {sha256}")
