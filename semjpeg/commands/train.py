"""`semjpeg train DATA…`."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import click

from models import TrainingConfig, train
from models.training_config import ARCHITECTURES, PRECISIONS

_DEFAULTS = {field.name: field.default for field in fields(TrainingConfig)}


@click.command(name="train")
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True), metavar="DATA…")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("runs/msroi.keras"),
    show_default=True,
    help="Weights file to write; SEMJPEG_MODEL__PATH names it to the worker.",
)
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for checkpoint and logs; a run that finds a checkpoint goes on from it. Default: beside the weights.",
)
@click.option(
    "--teacher", type=click.Path(path_type=Path, exists=True), help="A TFLite or Keras classifier to learn from, too."
)
@click.option(
    "--architecture",
    type=click.Choice(ARCHITECTURES),
    default=_DEFAULTS["architecture"],
    show_default=True,
    help="This project's network, or the paper's, which is ten times as large.",
)
@click.option(
    "--vgg16-weights",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Keras' VGG16 weights, to start the paper's network from.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=_DEFAULTS["epochs"], show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=_DEFAULTS["batch_size"], show_default=True)
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    default=_DEFAULTS["learning_rate"],
    show_default=True,
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    default=_DEFAULTS["patience"],
    show_default=True,
    help="Epochs without progress after which to stop.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=_DEFAULTS["precision"],
    show_default=True,
    help="Number format while training; the mixed ones pay on GPUs.",
)
@click.option("--seed", type=int, default=_DEFAULTS["seed"], show_default=True)
@click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=_DEFAULTS["threads"],
    show_default=True,
    help="Threads that TensorFlow may use; 0 for all cores.",
)
@click.option(
    "--least-pictures",
    type=click.IntRange(min=1),
    default=_DEFAULTS["least_pictures"],
    show_default=True,
    help="A folder with fewer pictures names no class.",
)
@click.option(
    "--background",
    multiple=True,
    default=_DEFAULTS["background"],
    show_default=True,
    help="A folder whose pictures show no class; can be repeated.",
)
def command(
    data: tuple[Path, ...],
    out: Path,
    workspace: Path | None,
    teacher: Path | None,
    vgg16_weights: Path | None,
    background: tuple[str, ...],
    **options: float | str,
) -> None:
    """Train the network on your own pictures.

    DATA is a folder or a tar file that holds one folder of pictures for each class. No boxes, no masks.
    """
    config = TrainingConfig(
        datasets=data,
        output=out,
        workspace=workspace or out.with_suffix(""),
        teacher=teacher,
        vgg16_weights=vgg16_weights,
        background=background,
        **options,  # type: ignore[arg-type]  # click has checked them
    )
    result = train(config, click.echo)
    click.echo(f"{result.weights} after {result.epochs} epochs: validation loss {result.validation_loss:.4f}")
    click.echo(f"SHA-256 {result.sha256}")
