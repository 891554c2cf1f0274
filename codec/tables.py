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

# How much SSIMULACRA2 falls with the squared error of each coefficient, over the mean of luma: the measure's gradient
# at files of quality 50, 75 and 90, times the error there, summed over six Kodak pictures; made symmetric. Chroma is at
# half the resolution, the geometric mean of Cb and Cr. `benchmarks/ssimulacra2_sensitivity.py` measures it.
_SSIMULACRA2_LUMA = """
    11.08  6.16  0.85  1.80  0.51  0.84  0.41  0.57
     6.16  6.06  0.69  1.34  0.42  0.75  0.37  0.47
     0.85  0.69  0.70  0.69  0.43  0.50  0.37  0.33
     1.80  1.34  0.69  0.77  0.43  0.51  0.37  0.36
     0.51  0.42  0.43  0.43  0.41  0.38  0.34  0.34
     0.84  0.75  0.50  0.51  0.38  0.42  0.37  0.37
     0.41  0.37  0.37  0.37  0.34  0.37  0.35  0.34
     0.57  0.47  0.33  0.36  0.34  0.37  0.34  0.33
"""
_SSIMULACRA2_CHROMA = """
    22.25  6.69  2.63  3.16  1.54  2.43  2.22  2.03
     6.69  5.76  2.25  2.95  1.43  1.89  1.69  1.58
     2.63  2.25  2.28  2.33  1.28  1.94  1.58  1.25
     3.16  2.95  2.33  2.24  1.45  1.80  1.48  1.48
     1.54  1.43  1.28  1.45  1.26  1.36  1.31  1.24
     2.43  1.89  1.94  1.80  1.36  1.44  1.27  1.20
     2.22  1.69  1.58  1.48  1.31  1.27  0.78  0.91
     2.03  1.58  1.25  1.48  1.24  1.20  0.91  0.83
"""
SSIMULACRA2_LUMA: Final = _parse(_SSIMULACRA2_LUMA)
SSIMULACRA2_CHROMA: Final = _parse(_SSIMULACRA2_CHROMA)

LARGEST_STEP: Final = 255
"""Largest entry of a quantisation table that a baseline decoder accepts (T.81, B.2.4.1, Pq = 0)."""
