"""What is encoded, and how: every file that a row of the table or a curve needs, once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from codec import DEFAULT_AIM, DEFAULT_METHOD, DEFAULT_STRENGTH, Aim, MatchJpeg, Method, Mosaic, Quality, Rate
from semjpeg.benchmark.encoders import ENCODERS
from semjpeg.benchmark.measures import SLOW

OURS: Final = "semjpeg"
LIBJPEG: Final = "libjpeg-turbo"
PROGRESSIVE: Final = "libjpeg-turbo progressive"
MOZJPEG: Final = "mozjpeg"
JPEGLI: Final = "jpegli"

QUALITIES: Final = (30, 40, 50, 60, 70, 80, 90)
"""Points of a curve, on libjpeg's scale."""

SAME_NUMBER: Final = (50, 75, 90)
"""Qualities at which bytes are compared at the same number."""

_BEYOND: Final = (10, 5)
"""How far below and above ours the curves of the others reach, on libjpeg's scale.

Files that PSNR-HVS-M finds equal differ to SSIMULACRA2: curves of the same ends would overlap in part only.
"""

MASK_STRENGTH: Final = 0.9
"""Strength with a true mask, which can be trusted. At 1 the mask gains 2 % more and the whole picture loses 1 %."""

EQUAL_QUALITY: Final = 50
"""libjpeg's quality whose bytes the files at equal size take."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to encode a picture.

    encoder: `OURS` or a name of `encoders.ENCODERS`.
    rate: for another encoder always a `Quality`, on its own scale.
    map: `none`, `ellipse`, `mask` or `network`; the others know no maps.
    aim, method, strength: as `codec.encode` takes them; the others do not look at them.
    """

    encoder: str
    rate: Rate
    map: str = "none"
    aim: Aim = DEFAULT_AIM
    method: Method | Mosaic = DEFAULT_METHOD
    strength: float = DEFAULT_STRENGTH

    @property
    def rate_name(self) -> str:
        """The rate in words: `quality 75`, `bytes of libjpeg at 50`."""
        if isinstance(self.rate, Quality):
            return f"quality {self.rate.quality}"
        if isinstance(self.rate, MatchJpeg):
            return f"bytes of libjpeg at {self.rate.quality}"
        return f"{self.rate.size_bytes} bytes"


def ours(rate: Rate, map_name: str = "none", aim: Aim = "balanced") -> Setting:
    """Return a setting of our encoder."""
    return Setting(OURS, rate, map_name, aim, strength=MASK_STRENGTH if map_name == "mask" else DEFAULT_STRENGTH)


def reference(encoder: str, quality: int) -> Setting:
    """Return the setting of another encoder whose quality is like libjpeg's at `quality`."""
    return Setting(encoder, Quality(ENCODERS[encoder].quality(quality)))


_AUTHORS: Final = Mosaic(levels=9, low=20, high=100, mixing="median-narrow")
"""What the program of the mosaic's authors does unless told otherwise."""

EQUAL_BYTES: Final = {
    "libjpeg": reference(LIBJPEG, EQUAL_QUALITY),
    "network's map, psnr": ours(MatchJpeg(EQUAL_QUALITY), "network", "psnr"),
    "network's map, balanced": ours(MatchJpeg(EQUAL_QUALITY), "network"),
    "no map, balanced": ours(MatchJpeg(EQUAL_QUALITY)),
    "network's map, mosaic": replace(ours(MatchJpeg(EQUAL_QUALITY), "network"), method="mosaic"),
    "network's map, authors' mosaic": replace(ours(MatchJpeg(EQUAL_QUALITY), "network"), method=_AUTHORS),
}
"""The files at the bytes of libjpeg, by what they are called; the first is what the others are compared with."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured on each picture.

    qualities: points of a curve, on libjpeg's scale, rising.
    masks: whether each picture has a mask.
    """

    qualities: tuple[int, ...] = QUALITIES
    masks: bool = False

    def curve(self, encoder: str, map_name: str = "none", aim: Aim = "balanced") -> list[Setting]:
        """List the settings along one encoder's curve; only ours takes a map and an aim."""
        if encoder == OURS:
            return [ours(Quality(quality), map_name, aim) for quality in self.qualities]
        low, high = max(self.qualities[0] - _BEYOND[0], 1), min(self.qualities[-1] + _BEYOND[1], 100)
        return list(dict.fromkeys(reference(encoder, quality) for quality in (low, *self.qualities, high)))

    def curves(self, map_name: str) -> dict[str, list[Setting]]:
        """Return the curves that are compared for a kind of map, by their names."""
        theirs = {encoder: self.curve(encoder) for encoder in (LIBJPEG, MOZJPEG, JPEGLI)}
        if map_name != "none":
            return {**theirs, f"{OURS}, hvs": self.curve(OURS, map_name, "hvs")}
        aims: tuple[Aim, ...] = ("balanced", "hvs")
        return {**theirs, **{f"{OURS}, {aim}": self.curve(OURS, aim=aim) for aim in aims}}

    @property
    def maps(self) -> tuple[str, ...]:
        """Kinds of map that have curves."""
        return ("none", "ellipse", "mask") if self.masks else ("none", "ellipse")

    def settings(self) -> dict[Setting, frozenset[str]]:
        """Return every file to make, once, and which of the slow measures it needs."""
        needs: dict[Setting, frozenset[str]] = {}

        def add(settings: list[Setting], *slow: str) -> None:
            for setting in settings:
                needs[setting] = needs.get(setting, frozenset()) | SLOW.intersection(slow)

        for map_name in self.maps:
            for curve in self.curves(map_name).values():
                add(curve, *(["ssimulacra2"] if map_name == "none" else []))
        add(list(EQUAL_BYTES.values()), "ms_ssim", "vifp")
        for quality in SAME_NUMBER:
            add([ours(Quality(quality)), reference(PROGRESSIVE, quality)])
        return needs
