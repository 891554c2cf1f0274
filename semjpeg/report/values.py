"""Taking values out of a record that anybody may have written: each is of the right kind, or the record is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from config.errors import DamagedRecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MOST: Final = 1 << 63
"""Numbers lie below it: whole ones become 64-bit integers of a table. NaN and the infinities do not."""

_NUMBERS: Final = frozenset({int, float})
_SHOWN: Final = 40
"""How many characters of a wrong value a message shows."""

_Fields = dict[str, Any]
_Value = TypeVar("_Value")


def text(fields: _Fields, name: str) -> str:
    """Take a text."""
    value = _present(fields, name)
    if type(value) is not str:
        _refuse(name, value, "a text")
    return value


def whole(fields: _Fields, name: str) -> int:
    """Take a whole number, nought or more."""
    value = _present(fields, name)
    if type(value) is not int or not 0 <= value < _MOST:
        _refuse(name, value, "a whole number")
    return value


def positive(fields: _Fields, name: str) -> int:
    """Take a whole number above nought."""
    return whole(fields, name) or _refuse(name, 0, "a number above nought")


def numbers(fields: _Fields, names: Iterable[str]) -> list[float | None]:
    """Take numbers; None for each that is missing or null."""
    values: list[Any] = [fields.get(name) for name in names]
    for i, value in enumerate(values):
        if type(value) in _NUMBERS and -_MOST < value < _MOST:
            values[i] = float(value)
        elif value is not None:
            _refuse(list(names)[i], value, "an ordinary number")
    return values


def truth(fields: _Fields, name: str) -> bool:
    """Take true or false."""
    value = _present(fields, name)
    if type(value) is not bool:
        _refuse(name, value, "true or false")
    return value


def table(fields: _Fields, name: str) -> dict[str, Any]:
    """Take an object of further fields."""
    value = _present(fields, name)
    if type(value) is not dict:
        _refuse(name, value, "an object")
    return value


def moment(fields: _Fields, name: str) -> datetime:
    """Take a time in ISO 8601 with its offset, as UTC and whole milliseconds."""
    value = text(fields, name)
    try:
        local = datetime.fromisoformat(value)
        read = local.astimezone(UTC)
    except (ValueError, OverflowError):
        _refuse(name, value, "a time in ISO 8601")
    if local.tzinfo is None:
        _refuse(name, value, "a time with its offset from UTC")
    return read.replace(microsecond=read.microsecond // 1000 * 1000)


def maybe(take: Callable[[_Fields, str], _Value], fields: _Fields, name: str) -> _Value | None:
    """Take what may be missing or null."""
    return None if fields.get(name) is None else take(fields, name)


def _present(fields: _Fields, name: str) -> Any:
    value = fields.get(name)
    if value is None:
        raise DamagedRecordError(f"does not say {name!r}")
    return value


def _refuse(name: str, value: Any, expected: str) -> NoReturn:
    shown = ascii(value)
    short = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    raise DamagedRecordError(f"has {short} as {name!r}, where {expected} belongs")
