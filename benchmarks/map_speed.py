"""How long an importance map takes: its steps, the whole way, and the network at growing batches.

    python benchmarks/map_speed.py [--data PICTURES] [--weights FILE] [--precision mixed_bfloat16] [--json]

The steps are those of a worker: `prepare` and `refine` on one thread, the network as `ImportanceModel.maps` calls it,
and the whole way with `prepare` and `refine` on all cores while the network works on batches of 16. Decoding is left
out. The second table calls the network directly, compiled for exactly one shape, on whatever Keras' backend computes
on: `KERAS_BACKEND=jax python benchmarks/map_speed.py` measures a GPU that JAX sees. Without `--data` the pictures are
photographs that scikit-image carries.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from PIL import Image

import models
from models import backend, prepare, refine
from models.training_config import PRECISIONS
from models.weights import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from models import ImportanceModel, Prepared

    Picture = NDArray[np.uint8]

Item = TypeVar("Item")

BATCHES: Final = (1, 4, 16)
"""Batches of the network in the first table; the last is a worker's default."""

LARGEST: Final = 128
"""Largest batch of the second table."""

WHOLE_WAY: Final = 64
"""Least pictures of the whole way: four batches, so that the steps overlap as they do in a worker."""

BUNDLED: Final = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})


@dataclass(frozen=True, slots=True)
class Timing:
    """What one picture takes in one step, of all runs.

    Attributes:
        step: what was measured.
        batch: how many pictures at a time.
        median_ms: median of the runs, in milliseconds per picture.
        best_ms: the fastest run.
    """

    step: str
    batch: int
    median_ms: float
    best_ms: float


def main() -> None:
    """Read the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of pictures; default: photographs of scikit-image's")
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="default: the ones that semjpeg ships with")
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0], help="the network's number format")
    parser.add_argument("--runs", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--largest", type=int, default=LARGEST, help="largest batch; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    options = parser.parse_args()
    if min(options.runs, options.largest) < 1:
        parser.error("--runs and --largest must be at least 1")
    pictures = read(options.data)
    if not pictures:
        parser.error(f"no pictures in {options.data}")

    backend.start()
    import keras

    keras.config.set_dtype_policy(options.precision)  # a network that is loaded from now on computes in it
    model = models.load(options.weights)
    prepared = [prepare(each) for each in pictures]
    facts = {
        "pictures": len(pictures),
        "megapixels": round(sum(each.shape[0] * each.shape[1] for each in pictures) / len(pictures) / 1e6, 3),
        "weights": options.weights.name,
        "sha256": model.sha256,
        "backend": keras.backend.backend(),
        "devices": [str(each) for each in keras.distribution.list_devices()],
        "cores": os.cpu_count(),
        "precision": options.precision,
        "runs": options.runs,
        "canvas": "x".join(map(str, prepared[0].canvas.shape[:2])),
    }
    steps = [
        *measure_steps(model, pictures, prepared, options.runs),
        measure_whole_way(model, repeated(pictures, max(WHOLE_WAY, len(pictures))), options.runs),
    ]
    network = keras.saving.load_model(options.weights, compile=False)
    sizes = [2**power for power in range(options.largest.bit_length())]
    # the first picture alone, for a batch has canvases of one shape; what is on them takes no other time
    direct = [measure_network(network, repeated(prepared[:1], size), options.runs) for size in sizes]
    if options.json:
        print(json.dumps({**facts, "steps": [*map(asdict, steps)], "network": [*map(asdict, direct)]}, indent=1))
    else:
        print_tables(facts, steps, direct)


def measure_steps(
    model: ImportanceModel, pictures: Sequence[Picture], prepared: Sequence[Prepared], runs: int
) -> list[Timing]:
    """Measure each step alone."""
    found = [timed("prepare, one thread", 1, len(pictures), runs, lambda: [prepare(each) for each in pictures])]
    for size in BATCHES:
        batch = repeated(prepared, size)
        found.append(timed(f"network, batch {size}", size, size, runs, partial(model.maps, batch)))
    grids = [model.maps([each])[0] for each in prepared]
    pairs = list(zip(prepared, grids, strict=True))
    found.append(timed("refine, one thread", 1, len(pairs), runs, lambda: [refine(*pair) for pair in pairs]))
    return found


def measure_whole_way(model: ImportanceModel, pictures: Sequence[Picture], runs: int) -> Timing:
    """Measure pictures to finished maps, the network in this thread and all else in as many as there are cores."""
    size = BATCHES[-1]
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def whole_way() -> None:
            coming = [pool.submit(prepare, each) for each in pictures]
            finished = []
            for first in range(0, len(coming), size):
                batch = [each.result() for each in coming[first : first + size]]
                finished += [pool.submit(refine, *pair) for pair in zip(batch, model.maps(batch), strict=True)]
            for each in finished:
                each.result()

        return timed(f"whole way, {os.cpu_count()} threads", size, len(pictures), runs, whole_way)


def measure_network(network: Any, prepared: Sequence[Prepared], runs: int) -> Timing:
    """Measure the network alone on one batch, compiled for exactly its shape; copying to and from a GPU counts."""
    batch: dict[str, NDArray[Any]] = {
        "picture": np.stack([each.canvas for each in prepared]),
        "barrier": np.stack([each.barrier for each in prepared])[..., None],
    }
    batch["valid"] = np.ones_like(batch["barrier"])  # padding costs what picture costs
    network.make_predict_function(force=True)  # what has seen several shapes is not compiled for one
    return timed("network", len(prepared), len(prepared), runs, partial(network.predict_on_batch, batch))


def timed(step: str, batch: int, pictures: int, runs: int, work: Callable[[], object]) -> Timing:
    """Do something once to warm up and compile, then `runs` times, and return what that takes for each picture."""
    work()
    spent_ms = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        spent_ms.append(1000 * (time.perf_counter() - began) / pictures)
    return Timing(step, batch, statistics.median(spent_ms), min(spent_ms))


def read(folder: Path | None) -> list[Picture]:
    """Decode the pictures that lie in a folder itself, or scikit-image's, as RGB `uint8[h,w,3]`."""
    if folder is None:
        data = Path(str(files("skimage.data")))
        paths = [data / name for name in BUNDLED]
    else:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def repeated(items: Sequence[Item], count: int) -> list[Item]:
    """Return so many items, the given ones again and again."""
    return [items[number % len(items)] for number in range(count)]


def print_tables(facts: dict[str, Any], steps: Sequence[Timing], direct: Sequence[Timing]) -> None:
    """Print what was measured."""
    for name, value in facts.items():
        print(f"{name:11} {', '.join(value) if isinstance(value, list) else value}")
    print(f"\n{'ms per picture':26}{'median':>10}{'best':>10}")
    for each in steps:
        print(f"{each.step:26}{each.median_ms:10.2f}{each.best_ms:10.2f}")
    print(f"\n{'network alone: batch':26}{'median':>10}{'best':>10}  images/s")
    for each in direct:
        print(f"{each.batch:<26}{1000 / each.median_ms:10.1f}{1000 / each.best_ms:10.1f}")


if __name__ == "__main__":
    main()
