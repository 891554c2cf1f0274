"""From levels to a file: the baseline one, and the smallest with the same content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mozjpeg_lossless_optimization

from codec import entropy, huffman, jfif
from codec.symbols import EXTRA_BITS
from config.errors import EncodingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from codec.transform import Plane


def baseline(
    size: tuple[int, int],
    planes: tuple[Plane, ...],
    tables: tuple[NDArray[np.float32], ...],
    levels: tuple[NDArray[np.int16], ...],
) -> bytes:
    """Write levels `int16[n,64]` on the grids of `planes` as a baseline JPEG, with Huffman codes made to fit.

    size: height and width, in pixels.
    tables: for luma and, in a colour picture, for chroma, `float32[64]` of whole numbers in 1..255.
    """
    order = entropy.scan_order(planes)
    dc = entropy.count_dc(levels, order)
    ac = [entropy.count_ac(component) for component in levels]
    histograms = [dc[0], ac[0]]
    if len(planes) > 1:
        histograms += [dc[1] + dc[2], ac[1] + ac[2]]
    codes = [huffman.build(histogram) for histogram in histograms]
    bits = sum(int(histogram @ (code.lengths + EXTRA_BITS)) for histogram, code in zip(histograms, codes, strict=True))
    scan = entropy.write_scan(levels, order, codes, bits)
    return jfif.baseline(size, tables, codes, scan)


def smallest(jpeg: bytes, size: tuple[int, int]) -> bytes:
    """Code the same coefficients in the progressive scans that take fewest bytes, if fewer than `jpeg` takes."""
    try:
        progressive: bytes = mozjpeg_lossless_optimization.optimize(jpeg)
    except ValueError as error:
        raise EncodingError(f"the scan optimiser refused a picture of {size[1]}x{size[0]} pixels") from error
    return min(jpeg, progressive, key=len)
