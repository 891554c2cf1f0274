"""PSNR-HVS-M on DCT coefficients: the error a viewer would notice in each block, without decoding anything.

Ponomarenko, Silvestri, Egiazarian, Carli, Astola, Lukin, "On between-coefficient contrast masking of DCT basis
functions", VPQM 2007. An AC error counts only as far as it exceeds what the block's own texture hides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import float32

from codec.kernel import helper, kernel, reads, writes
from codec.tables import BLOCK, CSF, MASKING, ZIGZAG
from codec.transform import DCT_BASIS, PLACES

if TYPE_CHECKING:
    from numpy.typing import NDArray

TERMS: Final = 5
"""Sums over a block that the kernels' scratch holds."""
CEILING_DB: Final = 100.0
"""What the measure says of a perfect copy, as its authors' implementation does."""


def _quadrant_weights() -> NDArray[np.float32]:
    """Weights `[3, 64]` that give, from the coefficients, how the means of the block's four quadrants differ.

    The mean over four of eight samples is, per axis, a(u) = ¼·Σ basis(u, x<4); by symmetry it vanishes for even u > 0
    and changes sign between the halves for odd u. So the four means are W00 ± W10 ± W01 ± W11 with
    W10 = Σ a(u)a(0)C(u,0), W01 = Σ a(0)a(v)C(0,v), W11 = Σ a(u)a(v)C(u,v), u and v odd.
    """
    half_mean = DCT_BASIS[:, : BLOCK // 2].mean(axis=1)
    odd = np.where(np.arange(BLOCK) % 2 == 1, half_mean, 0)
    even = np.where(np.arange(BLOCK) == 0, half_mean, 0)
    products = (np.outer(odd, even), np.outer(even, odd), np.outer(odd, odd))
    return np.stack([product.ravel()[ZIGZAG] for product in products]).astype(np.float32)


def _spread(values: NDArray[Any]) -> NDArray[np.float32]:
    """Lay out `[64]`, in zigzag order, eight times as transposed blocks side by side lie, `[512]`."""
    out = np.empty(512, np.float32)
    out[(PLACES[:, None] + 8 * np.arange(8)).ravel()] = np.repeat(values, 8)
    return out


AC: Final = _spread(np.arange(64) > 0)
"""1 at AC coefficients, 0 at DC, of eight transposed blocks side by side."""
_QUADRANTS: Final = np.stack([_spread(weights) for weights in _quadrant_weights()])
_CSF: Final = _spread(CSF)
_MASKING: Final = _spread(np.where(np.arange(64) > 0, MASKING, 0))
_THRESHOLD: Final = _spread(np.where(np.arange(64) > 0, 1 / MASKING, 0))
"""What masking hides at each position, per grey level of its strength."""


# The strength of masking of one block, the paper's δ·E_m: sqrt(E·r/16)/8 with E = Σ_AC C²·(10/K)² and r the sum of the
# variances of the four quadrants over that of the whole block (sample variances, 16/15 against 64/63), which lowers it
# for edges. Σ of the quadrants' squares about their own means is Σ_AC C² − 64·(W10² + W01² + W11²), by Parseval.
# Blocks are measured eight at a time, transposed and side by side. Sums over their rows of 64 become vector code; those
# over the eight places of a block in a row are then added up here.
@helper
def totals(terms: Any, sums: Any) -> None:
    """Write the sums of each row of `terms` `[TERMS,64]` over each block to `sums` `[TERMS,8]`, and clear the terms."""
    for number in range(terms.shape[0]):
        for b in range(8):
            k = 8 * b
            first = (terms[number, k] + terms[number, k + 1]) + (terms[number, k + 2] + terms[number, k + 3])
            last = (terms[number, k + 4] + terms[number, k + 5]) + (terms[number, k + 6] + terms[number, k + 7])
            sums[number, b] = first + last
        for i in range(64):
            terms[number, i] = 0


@helper
def gather(coefficients: Any, first: Any, pair: Any, out: Any) -> None:
    """Put up to eight blocks of `[n,64]`, first + pair·(b >> 1) + (b & 1), transposed and side by side."""
    for b in range(8):
        n = first + pair * (b >> 1) + (b & 1)
        if n < coefficients.shape[0]:
            for k in range(64):
                out[PLACES[k] + 8 * b] = coefficients[n, k]


@helper
def masking_of(blocks: Any, terms: Any, sums: Any, strength: Any) -> None:
    """Write how strongly each of eight blocks `[512]` hides errors to `strength` `[8]`.

    terms, sums: scratch, `[TERMS,64]` of noughts, which they stay, and `[TERMS,8]`.
    """
    for row in range(0, 512, 64):
        for i in range(64):
            c = blocks[row + i] * AC[row + i]
            terms[0, i] += c * c
            terms[1, i] += c * c * _MASKING[row + i]
            terms[2, i] += c * _QUADRANTS[0, row + i]
            terms[3, i] += c * _QUADRANTS[1, row + i]
            terms[4, i] += c * _QUADRANTS[2, row + i]
    totals(terms, sums)
    for b in range(8):
        energy = max(sums[0, b], np.float32(1e-30))
        means = sums[2, b] * sums[2, b] + sums[3, b] * sums[3, b] + sums[4, b] * sums[4, b]
        ratio = np.float32(1.05) * (np.float32(1) - np.float32(64) * means / energy)
        strength[b] = np.sqrt(sums[1, b] * max(ratio, np.float32(0)) / np.float32(16)) / np.float32(8)


@kernel(reads(float32, 2), writes(float32, 1))
def _masking_kernel(coefficients: Any, masking: Any) -> None:
    blocks = np.zeros(512, np.float32)
    terms = np.zeros((TERMS, 64), np.float32)
    sums = np.zeros((TERMS, 8), np.float32)
    strength = np.zeros(8, np.float32)
    for group in range(0, coefficients.shape[0], 8):
        gather(coefficients, group, np.int64(2), blocks)
        masking_of(blocks, terms, sums, strength)
        for n in range(group, min(group + 8, coefficients.shape[0])):
            masking[n] = strength[n - group]


# PSNR-HVS:    Σ_k ((C − C')·CSF)² / 64
# PSNR-HVS-M:  the same with |C − C'| lessened by m/(10/K)² at every AC coefficient, m the larger masking of the two
@helper
def errors_of(original: Any, copy: Any, masking: Any, scratch: Any) -> None:
    """Write 64 times the errors of PSNR-HVS and PSNR-HVS-M of eight blocks `[512]` to the first rows of the sums.

    masking: of the original blocks, `[8]`.
    scratch: terms `[TERMS,64]`, sums `[TERMS,8]`, what is hidden `[64]` and strengths of masking `[8]`.
    """
    terms, sums, hidden, strength = scratch
    masking_of(copy, terms, sums, strength)
    for b in range(8):
        for u in range(8):
            hidden[8 * b + u] = max(masking[b], strength[b])
    for row in range(0, 512, 64):
        for i in range(64):
            difference = abs(original[row + i] - copy[row + i])
            rest = max(difference - hidden[i] * _THRESHOLD[row + i], np.float32(0)) * _CSF[row + i]
            difference *= _CSF[row + i]
            terms[0, i] += difference * difference
            terms[1, i] += rest * rest
    totals(terms, sums)


@kernel(reads(float32, 2), reads(float32, 2), reads(float32, 1), writes(float32, 1), writes(float32, 1))
def _error_kernel(original: Any, copy: Any, masking: Any, weighted: Any, masked: Any) -> None:
    first = np.zeros(512, np.float32)
    second = np.zeros(512, np.float32)
    terms = np.zeros((TERMS, 64), np.float32)
    sums = np.zeros((TERMS, 8), np.float32)
    hiding = np.zeros(8, np.float32)
    scratch = (terms, sums, np.zeros(64, np.float32), np.zeros(8, np.float32))
    for group in range(0, original.shape[0], 8):
        gather(original, group, np.int64(2), first)
        gather(copy, group, np.int64(2), second)
        for n in range(group, min(group + 8, original.shape[0])):
            hiding[n - group] = masking[n]
        errors_of(first, second, hiding, scratch)
        for n in range(group, min(group + 8, original.shape[0])):
            weighted[n] = sums[0, n - group] / np.float32(64)
            masked[n] = sums[1, n - group] / np.float32(64)


def block_errors(
    original: NDArray[np.float32], copy: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the squared error of each block of `copy`, weighted as PSNR-HVS and as PSNR-HVS-M do.

    Both arguments are luma coefficients `float32[n,64]`, both results `float32[n]` in squared grey levels.
    """
    weighted = np.empty(len(original), np.float32)
    masked = np.empty(len(original), np.float32)
    _error_kernel(original, copy, masking(original), weighted, masked)
    return weighted, masked


def masking(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how strongly each block `float32[n,64]` hides errors, `float32[n]`, in grey levels."""
    strength = np.empty(len(coefficients), np.float32)
    _masking_kernel(coefficients, strength)
    return strength


def decibels(mean_squared_error: float) -> float:
    """Turn a mean squared error on the scale 0..255 into decibels, at most `CEILING_DB`."""
    if mean_squared_error <= 0:
        return CEILING_DB
    return min(float(10 * np.log10(255**2 / mean_squared_error)), CEILING_DB)
