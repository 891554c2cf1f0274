"""Results that are kept from run to run: one that was broken off goes on where it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from semjpeg.comparison.entry import Entry, File, Point, Result, Saving
from semjpeg.files import write_file

if TYPE_CHECKING:
    from semjpeg.comparison.measure import Plan

_PACKAGES: Final = (
    "pillow",
    "numpy",
    "scipy",
    "jpeglib",
    "pyjpegli",
    "mozjpeg-lossless-optimization",
    "ssimulacra2",
)
"""What else decides about the figures."""

_SOURCES: Final = ("codec", "models", "semjpeg/benchmark", "semjpeg/comparison")
"""Our own code that does."""


def key(content: bytes, plan: Plan, weights_hash: str) -> str:
    """Return a name for the result of a picture: another content, plan, network or program gives another.

    Args:
        content: The picture's file.
        plan: What is made of it.
        weights_hash: SHA-256 of the network's file.
    """
    digest = hashlib.sha256(json.dumps([asdict(plan), _versions(), _program(), weights_hash]).encode())
    digest.update(content)
    return digest.hexdigest()


def keep(path: Path, result: Result) -> None:
    """Write a result, whole or not at all.

    Raises:
        ForbiddenError: It cannot be written.
    """
    write_file(path, json.dumps(asdict(result)).encode())


def find(path: Path) -> Result | None:
    """Read a result that was kept; None where there is none that can be read."""
    try:
        return _result(json.loads(path.read_bytes()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _result(kept: dict[str, Any]) -> Result:
    entry = kept["entry"]
    files = {name: File(**file) for name, file in entry.pop("files").items()}
    width, height = entry.pop("size_px")
    return Result(
        Entry(**entry, files=files, size_px=(width, height)),
        tuple(Point(**point) for point in kept["points"]),
        tuple(Saving(**saving) for saving in kept["savings"]),
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


@cache
def _program() -> str:
    """Hash the code that makes the figures."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted((root / folder).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
