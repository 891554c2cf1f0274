"""Whether a worker's memory grows with the images that it has done: many small ones through a real system.

    python benchmarks/soak.py --images 20000

Every image is a job of its own (the same small picture, each result under another key), so all that a worker keeps for
a job shows. Prints its resident memory at every tenth of the way, and how much it grew from the first tenth to the
last. At R images/s a day is 86 400·R images: say how many with --images.
"""

from __future__ import annotations

import io
import time
from pathlib import Path

import click
from PIL import Image
from skimage import data

from config.jobs import Job
from config.recipes import Route
from semjpeg.benchmark.pipeline.system import System, system

_SIDE_PX = 64
_PARTS = 10
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


@click.command()
@click.option("--images", type=click.IntRange(min=100), default=20_000, show_default=True)
def main(images: int) -> None:
    """Run."""
    with system() as running, running.workers("0,1") as [pid]:
        print(f"{'images':>8} {'images/s':>9} {'MB':>7}")
        seen: list[int] = []
        for part in range(_PARTS):
            began = time.perf_counter()
            running.compress(jobs(running, images // _PARTS, f"part-{part}"))
            rate = images // _PARTS / (time.perf_counter() - began)
            seen.append(resident_bytes(pid))
            print(f"{images // _PARTS * (part + 1):>8} {rate:>9.1f} {seen[-1] / _MB:>7.1f}", flush=True)
        print(f"grew by {100 * (seen[-1] / seen[0] - 1):.2f} % from the first tenth to the last")


if __name__ == "__main__":
    main()
