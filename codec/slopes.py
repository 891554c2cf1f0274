"""How the errors of a picture answer to the operating point: known roughly beforehand, and learnt from each attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCALE: Final = 0
THRIFT: Final = 1
CONTRAST: Final = 2
"""Numbers of the variables: ln scale, ln thrift and contrast of a `Point`."""

# Means and spreads over Kodak pictures, the four aims and qualities 40 to 92. Rows: ln error in the region of interest
# and elsewhere.
_USUAL: Final = np.array([[1.5, 0.2, 0.12], [1.8, 0.9, 1.8]])
_SPREAD: Final = np.array([[0.7, 0.15, 0.08], [0.7, 0.35, 0.7]])
_LEAST: Final = np.array([[0.2, 0.02, 0.0], [0.2, 0.1, 0.2]])
_NOISE: Final = np.array([0.03, 0.005, 0.005])
"""How far an error strays from a power law where the scale changes, for table entries are whole numbers, and where only
thrift or contrast do."""

SAVING: Final = np.array([-0.75, -0.22, -0.36])
"""What a move of the three changes in ln bits, about; from the same pictures."""
_SINGULAR: Final = 1e-3


class Slopes:
    """Derivatives of ln error in the region of interest, and elsewhere, by ln scale, ln thrift and contrast.

    Each attempt corrects them by recursive least squares.
    """

    def __init__(self) -> None:
        self._slopes = _USUAL.copy()
        self._covariances = np.stack([np.diag(spread**2) for spread in _SPREAD])

    def learn(self, moved: NDArray[np.float64], answered: NDArray[np.float64]) -> None:
        """Learn from a move `float64[3]` of the point, which both ln errors answered to by `float64[2]`."""
        noise = _NOISE[SCALE if moved[SCALE] else THRIFT] ** 2
        for row in range(2):
            spread = self._covariances[row] @ moved
            gain = spread / (moved @ spread + noise)
            self._slopes[row] += gain * (answered[row] - self._slopes[row] @ moved)
            self._covariances[row] -= np.outer(gain, spread)
        np.maximum(self._slopes, _LEAST, out=self._slopes)

    def effect(self, moved: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a move `float64[3]` is expected to change in both ln errors, `float64[2]`."""
        return self._slopes @ moved

    def move(self, variable: int, contrast: float, wanted: NDArray[np.float64]) -> tuple[float, float]:
        """Return by how much to move a variable, and a contrast, so that both errors change as is wanted, or less.

        Of both as wanted, if the contrast can be what that takes, and the contrast as it is, whatever saves more bits.

        Args:
            variable: `SCALE` or `THRIFT`.
            contrast: Where it stands; it stays in 0..1.
            wanted: Changes of both ln errors, `float64[2]`; the second is infinite if nothing lies elsewhere.
        """
        by_variable, by_contrast = self._slopes[:, variable], self._slopes[:, CONTRAST]
        if np.isinf(wanted[1]):
            return float(wanted[0] / by_variable[0]), 0.0
        determinant = by_variable[0] * by_contrast[1] - by_variable[1] * by_contrast[0]
        change = (by_variable[0] * wanted[1] - by_variable[1] * wanted[0]) / max(determinant, _SINGULAR)
        change = float(np.clip(contrast + change, 0.0, 1.0)) - contrast
        ways = [(float(((wanted - by_contrast * each) / by_variable).min()), each) for each in (change, 0.0)]
        return min(ways, key=lambda way: SAVING[variable] * way[0] + SAVING[CONTRAST] * way[1])
