"""An operating point of the encoder: everything that decides the levels of a given picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from codec import entropy
from codec.quantise import lagrangian, quantisation_table, symbol_bits
from codec.trellis import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from codec.quantise import Component


@dataclass(frozen=True, slots=True)
class Point:
    """An operating point.

    scale: of the quantisation tables, over Annex K's steps.
    thrift: factor on the λ that goes with the scale.
    contrast: power that the weights of the blocks are raised to.
    bits: what the AC symbols of each component cost, `float32[256]` each.
    """

    scale: float
    thrift: float
    contrast: float
    bits: tuple[NDArray[np.float32], ...]

    @property
    def lagrangian(self) -> float:
        """λ of a block of weight 1 and masking 1."""
        return self.thrift * lagrangian(self.scale)

    def levels(self, components: tuple[Component, ...]) -> tuple[NDArray[np.int16], ...]:
        """Quantise the components, `int16[n,64]` each."""
        return tuple(
            part.quantise(self.scale, self.lagrangian, self.contrast, bits)
            for part, bits in zip(components, self.bits, strict=True)
        )

    def tables(self) -> tuple[NDArray[np.float32], ...]:
        """Return the quantisation tables, for luma and, in a colour picture, for chroma."""
        return tuple(quantisation_table(number, self.scale) for number in range(min(len(self.bits), 2)))


def costs(
    levels: Sequence[NDArray[np.int16]], times: Sequence[NDArray[np.int64]] | None = None
) -> tuple[NDArray[np.float32], ...]:
    """Return what each AC symbol of each component costs in a file of these levels; chroma components share a code.

    times: how often each block of each component counts; once if left out.
    """
    histograms = [
        entropy.count_ac(part, None if times is None else times[number]) for number, part in enumerate(levels)
    ]
    luma, chroma = histograms[0], sum(histograms[1:], np.zeros(256, np.int64))
    return (symbol_bits(luma), *[symbol_bits(chroma)] * (len(levels) - 1))


def first_levels(components: tuple[Component, ...], scale: float) -> tuple[NDArray[np.int16], ...]:
    """Return the nearest levels at a scale, from which a search can take its first costs."""
    return tuple(nearest(part.coefficients, quantisation_table(part.number, scale)) for part in components)
