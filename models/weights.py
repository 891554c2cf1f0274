"""Weights files and the records beside them, which hold their hashes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

SHIPPED = Path(__file__).with_name("weights") / "msroi.keras"
"""The weights that semjpeg ships with."""


def record_path(weights: Path) -> Path:
    """Return where the record of a weights file lies."""
    return weights.with_suffix(".json")


def write_record(weights: Path, facts: Mapping[str, Any]) -> str:
    """Write the record of a weights file: its SHA-256 and what else is worth keeping. Returns the hash."""
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    record = {"file": weights.name, "sha256": sha256, **facts}
    text = json.dumps(record, indent=1, ensure_ascii=False)
    record_path(weights).write_text(text + "\n", encoding="utf-8")
    return sha256


def verify(weights: Path) -> str:
    """Return the SHA-256 of a weights file, after comparing it with the record beside it, if there is one.

    Raises:
        ModelError: the file is missing or is not the recorded one; the message names file and expected hash.
    """
    expected = _expected(weights)
    wanted = f"expected SHA-256 {expected}" if expected else "no record of its hash beside it"
    try:
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"weights {weights}: cannot be read ({error.strerror}); {wanted}") from error
    if expected and found != expected:
        raise ModelError(f"weights {weights}: SHA-256 is {found}; {wanted}")
    return found


def _expected(weights: Path) -> str | None:
    """Return the recorded hash, or None without a record."""
    path = record_path(weights)
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"weights {weights}: its record {path} is damaged ({error!r})") from error
