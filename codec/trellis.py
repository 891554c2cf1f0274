"""Rate–distortion optimised quantisation: for each block the levels that cost least in error and bits together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import float32, int16

from codec.kernel import helper, kernel, reads, trailing_zeros, writes
from codec.symbols import EOB, LARGEST_LEVEL, LAST, LONGEST_RUN, ZRL
from codec.tables import MASKING

if TYPE_CHECKING:
    from numpy.typing import NDArray

_THRESHOLD: Final = np.where(np.arange(64) > 0, 1 / MASKING, 0).astype(np.float32)
"""What masking hides at each position, per grey level of its strength."""
_SIZES: Final = np.frexp(np.arange(LARGEST_LEVEL + 1))[1].astype(np.uint8)
"""Number of bits of each magnitude (T.81, table F.1)."""
_BELOW: Final = 64
"""Marks the level one size below the nearest."""


# The limit of AC levels holds no DC level back: at a step of 1 that is at most 1024.
@helper
def _round(coefficients: Any, inverse: Any, levels: Any) -> None:
    for k in range(64):
        scaled = coefficients[k] * inverse[k]
        level = np.int32(min(abs(scaled) + np.float32(0.5), np.float32(LARGEST_LEVEL)))
        levels[k] = level if scaled >= 0 else -level


@kernel(reads(float32, 2), reads(float32, 1), writes(int16, 2))
def _round_kernel(coefficients: Any, table: Any, levels: Any) -> None:
    inverse = np.float32(1) / table
    for n in range(coefficients.shape[0]):
        _round(coefficients[n], inverse, levels[n])


# What an error costs: all of it counts by `squared`, and what the block's masking does not hide by `visible` (the
# threshold of PSNR-HVS-M, see hvsm.py).
@helper
def _error_cost(error: Any, hidden: Any, squared: Any, visible: Any) -> Any:
    seen = max(error - hidden, np.float32(0))
    return squared * error * error + visible * seen * seen


# Minimises  Σ_k D_k(|C_k| − q_k·l_k) + λ·bits(l)  over the AC levels of a block by dynamic programming along the
# zigzag. A position whose nearest level is zero stays zero, so only the others, the candidates, are walked. Counted
# from the cost of a block of zeros, the least cost of everything up to a non-zero level at k is
#
#     J(k) = min over i < k, l of  J(i) + D_k(|C_k| − q_k·l) − D_k(|C_k|) + λ·bits(run, size(l)).
#
# Of levels that share a size only the one nearest to C_k can win, and of sizes in all but rare cases the nearest
# level's own or the one below, at 2^(size−1) − 1, which for size 1 is no level. Where masking hides errors, a level
# two sizes below may be better: with nothing else in the cost, leaving it out cost 0.05 % of J on three photographs
# and 6.5 % in the worst of 540 blocks; with the costs of the aims hvs and balanced less than 0.01 %. The search for i
# goes backwards and stops as soon as no earlier candidate can be cheaper, which `least` and the second row of `bits`
# tell. Runs above 15 pay for ZRL, and a block that ends early for EOB (T.81, F.1.2.2). All is in one function, with
# its state in registers: a call takes longer than a step.
@kernel(
    reads(float32, 2),
    reads(float32, 2),
    reads(float32, 1),
    reads(float32, 1),
    reads(float32, 2),
    writes(int16, 2),
)
def _trellis_kernel(  # noqa: C901, PLR0915  one walk over the candidates, with its state in registers
    coefficients: Any, constants: Any, masking: Any, cost: Any, bits: Any, levels: Any
) -> None:
    place = np.zeros(65, np.uint8)  # zigzag position of each candidate; candidate 0 is the start of the block
    before = np.zeros(65, np.uint8)  # the candidate before each, with _BELOW where the smaller level is the one
    best = np.zeros(65, np.float32)
    least = np.zeros(65, np.float32)  # smallest `best` of this and all earlier candidates
    work = np.zeros((2, 64), np.float32)  # nearest level, and what it costs more than zero
    for n in range(coefficients.shape[0]):
        scale = cost[n]
        hides = masking[n]
        for k in range(64):
            magnitude = abs(coefficients[n, k])
            hidden = hides * constants[2, k]
            level = np.floor(min(magnitude * constants[0, k] + np.float32(0.5), np.float32(LARGEST_LEVEL)))
            error = abs(magnitude - constants[1, k] * level)
            work[0, k] = level
            work[1, k] = _error_cost(error, hidden, constants[3, k], constants[4, k]) - _error_cost(
                magnitude, hidden, constants[3, k], constants[4, k]
            )
        rest = np.int64(0)
        for k in range(64):
            rest |= np.int64(work[0, k] > 0) << k
            levels[n, k] = 0
        level = np.int16(work[0, 0])
        levels[n, 0] = level if coefficients[n, 0] >= 0 else -level
        rest &= ~1
        number = np.int64(0)
        while rest:
            position = np.uint32(trailing_zeros(rest))
            rest &= rest - 1
            number += 1
            whole = np.uint32(work[0, position])
            size = np.int64(_SIZES[whole])
            fit = work[1, position]
            fit_below = np.float32(np.inf)
            if whole > 1:
                magnitude = abs(coefficients[n, position])
                hidden = hides * constants[2, position]
                error = magnitude - constants[1, position] * np.float32((1 << (size - 1)) - 1)
                fit_below = _error_cost(error, hidden, constants[3, position], constants[4, position]) - _error_cost(
                    magnitude, hidden, constants[3, position], constants[4, position]
                )
            bound = min(fit, fit_below)
            total = np.float32(np.inf)
            found: Any = np.int64(0)
            for i in range(number - 1, -1, -1):
                run = np.int64(position) - np.int64(place[np.uint32(i)]) - 1
                symbol = np.uint32(((run & LONGEST_RUN) << 4) + size)
                long_runs = bits[0, ZRL] * np.float32(run >> 4)
                if least[np.uint32(i)] + bound + scale * (bits[1, symbol] + long_runs) >= total:
                    break
                trial = best[np.uint32(i)] + fit + scale * (bits[0, symbol] + long_runs)
                found = i if trial < total else found
                total = min(trial, total)
                trial = best[np.uint32(i)] + fit_below + scale * (bits[0, np.uint32(symbol - 1)] + long_runs)
                found = (i | _BELOW) if trial < total else found
                total = min(trial, total)
            place[np.uint32(number)] = position
            before[np.uint32(number)] = found
            best[np.uint32(number)] = total
            least[np.uint32(number)] = min(least[np.uint32(number - 1)], total)
        end = scale * bits[0, EOB]
        last = np.uint32(number)
        total = best[last] + (end if place[last] < LAST else np.float32(0))
        for i in range(number - 1, -1, -1):
            if least[np.uint32(i)] + end > total:
                break
            trial = best[np.uint32(i)] + end
            last = np.uint32(i) if trial <= total else last
            total = min(trial, total)
        while last > 0:
            position = place[last]
            nearest = np.int64(work[0, position])
            smaller = (1 << (np.int64(_SIZES[np.uint32(nearest)]) - 1)) - 1
            value = smaller if before[last] & _BELOW else nearest
            levels[n, position] = value if coefficients[n, position] >= 0 else -value
            last = np.uint32(before[last] & (_BELOW - 1))


# The bits of each symbol, and in the second row the fewest, with those of ZRL, that a run as long or longer takes,
# before a level of its size or of one less. Of runs above 15 this is on top of the ZRL that all of them take.
@kernel(reads(float32, 1), writes(float32, 2))
def _fewest_kernel(bits: Any, both: Any) -> None:
    runs = LONGEST_RUN + 1
    for symbol in range(256):
        both[0, symbol] = bits[symbol]
    for size in range(runs):
        fewest = np.float32(np.inf)
        for run in range(runs):
            symbol = run * runs + size
            both[1, symbol] = min(bits[symbol], bits[symbol - 1]) if size > 1 else bits[symbol]
            fewest = min(fewest, both[1, symbol])
        fewest += bits[ZRL]
        for run in range(LONGEST_RUN, -1, -1):
            fewest = min(fewest, both[1, run * runs + size])
            both[1, run * runs + size] = fewest


def nearest(coefficients: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.int16]:
    """Quantise blocks `float32[n,64]` by a table `float32[64]` to the nearest levels, `int16[n,64]`."""
    levels = np.empty(coefficients.shape, np.int16)
    _round_kernel(coefficients, table, levels)
    return levels


def trellis(
    coefficients: NDArray[np.float32],
    table: NDArray[np.float32],
    costs: NDArray[np.float32],
    masking: NDArray[np.float32],
    cost_per_bit: NDArray[np.float32],
    bits: NDArray[np.float32],
) -> NDArray[np.int16]:
    """Quantise blocks `float32[n,64]` to the levels `int16[n,64]` of the least cost; DC goes to the nearest level.

    DC levels are coded as differences between blocks, where an error shows as an edge, so no bits are saved on them.

    Args:
        coefficients: in zigzag order, as everything here.
        table: quantisation steps, `float32[64]`.
        costs: what the square of an error costs at each position, and what that of the part costs which masking does
            not hide, `float32[2,64]`.
        masking: how strongly each block hides errors, in grey levels, `float32[n]`.
        cost_per_bit: λ of each block, `float32[n]`.
        bits: length of each AC symbol (run · 16 + size) with its extra bits, `float32[256]`.
    """
    levels = np.empty(coefficients.shape, np.int16)
    constants = np.stack((np.float32(1) / table, table, _THRESHOLD, *costs))
    both = np.empty((2, 256), np.float32)
    _fewest_kernel(bits, both)
    _trellis_kernel(coefficients, constants, masking, cost_per_bit, both, levels)
    return levels
