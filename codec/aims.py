"""What the encoder may be told to be best at, where two metrics disagree."""

from __future__ import annotations

from typing import Final, Literal, get_args

Aim = Literal["balanced", "hvs", "ssimulacra2", "psnr"]
"""The metric that decides: none alone ("balanced": none is bought with another), PSNR-HVS-M, SSIMULACRA2 or PSNR."""

AIMS: Final[tuple[Aim, ...]] = get_args(Aim)
DEFAULT_AIM: Final[Aim] = "balanced"
