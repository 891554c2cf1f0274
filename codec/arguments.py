"""Checks of what callers hand in; each message names the argument."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

LARGEST_SIDE: Final = 65_500
"""Most pixels per side that libjpeg, and with it nearly any decoder, opens."""

_COLOUR_AXES: Final = 3
_GREY_AXES: Final = 2


def check_pixels(name: str, pixels: object) -> None:
    """Raise unless `pixels` is `uint8[h,w,3]` or `uint8[h,w]` with sides of 1 to `LARGEST_SIDE`."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
        raise TypeError(f"{name} must be an array of uint8, not {_kind(pixels)}")
    colour = pixels.ndim == _COLOUR_AXES and pixels.shape[2] == 3  # noqa: PLR2004  red, green, blue
    if not (colour or pixels.ndim == _GREY_AXES):
        raise ValueError(f"{name} must have the shape [h,w,3] or [h,w], not {list(pixels.shape)}")
    if not all(1 <= side <= LARGEST_SIDE for side in pixels.shape[:2]):
        raise ValueError(f"{name} must have sides of 1 to {LARGEST_SIDE} pixels, not {list(pixels.shape[:2])}")


def check_importance(importance: object) -> None:
    """Raise unless `importance` is `float[h',w']`, not empty, in 0..1."""
    if not isinstance(importance, np.ndarray) or not np.issubdtype(importance.dtype, np.floating):
        raise TypeError(f"importance must be an array of floats, not {_kind(importance)}")
    if importance.ndim != _GREY_AXES or importance.size == 0:
        raise ValueError(f"importance must have the shape [h,w] and no side of 0, not {list(importance.shape)}")
    if not (importance.min() >= 0 and importance.max() <= 1):
        raise ValueError("importance must lie within 0..1 and hold no NaN")


def check_strength(strength: object) -> None:
    """Raise unless `strength` is a number in 0..1."""
    if isinstance(strength, bool) or not isinstance(strength, int | float | np.integer | np.floating):
        raise TypeError(f"strength must be a number, not {type(strength).__name__}")
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must lie within 0..1, not {strength}")


def check_whole(name: str, value: object, lowest: int, highest: int | None) -> None:
    """Raise unless `value` is an int in `lowest`..`highest`; None is no upper bound."""
    if type(value) is not int:
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < lowest or (highest is not None and value > highest):
        bounds = f"within {lowest}..{highest}" if highest is not None else f"at least {lowest}"
        raise ValueError(f"{name} must be {bounds}, not {value}")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise unless `value` is one of `choices`."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def check_segment(name: str, value: object, limit: int) -> None:
    """Raise unless `value` is None or 1 to `limit` bytes."""
    if value is None:
        return
    if not isinstance(value, bytes):
        raise TypeError(f"{name} must be bytes or None, not {type(value).__name__}")
    if not 1 <= len(value) <= limit:
        raise ValueError(f"{name} must have 1 to {limit} bytes, not {len(value)}")


def _kind(value: Any) -> str:
    return str(value.dtype) if isinstance(value, np.ndarray) else type(value).__name__
