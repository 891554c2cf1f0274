"""The blocks of a component with what the trellis must know of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from codec.huffman import LONGEST
from codec.symbols import EXTRA_BITS, POSSIBLE_AC
from codec.trellis import trellis

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.tuning import Tuning

MASKING_FLOOR: Final = 0.1
"""Least strength of masking, in grey levels: below it lies the decoder's own rounding."""

_IMPOSSIBLE: Final = 1e6
"""Bits of a symbol that must not be taken."""


def symbol_bits(histogram: NDArray[np.int64]) -> NDArray[np.float32]:
    """Bits `float32[256]` that each AC symbol takes with its extra bits, by its share of a histogram.

    That is −log₂ of the share, which the lengths of a Huffman code are close to, and at most the longest code. Each
    possible symbol is counted once more than it occurred, so that the trellis may take one that was not yet seen.
    """
    counts = np.maximum(histogram + POSSIBLE_AC, 1)
    shares = -np.log2(counts / counts[POSSIBLE_AC].sum())
    return np.where(POSSIBLE_AC, np.minimum(shares, LONGEST) + EXTRA_BITS, _IMPOSSIBLE).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Component:
    """One component with what the trellis must know about its blocks.

    number: 0 for luma, 1 and 2 for chroma.
    coefficients: `float32[n,64]`.
    masking: how strongly the luma of each block's place hides errors, in grey levels, `float32[n]`.
    weight: how much the error of each block counts, `float32[n]` in 0..1.
    """

    number: int
    coefficients: NDArray[np.float32]
    masking: NDArray[np.float32]
    weight: NDArray[np.float32]

    def subset(self, blocks: NDArray[np.intp]) -> Component:
        """Return the component of these blocks alone."""
        return Component(self.number, self.coefficients[blocks], self.masking[blocks], self.weight[blocks])

    def quantise(
        self,
        tuning: Tuning,
        table: NDArray[np.float32],
        lagrangian: float,
        contrast: float,
        bits: NDArray[np.float32],
    ) -> NDArray[np.int16]:
        """Choose levels `int16[n,64]` with a quantisation table `float32[64]`, for symbols that cost `bits`.

        lagrangian: λ of a block of weight 1 that hides errors of one grey level.
        contrast: power that the weights are raised to; 0 makes all blocks equal.
        """
        kind = min(self.number, 1)
        texture = np.maximum(self.masking, np.float32(MASKING_FLOOR)) ** np.float32(tuning.texture[kind])
        cost = texture * self.weight ** np.float32(-contrast) * np.float32(lagrangian)
        visible = tuning.visible if kind == 0 else np.zeros(64, np.float32)
        costs = np.stack((tuning.errors[kind], visible))
        return trellis(self.coefficients, table, costs, self.masking, cost, bits)
