"""The quantisation tables and Lagrangian of an operating point, and the levels it chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from codec import huffman
from codec.hvsm import masking
from codec.symbols import EXTRA_BITS, POSSIBLE_AC
from codec.tables import ANNEX_K_CHROMA, ANNEX_K_LUMA, LARGEST_STEP
from codec.trellis import trellis

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.transform import Plane

# Tuned by BD-rate against libjpeg on 6 Kodak pictures and 6 reduced photographs at qualities 40 to 88, without a map.
# These values take 14.3 % fewer bytes at equal PSNR-HVS-M, 0.5 % more at equal PSNR and 4.4 % fewer at equal SSIM; 0.09
# and 0.5 would take 15.9 % fewer, 7.9 % more and 1.1 % fewer, 0.06 and 0.2 take 13.3, 1.9 and 5.3 % fewer.
LAMBDA: Final = 0.05
"""λ of a block that hides errors of one grey level, at table scale 1, per squared error in steps of Annex K."""
MASKING_EXPONENT: Final = 0.4
"""λ grows with this power of the strength of masking: bits in a texture buy less than bits in a plain area."""
MASKING_FLOOR: Final = 0.1
"""Least strength of masking, in grey levels: below it lies the decoder's own rounding."""

# Texture hides no error of the DC coefficient, and finer DC costs few bits: at Annex K's DC step a quarter of all that
# is visible would be DC error. Tuned on the same pictures by bytes at libjpeg's PSNR-HVS-M, 0.35 to 1 times Annex K's.
LUMA_STEPS: Final = ANNEX_K_LUMA * np.where(np.arange(64) == 0, 0.6, 1).astype(np.float32)
CHROMA_STEPS: Final = ANNEX_K_CHROMA * np.where(np.arange(64) == 0, 0.8, 1).astype(np.float32)

_IMPOSSIBLE: Final = 1e6
"""Bits of a symbol that must not be taken."""


def symbol_bits(histogram: NDArray[np.int64]) -> NDArray[np.float32]:
    """Bits `float32[256]` that each AC symbol takes with its extra bits, under the code made for a histogram.

    Each possible symbol is counted once more than it occurred, so that the trellis may take one that was not yet seen.
    """
    code = huffman.build(histogram + POSSIBLE_AC)
    bits = code.lengths + EXTRA_BITS
    return np.where(POSSIBLE_AC, bits, _IMPOSSIBLE).astype(np.float32)


def quantisation_table(number: int, scale: float) -> NDArray[np.float32]:
    """Quantisation table `float32[64]` of component `number` (0 luma, 1 and 2 chroma) at a scale of Annex K's steps."""
    steps = CHROMA_STEPS if number else LUMA_STEPS
    return np.asarray(np.clip(np.rint(steps * np.float32(scale)), 1, LARGEST_STEP), np.float32)


def lagrangian(scale: float) -> float:
    """λ at a table scale: quantisation error, and with it the worth of a bit, goes with the square of the step."""
    return LAMBDA * scale**2


@dataclass(frozen=True, slots=True)
class Component:
    """One component with what the trellis must know about its blocks.

    number: 0 for luma, 1 and 2 for chroma.
    coefficients: `float32[n,64]`.
    texture: what masking multiplies λ with, `float32[n]`.
    weight: how much the error of each block counts, `float32[n]` in 0..1.
    """

    number: int
    coefficients: NDArray[np.float32]
    texture: NDArray[np.float32]
    weight: NDArray[np.float32]

    def subset(self, blocks: NDArray[np.intp]) -> Component:
        """Return the component of these blocks alone."""
        return Component(self.number, self.coefficients[blocks], self.texture[blocks], self.weight[blocks])

    def quantise(
        self, scale: float, lagrangian: float, contrast: float, bits: NDArray[np.float32]
    ) -> NDArray[np.int16]:
        """Choose levels `int16[n,64]` at a table scale, for symbols that cost `bits`.

        lagrangian: λ of a block of weight 1 and masking 1, per squared error in steps of Annex K.
        contrast: power that the weights are raised to; 0 makes all blocks equal.
        """
        error_weight = (ANNEX_K_CHROMA if self.number else ANNEX_K_LUMA) ** np.float32(-2)
        cost = self.texture * self.weight ** np.float32(-contrast) * np.float32(lagrangian)
        return trellis(self.coefficients, quantisation_table(self.number, scale), error_weight, cost, bits)


def component(number: int, plane: Plane, weight: NDArray[np.float32]) -> Component:
    """Prepare a plane whose blocks have the weights `float32[n]`."""
    texture = np.maximum(masking(plane.coefficients), np.float32(MASKING_FLOOR)) ** np.float32(MASKING_EXPONENT)
    return Component(number, plane.coefficients, texture, weight)
