"""Training pictures: folders or tar archives with one folder per class."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from config.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
"""Files that are taken for pictures; others in a data set are passed over."""

MAX_PIXELS = 50_000_000
"""A training picture with more pixels than this is skipped."""


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled picture.

    Attributes:
        name: data set and path within it, for messages.
        label: name of its folder.
        dataset: which of the data sets it came from, counted from 0.
        encoded: the file's bytes.
    """

    name: str
    label: str
    dataset: int
    encoded: bytes


def read_examples(datasets: Sequence[Path], skipped: Callable[[str], None]) -> list[Example]:
    """Read all data sets into memory, still encoded, in the order of their names.

    Args:
        datasets: folders or tar archives, each with one folder per class.
        skipped: is told the name and the reason of each picture that cannot be read.

    Raises:
        ConfigurationError: a data set is missing, is neither folder nor tar, or holds no readable picture.
    """
    if not datasets:
        raise ConfigurationError("data: no data set was given")
    examples = []
    for number, path in enumerate(datasets):
        found = []
        for inner, encoded in sorted(_files(path)):
            reason = _unreadable(encoded)
            if reason:
                skipped(f"{path.name}/{inner}: {reason}")
            else:
                label = PurePosixPath(inner).parent.name
                found.append(Example(f"{path.name}/{inner}", label, number, encoded))
        if not found:
            raise ConfigurationError(f"data set {path}: no readable picture in a class folder")
        examples += found
    return examples


def decode(encoded: bytes) -> NDArray[np.uint8]:
    """Return uint8 `[h, w, 3]` of a picture that `read_examples` has accepted."""
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image.convert("RGB"))


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the path within the data set and the bytes of each file that lies in a class folder."""
    if path.is_dir():
        for file in path.rglob("*"):
            inner = file.relative_to(path).as_posix()
            if "/" in inner and file.suffix.lower() in SUFFIXES and file.is_file():
                yield inner, file.read_bytes()
    elif path.is_file():
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    stream = archive.extractfile(member) if member.isfile() else None
                    name = PurePosixPath(member.name)
                    if stream and len(name.parts) > 1 and name.suffix.lower() in SUFFIXES:
                        yield name.as_posix(), stream.read()
        except tarfile.TarError as error:
            raise ConfigurationError(f"data set {path}: not a readable tar archive ({error})") from error
    else:
        raise ConfigurationError(f"data set {path}: no such folder or tar archive")


def _unreadable(encoded: bytes) -> str | None:
    """Return why a picture cannot be decoded, or None."""
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            if image.width * image.height > MAX_PIXELS:
                return f"{image.width} x {image.height} is more than {MAX_PIXELS} pixels"
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return str(error) or type(error).__name__
    return None
