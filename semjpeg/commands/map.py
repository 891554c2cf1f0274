"""`semjpeg map IMAGE…`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from config.settings import Settings
from semjpeg.batch import for_each_file
from semjpeg.files import read_file, refuse_collisions, write_file


@click.command(name="map")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE…")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("maps"),
    show_default=True,
    help="Folder for the maps.",
)
@click.option(
    "--overlay", "with_overlay", is_flag=True, help="Also write NAME.overlay.jpg: the map as heat over the picture."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each image.")
def command(images: tuple[Path, ...], out: Path, *, with_overlay: bool, as_json: bool) -> None:
    """Write the importance map of each image as NAME.png: grey, white where it matters, of the image's aspect ratio."""
    from semjpeg.api import network
    from semjpeg.overlay import encoded, map_image, overlay_image
    from worker.decode import decode
    from worker.probe import probe

    limits = Settings.load().limits
    targets = {image: out / f"{image.stem}.png" for image in images}
    refuse_collisions(targets.items())
    model = network()

    def work(path: Path) -> dict[str, Any]:
        pixels = decode(probe(read_file(path, limits.max_bytes), limits)).pixels
        importance = model.importance(pixels)
        write_file(targets[path], encoded(map_image(importance, pixels.shape[1], pixels.shape[0]), "PNG"))
        told: dict[str, Any] = {"output": str(targets[path]), "mean_importance": round(float(importance.mean()), 4)}
        if with_overlay:
            told["overlay"] = str(targets[path].with_suffix(".overlay.jpg"))
            write_file(Path(told["overlay"]), encoded(overlay_image(pixels, importance), "JPEG"))
        return told

    def line(told: dict[str, Any]) -> str:
        return f"{told['file']} → {told['output']}" + (f", {told['overlay']}" if with_overlay else "")

    sys.exit(1 if for_each_file(list(targets), work, line, as_json=as_json) else 0)
