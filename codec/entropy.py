"""How often each AC symbol occurs in a baseline scan (ITU-T T.81, F.1.2.2), which tells what symbols cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import int16, int64

from codec.kernel import kernel, reads, writes
from codec.symbols import EOB, LONGEST_RUN, ZRL, size_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel(reads(int16, 2), reads(int64, 1), writes(int64, 1))
def _count_ac_kernel(levels: Any, times: Any, histogram: Any) -> None:
    for n in range(levels.shape[0]):
        run = 0
        for k in range(1, 64):
            magnitude = abs(np.int64(levels[n, k]))
            if magnitude == 0:
                run += 1
                continue
            histogram[ZRL] += times[n] * (run >> 4)
            histogram[((run & LONGEST_RUN) << 4) + size_of(magnitude)] += times[n]
            run = 0
        if run:
            histogram[EOB] += times[n]


def count_ac(levels: NDArray[np.int16], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the histogram `int64[256]` of the AC symbols (run · 16 + size) that blocks `int16[n,64]` take.

    times: how often each block counts, `int64[n]`.
    """
    histogram = np.zeros(256, np.int64)
    _count_ac_kernel(levels, times, histogram)
    return histogram
