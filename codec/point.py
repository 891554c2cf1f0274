"""An operating point of the encoder: everything that decides the levels of a given picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from codec import entropy
from codec.quantise import symbol_bits
from codec.trellis import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from codec.quantise import Component
    from codec.tuning import Tuning


@dataclass(frozen=True, slots=True)
class Point:
    """An operating point.

    tuning: the constants of the aim.
    scale: of the quantisation tables; 1 is about Annex K's.
    thrift: factor on the λ that goes with the scale.
    contrast: power that the weights of the blocks are raised to.
    bits: what the AC symbols of each component cost, `float32[256]` each.
    """

    tuning: Tuning
    scale: float
    thrift: float
    contrast: float
    bits: tuple[NDArray[np.float32], ...]

    @property
    def lagrangian(self) -> float:
        """λ of a block of weight 1 and masking 1.

        Quantisation error, and with it the worth of a bit, goes with the square of the step.
        """
        return self.thrift * self.tuning.lagrangian * self.scale**2

    def levels(self, components: tuple[Component, ...]) -> tuple[NDArray[np.int16], ...]:
        """Quantise the components, `int16[n,64]` each."""
        tables = self.tables()
        return tuple(
            part.quantise(self.tuning, tables[min(part.number, 1)], self.lagrangian, self.contrast, bits)
            for part, bits in zip(components, self.bits, strict=True)
        )

    def tables(self) -> tuple[NDArray[np.float32], ...]:
        """Return the quantisation tables, for luma and, in a colour picture, for chroma."""
        return tuple(self.tuning.table(number, self.scale) for number in range(min(len(self.bits), 2)))


def costs(
    levels: Sequence[NDArray[np.int16]], times: Sequence[NDArray[np.int64]]
) -> tuple[tuple[NDArray[np.float32], ...], float]:
    """Return what each AC symbol of each component costs in a file of these levels, and the bits of all AC symbols.

    Chroma components share a code.

    times: how often each block of each component counts.
    """
    histograms = [entropy.count_ac(part, counts) for part, counts in zip(levels, times, strict=True)]
    luma, chroma = histograms[0], sum(histograms[1:], np.zeros(256, np.int64))
    bits = symbol_bits(luma), symbol_bits(chroma)
    total = float(luma @ bits[0] + chroma @ bits[1])
    return (bits[0], *[bits[1]] * (len(levels) - 1)), total


def first_levels(tuning: Tuning, components: tuple[Component, ...], scale: float) -> tuple[NDArray[np.int16], ...]:
    """Return the nearest levels at a scale, from which a search can take its first costs."""
    return tuple(nearest(part.coefficients, tuning.table(part.number, scale)) for part in components)
