"""What each aim sets: quantisation tables, what an error costs at each frequency, and how far texture hides it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from codec.outcome import MEASURES
from codec.tables import (
    ANNEX_K_CHROMA,
    ANNEX_K_LUMA,
    LARGEST_STEP,
    SSIMULACRA2_CHROMA,
    SSIMULACRA2_LUMA,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.aims import Aim


@dataclass(frozen=True, slots=True)
class Tuning:
    """The constants of one aim. Component 0 is luma, 1 stands for both chroma components.

    steps: quantisation tables at scale 1, `float32[64]` each, not yet whole numbers.
    errors: what a squared error costs at each position, `float32[64]` each; about 1/step².
    visible: what the square of the part of a luma error costs that texture does not hide, `float32[64]`.
    lagrangian: λ at scale 1 of a block that hides errors of one grey level.
    texture: powers of the strength of masking that λ grows with.
    promise: number in `outcome.MEASURES` of the error that `Quality` promises.
    leeway: factor by which that may pass libjpeg's.
    guards: numbers in `outcome.MEASURES` of what a map must not make worse in the whole picture than in libjpeg's file
        of the same bytes.
    """

    steps: tuple[NDArray[np.float32], NDArray[np.float32]]
    errors: tuple[NDArray[np.float32], NDArray[np.float32]]
    visible: NDArray[np.float32]
    lagrangian: float
    texture: tuple[float, float]
    promise: int
    leeway: float
    guards: tuple[int, ...]

    def table(self, number: int, scale: float) -> NDArray[np.float32]:
        """Quantisation table `float32[64]` of component `number` (0 luma, 1 and 2 chroma) at a scale."""
        steps = np.rint(self.steps[min(number, 1)] * np.float32(scale))
        return np.asarray(np.clip(steps, 1, LARGEST_STEP), np.float32)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How a tuning is made from what is known of the eye (Annex K) and of SSIMULACRA2.

    Pairs are for luma and chroma.

    errors: share of SSIMULACRA2, the rest being Annex K, in what errors cost (geometric mean).
    tables: the same in the tables.
    error_power: power that these costs are raised to; 0 would make all frequencies alike, as PSNR does.
    table_power: steps go with this power of 1/cost; ½ makes the error of each position cost the same.
    dc: factor on the step of DC.
    chroma_steps, chroma_errors: factors on all steps of chroma and on the cost of its errors.
    masked: share of the cost of luma errors that counts only what texture does not hide.
    lagrangian, texture, promise, leeway, guards: as in `Tuning`.
    """

    errors: tuple[float, float]
    tables: tuple[float, float]
    table_power: tuple[float, float]
    dc: tuple[float, float]
    chroma_steps: float
    chroma_errors: float
    masked: float
    lagrangian: float
    texture: tuple[float, float]
    guards: tuple[str, ...]
    error_power: tuple[float, float] = (1.0, 1.0)
    promise: str = "visible"
    leeway: float = 1.0

    def tuning(self) -> Tuning:
        """Work out the tables."""
        eye = ANNEX_K_LUMA**-2.0, ANNEX_K_CHROMA**-2.0
        norm = _mean(eye[0]) / _mean(SSIMULACRA2_LUMA)
        metric = SSIMULACRA2_LUMA * norm, SSIMULACRA2_CHROMA * norm
        steps, errors = [], []
        for kind, factor in enumerate((1.0, self.chroma_steps)):
            costs = _blend(eye[kind], metric[kind], self.tables[kind])
            table = factor * _mean(eye[0]) ** -0.5 * (costs / _mean(eye[0])) ** -self.table_power[kind]
            table[0] *= self.dc[kind]
            steps.append(table.astype(np.float32))
        for kind, factor in enumerate((1 - self.masked, self.chroma_errors)):
            costs = _blend(eye[kind], metric[kind], self.errors[kind])
            errors.append((factor * _mean(costs) * (costs / _mean(costs)) ** self.error_power[kind]).astype(np.float32))
        return Tuning(
            steps=(steps[0], steps[1]),
            errors=(errors[0], errors[1]),
            visible=(eye[0] * self.masked).astype(np.float32),
            lagrangian=self.lagrangian,
            texture=self.texture,
            promise=MEASURES.index(self.promise),
            leeway=self.leeway,
            guards=tuple(MEASURES.index(name) for name in self.guards),
        )


def _mean(costs: NDArray[np.floating[Any]]) -> float:
    """Geometric mean."""
    return float(np.exp(np.log(costs.astype(np.float64)).mean()))


def _blend(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]], share: float) -> NDArray[np.float64]:
    """Geometric mean of two tables, with the `share` of the second."""
    return np.exp((1 - share) * np.log(first.astype(np.float64)) + share * np.log(second.astype(np.float64)))


# BD-rates in bytes, without a map, on the 24 Kodak pictures, and how they were tuned: docs/codec.md.
_RECIPES: Final[dict[Aim, _Recipe]] = {
    # By an evolution strategy (CMA-ES) over all of these, on five Kodak pictures and a photograph: the sum of the
    # BD-rates of PSNR-HVS-M and SSIMULACRA2 against mozjpeg, while PSNR, SSIM and PSNR-HVS gain on libjpeg.
    "balanced": _Recipe(
        errors=(0.74, 0.5),
        tables=(0.41, 0.0),
        table_power=(0.53, 0.37),
        dc=(0.7, 0.45),
        chroma_steps=0.8,
        chroma_errors=1.7,
        masked=0.36,
        lagrangian=0.034,
        texture=(0.75, 0.75),
        guards=MEASURES,
    ),
    # By PSNR-HVS-M on six Kodak pictures; with all of the cost `masked` PSNR would pay 80 % for 1 % more.
    "hvs": _Recipe(
        errors=(0.1, 0.3),
        tables=(0.1, 0.3),
        table_power=(0.5, 0.5),
        dc=(0.5, 0.7),
        chroma_steps=1.3,
        chroma_errors=1.0,
        masked=0.9,
        lagrangian=0.035,
        texture=(0.05, 0.3),
        guards=("visible",),
    ),
    # By SSIMULACRA2 on six Kodak pictures, from the values for "balanced". It gives up 2 dB of PSNR-HVS-M: to keep all
    # of it would take more bytes than libjpeg does.
    "ssimulacra2": _Recipe(
        errors=(0.8, 0.7),
        tables=(0.65, 0.3),
        table_power=(0.5, 0.41),
        dc=(0.7, 0.4),
        chroma_steps=0.7,
        chroma_errors=2.0,
        masked=0.3,
        lagrangian=0.035,
        texture=(0.8, 0.8),
        leeway=1.6,
        guards=(),
    ),
    # By PSNR of the fifth that a map ranks highest, at libjpeg's bytes, on eight Kodak pictures, while all of
    # `MEASURES` stay above libjpeg's; flatter costs gain PSNR and lose PSNR-HVS-M.
    "psnr": _Recipe(
        errors=(0.35, 0.4),
        tables=(0.35, 0.3),
        error_power=(0.6, 0.5),
        table_power=(0.36, 0.3),
        dc=(0.7, 0.6),
        chroma_steps=1.4,
        chroma_errors=0.8,
        masked=0.0,
        lagrangian=0.045,
        texture=(0.2, 0.2),
        promise="squared",
        guards=MEASURES,
    ),
}

# What is different at fine steps, where the decoder's rounding is most of what PSNR-HVS-M sees and little is left to
# hide: at quality 90, on eight Kodak pictures, −5.5 and −7 % of SSIMULACRA2 and PSNR-HVS-M against mozjpeg instead of
# −1.7 and −2.7 %; at 80 it would cost SSIMULACRA2 4 %.
_FINE: Final = {"balanced": replace(_RECIPES["balanced"], tables=(0.25, 0.0), masked=0.52)}
_COARSE_QUALITY: Final = 80
_FINE_QUALITY: Final = 90
"""libjpeg's qualities up to which steps are coarse, and from which they are fine; between them the two are mixed."""


@cache
def tuning(aim: Aim, quality: int) -> Tuning:
    """Return the constants of an aim for steps as fine as libjpeg's at a quality of 1 to 100."""
    coarse = _RECIPES[aim]
    fine = _FINE.get(aim, coarse)
    part = min(max((quality - _COARSE_QUALITY) / (_FINE_QUALITY - _COARSE_QUALITY), 0.0), 1.0)
    tables = tuple((1 - part) * first + part * last for first, last in zip(coarse.tables, fine.tables, strict=True))
    masked = (1 - part) * coarse.masked + part * fine.masked
    return replace(coarse, tables=(tables[0], tables[1]), masked=masked).tuning()


TUNINGS: Final[dict[Aim, Tuning]] = {aim: tuning(aim, _COARSE_QUALITY) for aim in _RECIPES}
"""The constants of each aim at coarse steps."""
