"""Fixed tables: the zigzag order, Annex K's quantisation tables, and the weights of the eye that the measures use.

Every table of 64 values here is in zigzag order (ITU-T T.81, figure A.6), the order of the coefficients in a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK: Final = 8
"""Side of a DCT block, in samples."""


def _zigzag() -> NDArray[np.intp]:
    """Raster index (8·row + column) of each of the 64 zigzag positions: diagonals, walked in alternating directions."""
    rows, columns = np.divmod(np.arange(64), BLOCK)
    diagonal = rows + columns
    along = np.where(diagonal % 2 == 1, rows, columns)
    return np.lexsort((along, diagonal))


ZIGZAG: Final = _zigzag()

# ITU-T T.81, tables K.1 (luminance) and K.2 (chrominance), in raster order as printed there.
_K1 = """
    16 11 10 16  24  40  51  61
    12 12 14 19  26  58  60  55
    14 13 16 24  40  57  69  56
    14 17 22 29  51  87  80  62
    18 22 37 56  68 109 103  77
    24 35 55 64  81 104 113  92
    49 64 78 87 103 121 120 101
    72 92 95 98 112 100 103  99
"""
_K2 = """
    17 18 24 47 99 99 99 99
    18 21 26 66 99 99 99 99
    24 26 56 99 99 99 99 99
    47 66 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
"""


def _parse(text: str) -> NDArray[np.float32]:
    return np.array(text.split(), np.float32)[ZIGZAG]


ANNEX_K_LUMA: Final = _parse(_K1)
ANNEX_K_CHROMA: Final = _parse(_K2)

# PSNR-HVS and PSNR-HVS-M (Egiazarian et al. 2006, Ponomarenko et al. 2007) weigh the error of each coefficient by the
# inverse of table K.1 and derive the masking threshold from (10/K.1)²; 1.608443 is the weight printed for K.1's 16.
CSF: Final = np.float32(1.608443 * 16) / ANNEX_K_LUMA
MASKING: Final = (np.float32(10) / ANNEX_K_LUMA) ** 2

LARGEST_STEP: Final = 255
"""Largest entry of a quantisation table that a baseline decoder accepts (T.81, B.2.4.1, Pq = 0)."""
