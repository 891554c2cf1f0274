"""What a reader of the figures has to know about how they were made."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from semjpeg.benchmark.encoders import MOZJPEG_VERSION
from semjpeg.comparison.entry import JPEG, JPEGLI, MOSAIC, MOSAIC_PROGRAM, MOZJPEG, OUR, OUR_PSNR, TITLES, TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semjpeg.comparison.entry import Entry
    from semjpeg.comparison.measure import Plan

_NOTES: Final = {
    JPEG: "what Pillow saves when nothing but the quality is given: baseline, 4:2:0, standard Huffman codes.",
    MOSAIC: "the method of Prakash et al. with the options of the paper: 5 levels, qualities 30 to 70, mixed linearly.",
    MOSAIC_PROGRAM: "the same with those of its authors' program: 9 levels, qualities 20 to 100, rule 6.",
    OUR: "this project's encoder with its defaults.",
    OUR_PSNR: "the same encoder told to care for PSNR alone.",
    MOZJPEG: f"{MOZJPEG_VERSION} of jpeglib with its defaults, and its tables scaled between two whole qualities where "
    "none of these is within 1 %.",
    JPEGLI: "pyjpegli, whose qualities are whole; its scans went through the scan optimiser, as mozjpeg's do.",
}

_PACKAGES: Final = {
    "pillow": None, "ssimulacra2": None, "mozjpeg-lossless-optimization": JPEGLI, "jpeglib": MOZJPEG,
    "pyjpegli": JPEGLI,
}  # fmt: skip
"""What the figures depend on; those with an encoder only where it is compared."""


def notes(entries: Sequence[Entry], plan: Plan) -> list[str]:
    """Say what each encoder is, whose sizes are off, and what everything was made with."""
    found = [f"{TITLES[encoder]}: {_NOTES[encoder]}" for encoder in plan.encoders]
    found.append(
        "Mosaic and semjpeg have the network's importance map, and PSNR-S looks at the fifth of the picture that this "
        "map ranks highest: the paper's PSNR-S looks at what its own network marks, so that only differences compare."
    )
    for encoder in plan.encoders:
        off = [entry for entry in entries if abs(entry.excess(encoder)) > TOLERANCE]
        if off:
            worst = max(off, key=lambda entry: abs(entry.excess(encoder)))
            share = f"{100 * worst.excess(encoder):+.1f} %".replace("-", "−")
            files = f"{len(off)} file{'' if len(off) == 1 else 's'}"
            found.append(
                f"{TITLES[encoder]} is off by more than 1 % in {files}, most of all {worst.filename}: {share}."
            )
    packages = [name for name, encoder in _PACKAGES.items() if encoder is None or encoder in plan.encoders]
    made_with = ", ".join(f"{name} {version(name)}" for name in packages)
    return [*found, f"Made with semjpeg {version('semjpeg')}, {made_with}."]
