"""The symbols that the entropy coder gives codes to (ITU-T T.81, F.1.2): run · 16 + size, with two special ones."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from codec.kernel import helper

EOB: Final = 0x00
"""The rest of the block is zero."""
ZRL: Final = 0xF0
"""Sixteen zeros that another level follows."""
LONGEST_RUN: Final = 15
"""Zeros that the symbol of a level can stand for."""
LARGEST_LEVEL: Final = 1023
"""Largest AC level of 8-bit baseline JPEG (T.81, F.1.2.2.1)."""
LAST: Final = 63
"""Zigzag position of the last coefficient."""

_RUN, _SIZE = np.divmod(np.arange(256), LONGEST_RUN + 1)
EXTRA_BITS: Final = _SIZE.astype(np.int64)
"""Bits that follow each symbol's code, `int64[256]`."""
POSSIBLE_AC: Final = ((_SIZE >= 1) & (LARGEST_LEVEL >> (_SIZE - 1).clip(0) > 0)) | np.isin(np.arange(256), (EOB, ZRL))
"""Which AC symbols baseline JPEG knows, `bool[256]` (T.81, table K.5)."""


# SSSS of T.81, table F.1: the number of bits of a magnitude.
@helper
def size_of(magnitude: Any) -> Any:
    """Return the number of bits of an integer of 0 or more."""
    size = 0
    while magnitude >> size:
        size += 1
    return size
