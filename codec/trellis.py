"""Rate–distortion optimised quantisation: for each block the levels that cost least in error and bits together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import float32, int16

from codec.kernel import helper, kernel, reads, writes
from codec.symbols import EOB, LARGEST_LEVEL, LAST, LONGEST_RUN, ZRL, size_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


# The limit of AC levels holds no DC level back: at a step of 1 that is at most 1024.
@helper
def _nearest(magnitude: Any, inverse: Any) -> Any:
    return min(np.int64(magnitude * inverse + np.float32(0.5)), np.int64(LARGEST_LEVEL))


@kernel(reads(float32, 2), reads(float32, 1), writes(int16, 2))
def _round_kernel(coefficients: Any, table: Any, levels: Any) -> None:
    inverse = np.float32(1) / table
    for n in range(coefficients.shape[0]):
        for k in range(64):
            level = _nearest(abs(coefficients[n, k]), inverse[k])
            levels[n, k] = level if coefficients[n, k] >= 0 else -level


# The cheapest way to a level at position k: over all earlier candidates i that may be the non-zero level before it, and
# over the two levels that can win. Of levels that share a size only the one nearest to C_k can: the nearest of all,
# and one size below it 2^(size−1) − 1. `fits` holds what their errors cost. The search stops as soon as no earlier
# candidate can be cheaper, which `least` tells. Returns the cost, the candidate before, and which of the two levels.
@helper
def _cheapest(  # noqa: PLR0913, PLR0917  numba takes no structures of arrays
    k: Any, count: Any, place: Any, best: Any, least: Any, fits: Any, size: Any, scale: Any, bits: Any
) -> Any:
    bound = min(fits[0], fits[1])
    total = np.float32(np.inf)
    source, choice = 0, 0
    for i in range(count, -1, -1):
        if least[i] + bound >= total:
            break
        run = k - place[i] - 1
        long_runs = bits[ZRL] * (run >> 4)
        symbol = ((run & LONGEST_RUN) << 4) + size
        trial = best[i] + fits[0] + scale * (bits[symbol] + long_runs)
        if trial < total:
            total, source, choice = trial, i, 0
        if size > 1:
            trial = best[i] + fits[1] + scale * (bits[symbol - 1] + long_runs)
            if trial < total:
                total, source, choice = trial, i, 1
    return total, source, choice


# The last candidate to keep: all after it become zeros, and the block pays for EOB unless it ends in a level.
@helper
def _cheapest_end(count: Any, place: Any, best: Any, end: Any) -> Any:
    total = np.float32(np.inf)
    last = 0
    for i in range(count + 1):
        trial = best[i] + (end if place[i] < LAST else np.float32(0))
        if trial < total:
            total, last = trial, i
    return last


# Minimises  Σ_k v_k·(|C_k| − q_k·l_k)² + λ·bits(l)  over the AC levels of a block by dynamic programming along the
# zigzag. With Z(k) = Σ_(j ≤ k) v_j·C_j², the cost of zeros, the least cost of everything up to a non-zero level at k is
#
#     J(k) = min over i < k, l of  J(i) + Z(k−1) − Z(i) + v_k·(|C_k| − q_k·l)² + λ·bits(run, size(l)),
#
# and `best` holds J − Z. A position whose nearest level is zero stays zero. Runs above 15 pay for ZRL, and a block that
# ends early for EOB (T.81, F.1.2.2).
@kernel(
    reads(float32, 2),
    reads(float32, 1),
    reads(float32, 1),
    reads(float32, 1),
    reads(float32, 1),
    writes(int16, 2),
)
def _trellis_kernel(coefficients: Any, table: Any, weight: Any, cost: Any, bits: Any, levels: Any) -> None:
    inverse = np.float32(1) / table
    place = np.zeros(64, np.int64)  # zigzag position of each candidate; candidate 0 is the start of the block
    best = np.zeros(64, np.float32)
    least = np.zeros(64, np.float32)  # smallest `best` of this and all earlier candidates
    before = np.zeros(64, np.int64)
    chosen = np.zeros(64, np.int64)
    fits = np.zeros(2, np.float32)
    for n in range(coefficients.shape[0]):
        level = _nearest(abs(coefficients[n, 0]), inverse[0])
        levels[n, 0] = level if coefficients[n, 0] >= 0 else -level
        levels[n, 1:] = 0
        zeros = np.float32(0)
        count = 0
        for k in range(1, 64):
            magnitude = abs(coefficients[n, k])
            start = zeros
            zeros += weight[k] * magnitude * magnitude
            level = _nearest(magnitude, inverse[k])
            if level == 0:
                continue
            size = size_of(level)
            smaller = (1 << (size - 1)) - 1
            fits[0] = start + weight[k] * (magnitude - table[k] * level) ** 2
            fits[1] = start + weight[k] * (magnitude - table[k] * smaller) ** 2
            total, source, choice = _cheapest(k, count, place, best, least, fits, size, cost[n], bits)
            count += 1
            place[count] = k
            before[count] = source
            chosen[count] = smaller if choice else level
            best[count] = total - zeros
            least[count] = min(least[count - 1], best[count])
        i = _cheapest_end(count, place, best, cost[n] * bits[EOB])
        while i > 0:
            k = place[i]
            levels[n, k] = chosen[i] if coefficients[n, k] >= 0 else -chosen[i]
            i = before[i]


def nearest(coefficients: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.int16]:
    """Quantise blocks `float32[n,64]` by a table `float32[64]` to the nearest levels, `int16[n,64]`."""
    levels = np.empty(coefficients.shape, np.int16)
    _round_kernel(coefficients, table, levels)
    return levels


def trellis(
    coefficients: NDArray[np.float32],
    table: NDArray[np.float32],
    weight: NDArray[np.float32],
    cost_per_bit: NDArray[np.float32],
    bits: NDArray[np.float32],
) -> NDArray[np.int16]:
    """Quantise blocks `float32[n,64]` to the levels `int16[n,64]` of the least cost; DC goes to the nearest level.

    DC levels are coded as differences between blocks, where an error shows as an edge, so no bits are saved on them.

    Args:
        coefficients: in zigzag order, as everything here.
        table: quantisation steps, `float32[64]`.
        weight: what a squared error costs at each position, `float32[64]`.
        cost_per_bit: λ of each block, `float32[n]`.
        bits: length of each AC symbol (run · 16 + size) with its extra bits, `float32[256]`.
    """
    levels = np.empty(coefficients.shape, np.int16)
    _trellis_kernel(coefficients, table, weight, cost_per_bit, bits, levels)
    return levels
