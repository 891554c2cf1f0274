"""Numbers, names and codes as a reader wants to see them."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from datetime import datetime

GB_BYTES = 2**30
"""A gigabyte as S3 bills it."""

DASH = "–"
"""Stands where there is no number."""

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_STEP = 1000
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_SMALLEST_SUM = 0.01
_FEW = 10
_LONGEST_TEXT, _LONGEST_REASON = 2000, 400
"""Characters of any text, and of a reason, that are shown: keys have 1024 bytes at most."""

_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Format characters without which words and emoji fall apart, and which turn no text around."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How the values of a measure are written.

    factor: what a value is multiplied by to be shown.
    """

    title: str
    unit: str
    digits: int
    meaning: str
    factor: float = 1.0

    def text(self, value: float | None) -> str:
        """Write a value with its unit."""
        return DASH if value is None else self.number(value) + self.unit

    def number(self, value: float) -> str:
        """Write a value without its unit, with a true minus sign, and nought without any."""
        text = f"{value * self.factor:,.{self.digits}f}"
        return text.removeprefix("-") if not float(text.replace(",", "")) else text.replace("-", "−")


SAVING = Measure("Bytes saved", "%", 1, "Share of its bytes that an image lost.", 100.0)

MEASURES = {
    "psnr_hvs_m": Measure("PSNR-HVS-M", " dB", 1, "What an eye would notice, masking counted in; higher is better."),
    "psnr_s": Measure("PSNR-S", " dB", 1, "PSNR of the fifth of each picture that matters most; higher is better."),
    "psnr": Measure("PSNR", " dB", 1, "Plain signal-to-noise ratio of the whole picture; higher is better."),
    "psnr_hvs": Measure("PSNR-HVS", " dB", 1, "PSNR weighted by what eyes are sensitive to; higher is better."),
    "ssim": Measure("SSIM", "", 3, "Structural similarity; 1 means equal."),
    "ms_ssim": Measure("MS-SSIM", "", 3, "Structural similarity at several scales; 1 means equal."),
    "vifp": Measure("VIFp", "", 3, "Visual information that is kept; 1 means all of it."),
    "ssimulacra2": Measure("SSIMULACRA 2", "", 1, "Perceived quality; 90 is hard to tell from the original."),
}
"""Measures of quality by the name of their column, in the order in which they are offered."""

STAGES = {
    "fetch": "fetch",
    "probe": "probe",
    "decode": "decode",
    "map": "importance map",
    "encode": "encode",
    "verify": "verify",
    "metrics": "metrics",
    "full_metrics": "full metrics",
    "libjpeg": "libjpeg to compare",
}
"""What a worker does with an image, in this order."""

_FAILURES = {
    "not-an-image": "The file is in none of the accepted image formats.",
    "damaged-image": "The file ends early or contradicts itself.",
    "unsupported-image": "A sound image that one JPEG cannot show, such as an animation.",
    "too-large": "A limit on bytes or pixels was exceeded.",
    "object-missing": "The object was gone when its turn came.",
    "object-changed": "The object was overwritten after it was queued.",
    "forbidden": "Not readable or writable with the worker's credentials and settings.",
    "storage-unavailable": "The object store could not be reached, after all retries.",
    "broker-unavailable": "The broker could not be reached, after all retries.",
    "job-in-flight": "Another worker held the same job, after all retries.",
    "deadline-exceeded": "One image took longer than the deadline allows.",
    "verification": "A defect of semjpeg: the result was not the picture. Please report it, with the file.",
    "encoding": "The encoder could not do what the recipe asks for.",
    "overtaken": "Other workers wrote results of the same source again and again, through all retries.",
    "worker-lost": "Three workers died while they worked on it, most likely for want of memory.",
    "key-too-long": "The result's key would be longer than an object store takes.",
    "output-taken": "An object that semjpeg did not make stands where the result should go; it was left alone.",
    "model": "The network's weights are missing, damaged or made for another architecture.",
    "configuration": "A setting or a recipe is malformed.",
    "invalid-message": "The task did not have the agreed form.",
    "damaged-record": "A record that was needed could not be read.",
    "others": "Rarer reasons, taken together.",
}


def failure_meaning(code: str) -> str:
    """Say in a sentence what a failure's code means."""
    return _FAILURES.get(code, "An error that has no word of its own; the reasons say more.")


def size(count: float) -> str:
    """Write a number of bytes in the largest unit of which there is one: 1 kB is 1000 bytes."""
    magnitude, unit = abs(float(count)), 0
    while magnitude >= _STEP and unit < len(_UNITS) - 1:
        magnitude, unit = magnitude / _STEP, unit + 1
    digits = 0 if unit == 0 else 2 if magnitude < _FEW else 1
    name = "byte" if (unit, magnitude) == (0, 1) else _UNITS[unit]
    return f"{'−' if count < 0 else ''}{magnitude:,.{digits}f} {name}"


def money(amount: float, currency: str) -> str:
    """Write a sum: signs such as $ go before it, words such as EUR behind."""
    if 0 < abs(amount) < _SMALLEST_SUM:
        return ("under " if amount > 0 else "above −") + money(_SMALLEST_SUM, currency)
    text = _with_currency(f"{abs(amount):,.2f}", currency)
    return f"−{text}" if amount < 0 else text


def unit_price(price: float, currency: str) -> str:
    """Write a price with all its digits."""
    return _with_currency(f"{price:.10g}", currency)


def duration(seconds: float | None) -> str:
    """Write a time span in the two largest units that tell something."""
    if seconds is None:
        return DASH
    if seconds < _MINUTE_S:
        return f"{seconds:.2f} s" if seconds < _FEW else f"{seconds:.0f} s"
    whole = round(seconds)
    for unit_s, unit, next_s, following in ((_DAY_S, "d", _HOUR_S, "h"), (_HOUR_S, "h", _MINUTE_S, "min")):
        if whole >= unit_s:
            return f"{whole // unit_s:,} {unit} {whole % unit_s // next_s} {following}"
    return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"


def period(first: datetime, last: datetime) -> str:
    """Write from when to when, in UTC, and the day once where it is one."""
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    start, end = f"{first.day} {first:%B %Y, %H:%M}", f"{last.day} {last:%B %Y, %H:%M}"
    if start == end:
        return f"{start} UTC"
    return f"{start} – {f'{last:%H:%M}' if first.date() == last.date() else end} UTC"


def visible(text: str) -> str:
    """Replace what cannot be seen, turns text around or is no character by something that can be seen."""
    return "".join(map(_seen, _cut(text, _LONGEST_TEXT)))


def name(text: str) -> Markup:
    """Return a key as markup: safe, visible, and without effect on the text around it."""
    return Markup('<bdi class="key">{}</bdi>').format(visible(text))


def reason(text: str) -> Markup:
    """Return a reason as markup: safe, visible, and not longer than a few lines."""
    return Markup("<bdi>{}</bdi>").format(visible(_cut(text, _LONGEST_REASON)))


def _with_currency(digits: str, currency: str) -> str:
    return f"{digits} {currency}" if currency.isalpha() and len(currency) > 1 else f"{currency}{digits}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def _seen(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return "\N{REPLACEMENT CHARACTER}"
    if category in {"Cc", "Cf", "Zl", "Zp"} and character not in _JOINERS:
        return f"⟨U+{ord(character):04X}⟩"
    return character
