"""Whether a worker's memory grows with the images that it has done: many small ones through a real system.

    python benchmarks/soak.py --images 200000

Every image is a job of its own (the same small picture, each result under another key), so all that a worker keeps for
a job shows. A worker is started as `semjpeg worker` starts it, a process for each core. Prints the resident memory of
its processes at every part of the way, and how much each grew from the first part to the last. At R images/s a day is
86 400·R images: say how many with --images. Maps come from a small network of chance's weights, which takes next to no
time; --network shipped takes the one that semjpeg ships with.
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import click
from PIL import Image
from skimage import data

from config.jobs import Job
from config.recipes import Route
from models import backend
from models.weights import write_record
from semjpeg.benchmark.pipeline.system import System, system

_SIDE_PX = 64
_PARTS = 20
_MB = 1e6


def resident_bytes(pid: int) -> int:
    """Return what a process holds in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def jobs(running: System, count: int, run: str) -> list[Job]:
    """Make jobs for one picture, each with an output place of its own."""
    picture = io.BytesIO()
    Image.fromarray(data.astronaut()[:_SIDE_PX, :_SIDE_PX]).save(picture, "PNG")
    running.source.put("small.png", picture.getvalue(), content_type="image/png")
    found = running.source.head("small.png")
    if found is None:
        raise click.ClickException("the picture that was put is not there")
    recipe = running.settings.recipe("default")
    return [
        Job.of(Route(source="s3://photos", output=f"s3://results/{run}/{number}"), recipe, found, run=run)
        for number in range(count)
    ]


def small_network(folder: Path) -> Path:
    """Write the weights of a network that takes next to no time."""
    backend.start(threads=1)
    from models.network import MSROI

    file = folder / "small.keras"
    MSROI(["thing"], widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), channels=8).save(file)
    write_record(file, {})
    return file


@click.command()
@click.option("--images", type=click.IntRange(min=100), default=20_000, show_default=True)
@click.option("--network", type=click.Choice(["small", "shipped"]), default="small", show_default=True)
def main(images: int, network: str) -> None:
    """Run."""
    with tempfile.TemporaryDirectory(prefix="semjpeg-soak-") as folder, system() as running:
        if network == "small":
            running.processes.environment["SEMJPEG_MODEL__PATH"] = str(small_network(Path(folder)))
        with running.node() as numbers:
            print(f"{'images':>8} {'images/s':>9} {'MB of each process':>20}")
            seen: list[list[int]] = []
            for part in range(_PARTS):
                began = time.perf_counter()
                running.compress(jobs(running, images // _PARTS, f"part-{part}"))
                rate = images // _PARTS / (time.perf_counter() - began)
                seen.append([resident_bytes(number) for number in numbers])
                told = ", ".join(f"{each / _MB:.1f}" for each in seen[-1])
                print(f"{images // _PARTS * (part + 1):>8} {rate:>9.1f} {told:>20}", flush=True)
            grown = (100 * (last / first - 1) for first, last in zip(seen[0], seen[-1], strict=True))
            told = ", ".join(f"{percent:.2f} %" for percent in grown)
            print(f"grew by {told} from the first part of the way to the last")


if __name__ == "__main__":
    main()
