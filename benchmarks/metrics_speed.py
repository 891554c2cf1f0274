"""What measuring a result costs beside making it: processor time of one thread, the least of a few rounds.

python benchmarks/metrics_speed.py --data FOLDER [--limit N] [--full]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import codec
from codec import reference
from semjpeg.api import network
from semjpeg.benchmark.pictures import find, read_picture

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS: Final = 3


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Least processor time that this thread spends."""
    spent = []
    for _ in range(rounds):
        begin = time.thread_time()
        work()
        spent.append(time.thread_time() - begin)
    return min(spent)


def main() -> None:
    """Print a line for each picture, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--limit", type=int, help="take so many of them, at even distances")
    parser.add_argument("--full", action="store_true", help="also the measures that a share of the results gets")
    options = parser.parse_args()
    sums = [0.0, 0.0, 0.0]
    worst = 0.0
    for path in find(options.data.resolve(), options.limit):
        pixels = read_picture(path)
        importance = network().importance(pixels)
        decoded = reference.decode(codec.encode(pixels, importance).data)
        encoding = seconds(lambda: codec.encode(pixels, importance))  # noqa: B023  called at once
        fast = seconds(lambda: codec.measure(pixels, decoded, importance))  # noqa: B023  as above
        full = seconds(lambda: codec.measure_full(pixels, decoded), 1) if options.full else 0.0  # noqa: B023  as above
        sums = [total + spent for total, spent in zip(sums, (encoding, fast, full), strict=True)]
        worst = max(worst, fast / encoding)
        print(
            f"{path.name}: {pixels.size / 3e6:.1f} MP, encode {1000 * encoding:.0f} ms, measure {1000 * fast:.1f} ms "
            f"({fast / encoding:.1%})" + (f", in full {full:.1f} s" if options.full else "")
        )
    print(f"measure / encode: {sums[1] / sums[0]:.1%} in sum, {worst:.1%} at worst")
    if options.full:
        print(f"in full / encode: {sums[2] / sums[0]:.0f} times")


if __name__ == "__main__":
    main()
