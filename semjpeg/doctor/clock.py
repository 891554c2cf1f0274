"""How far this machine's clock is from another's."""

from __future__ import annotations

from typing import Final

from semjpeg.doctor.finding import Finding

_WORTH_A_WORD_S: Final = 60
_REFUSED_S: Final = 900
"""S3 refuses requests that were signed longer ago, or in the future by as much."""
_MEND: Final = "Have this machine's clock set by NTP: timedatectl set-ntp true."


def compared(ours_s: float, theirs_s: float) -> Finding:
    """Judge two clocks that were read at the same moment, in seconds since 1970."""
    skew_s = ours_s - theirs_s
    message = f"this machine is {abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}"
    if abs(skew_s) >= _REFUSED_S:
        return Finding.failed("clock", f"{message}: S3 refuses such signatures", _MEND)
    return Finding.judged("clock", message, _MEND, good=abs(skew_s) < _WORTH_A_WORD_S)
