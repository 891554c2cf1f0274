"""What is known of one picture: the file that each encoder made of it, and how good it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

JPEG: Final = "jpeg"
OUR: Final = "our"
OUR_PSNR: Final = "our_aim_psnr"
MOSAIC: Final = "mosaic"
MOSAIC_PROGRAM: Final = "mosaic_program"
MOZJPEG: Final = "mozjpeg"
JPEGLI: Final = "jpegli"

TITLES: Final = {
    JPEG: "libjpeg",
    MOSAIC: "mosaic (paper)",
    MOSAIC_PROGRAM: "mosaic (program)",
    OUR: "semjpeg",
    OUR_PSNR: "semjpeg, aim psnr",
    MOZJPEG: "mozjpeg",
    JPEGLI: "jpegli",
}
"""Every encoder, by the beginning of its columns, and its name in print."""

COLUMNS: Final = {
    "psnr_s": "psnrs",
    "psnr": "psnr",
    "ssim": "ssim",
    "ms_ssim": "msssim",
    "vifp": "vifp",
    "psnr_hvs": "psnrhvs",
    "psnr_hvs_m": "psnrhvsm",
    "ssimulacra2": "ssimulacra2",
}
"""Every measure and the end of its columns."""

LOGGED: Final = ("psnr", "ssim", "ms_ssim", "vifp", "psnr_hvs", "psnr_hvs_m")
"""The measures of the authors' log, in its order."""

TOLERANCE: Final = 0.01
"""Share by which files at "equal" bytes may differ."""


@dataclass(frozen=True, slots=True)
class File:
    """One encoder's file.

    quality: on the encoder's own scale; of ours, libjpeg's with the same PSNR-HVS-M. None where nothing tells.
    measures: by the names in `COLUMNS`.
    """

    size_bytes: int
    quality: float | None
    measures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture.

    filename: as it was found, or as a log has it.
    category: the folder that it lies in; empty where it lies in none.
    model_number: the rule that mixed its mosaic, as the authors number them.
    png_size: bytes of a PNG of its pixels.
    size_px: width and height; None where a log does not tell.
    files: by encoder; `JPEG` is always there.
    """

    filename: str
    category: str
    model_number: int
    png_size: int
    size_px: tuple[int, int] | None
    files: Mapping[str, File]

    def excess(self, encoder: str) -> float:
        """By which share an encoder's file is larger than libjpeg's."""
        return self.files[encoder].size_bytes / self.files[JPEG].size_bytes - 1

    def named(self, filename: str, category: str) -> Entry:
        """Return the same under another name."""
        return replace(self, filename=filename, category=category)


@dataclass(frozen=True, slots=True)
class Point:
    """One file of a rate–distortion curve.

    quality: libjpeg's, whose bytes the file takes.
    measures: those that are quickly made, by the names in `COLUMNS`.
    """

    encoder: str
    quality: int
    size_bytes: int
    measures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Saving:
    """What is saved where `quality` promises libjpeg's quality: bytes of libjpeg's plain file and of ours."""

    quality: int
    jpeg_bytes: int
    our_bytes: int

    @property
    def percent(self) -> float:
        """Share of libjpeg's bytes that are saved, in percent."""
        return 100 * (1 - self.our_bytes / self.jpeg_bytes)


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that was measured on one picture."""

    entry: Entry
    points: tuple[Point, ...]
    savings: tuple[Saving, ...]
