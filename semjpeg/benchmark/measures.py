"""How good a file is: every measure of it, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

import codec
from codec import hvsm, reference, similarity
from codec.transform import luma_plane
from codec.weights import grid_importance

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

TITLES: Final = {
    "psnr_s": "PSNR-S",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "vifp": "VIFp",
    "psnr_hvs": "PSNR-HVS",
    "psnr_hvs_m": "PSNR-HVS-M",
    "psnr_hvs_m_ellipse": "PSNR-HVS-M in the ellipse",
    "psnr_hvs_m_mask": "PSNR-HVS-M in the mask",
    "ssimulacra2": "SSIMULACRA2",
}
"""Every measure and its name in print. All grow with quality."""

DECIBELS: Final = frozenset(name for name in TITLES if name.startswith("psnr"))

SLOW: Final = frozenset({"ms_ssim", "vifp", "ssimulacra2"})
"""Measures that take most of a second each and are made only where they are asked for."""

_BLOCK: Final = 8
_REGION: Final = 0.5
"""Importance from which on a block belongs to a map's region."""


class Judge:
    """Measures files against one picture; what can be prepared of the picture is prepared once.

    Files are decoded by Pillow. The measures are those of `codec.measure` and `codec.measure_full`.

    Args:
        pixels: The picture, RGB `uint8[h,w,3]`, sides of 64 pixels or more.
        salient: Map `float[h',w']` in 0..1 that PSNR-S looks at.
        regions: Maps by name; `psnr_hvs_m_NAME` is the PSNR-HVS-M over the blocks whose importance is ½ or more. Where
            no block reaches ½, those of the highest importance count.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        salient: NDArray[np.floating[Any]],
        regions: Mapping[str, NDArray[np.floating[Any]]],
    ) -> None:
        self._pixels = pixels
        self._luma = reference.luma(pixels)
        self._salient = salient
        self._blocks = self._coefficients(self._luma)
        height, width = pixels.shape[:2]
        grid = (height // _BLOCK, width // _BLOCK)
        importance = {name: grid_importance(map_, grid, _BLOCK, (height, width)) for name, map_ in regions.items()}
        self._regions = {name: values >= min(_REGION, values.max()) for name, values in importance.items()}

    def judge(self, jpeg: bytes, slow: Collection[str] = ()) -> dict[str, float]:
        """Measure a file.

        Args:
            jpeg: The file.
            slow: Which of `SLOW` to add.

        Returns:
            Values by measure.
        """
        decoded = np.asarray(Image.fromarray(reference.decode(jpeg)).convert("RGB"))
        luma = reference.luma(decoded)
        whole = codec.measure(self._pixels, decoded, self._salient)
        values = {
            "psnr": whole.psnr,
            "psnr_s": whole.psnr_s or 0.0,
            "ssim": similarity.ssim(self._luma, luma),
            "psnr_hvs": whole.psnr_hvs,
            "psnr_hvs_m": whole.psnr_hvs_m,
        }
        errors = hvsm.block_errors(self._blocks, self._coefficients(luma))[1]
        for name, region in self._regions.items():
            values[f"psnr_hvs_m_{name}"] = hvsm.decibels(float(errors[region].mean(dtype=np.float64)))
        if "ssimulacra2" in slow:
            values["ssimulacra2"] = similarity.ssimulacra2(self._pixels, decoded)
        if "ms_ssim" in slow:
            values["ms_ssim"] = similarity.ms_ssim(self._luma, luma)
        if "vifp" in slow:
            values["vifp"] = similarity.vifp(self._luma, luma)
        return values

    @staticmethod
    def _coefficients(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the coefficients of the whole blocks."""
        height, width = (side // _BLOCK * _BLOCK for side in luma.shape)
        return luma_plane(luma[:height, :width]).coefficients
