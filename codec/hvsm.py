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
from codec.transform import DCT_BASIS

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


_QUADRANTS: Final = _quadrant_weights()
_CSF: Final = CSF.astype(np.float32)
_MASKING: Final = MASKING.astype(np.float32)


# The strength of masking of one block, the paper's δ·E_m: sqrt(E·r/16)/8 with E = Σ_AC C²·(10/K)² and r the sum of the
# variances of the four quadrants over that of the whole block (sample variances, 16/15 against 64/63), which lowers it
# for edges. Σ of the quadrants' squares about their own means is Σ_AC C² − 64·(W10² + W01² + W11²), by Parseval.
@helper
def _masking(block: Any) -> Any:
    energy = np.float32(0)
    weighted = np.float32(0)
    w10 = np.float32(0)
    w01 = np.float32(0)
    w11 = np.float32(0)
    for k in range(1, 64):
        c = block[k]
        energy += c * c
        weighted += c * c * _MASKING[k]
        w10 += c * _QUADRANTS[0, k]
        w01 += c * _QUADRANTS[1, k]
        w11 += c * _QUADRANTS[2, k]
    if energy <= 0:
        return np.float32(0)
    ratio = np.float32(1.05) * (np.float32(1) - np.float32(64) * (w10 * w10 + w01 * w01 + w11 * w11) / energy)
    return np.sqrt(weighted * max(ratio, np.float32(0)) / np.float32(16)) / np.float32(8)


@kernel(reads(float32, 2), writes(float32, 1))
def _masking_kernel(coefficients: Any, masking: Any) -> None:
    for n in range(coefficients.shape[0]):
        masking[n] = _masking(coefficients[n])


# PSNR-HVS:    Σ_k ((C − C')·CSF)² / 64
# PSNR-HVS-M:  the same with |C − C'| lessened by m/(10/K)² at every AC coefficient, m the larger masking of the two
@kernel(reads(float32, 2), reads(float32, 2), writes(float32, 1), writes(float32, 1))
def _error_kernel(original: Any, copy: Any, weighted: Any, masked: Any) -> None:
    for n in range(original.shape[0]):
        hidden = max(_masking(original[n]), _masking(copy[n]))
        difference = (original[n, 0] - copy[n, 0]) * _CSF[0]
        every = difference * difference
        seen = every
        for k in range(1, 64):
            difference = abs(original[n, k] - copy[n, k])
            every += (difference * _CSF[k]) ** 2
            difference -= hidden / _MASKING[k]
            if difference > 0:
                seen += (difference * _CSF[k]) ** 2
        weighted[n] = every / np.float32(64)
        masked[n] = seen / np.float32(64)


def block_errors(
    original: NDArray[np.float32], copy: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the squared error of each block of `copy`, weighted as PSNR-HVS and as PSNR-HVS-M do.

    Both arguments are luma coefficients `float32[n,64]`, both results `float32[n]` in squared grey levels.
    """
    weighted = np.empty(len(original), np.float32)
    masked = np.empty(len(original), np.float32)
    _error_kernel(original, copy, weighted, masked)
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
