"""Reading and writing files on this machine."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from config.errors import (
    ConfigurationError,
    ForbiddenError,
    NotAnImageError,
    ObjectMissingError,
    SemjpegError,
    TooLargeError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


def read_file(path: Path, max_bytes: int) -> bytes:
    """Read a file.

    Raises:
        ObjectMissingError: There is none.
        NotAnImageError: It is a folder or a device.
        ForbiddenError: It may not be read.
        TooLargeError: It is longer than `max_bytes`.
    """
    try:
        if path.exists() and not path.is_file():
            raise NotAnImageError("is no file")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise ObjectMissingError("does not exist") from error
    except OSError as error:
        raise ForbiddenError(f"cannot be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise TooLargeError(f"has more than the limit of {max_bytes} bytes")
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; folders are made as needed.

    Raises:
        ForbiddenError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".semjpeg-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ForbiddenError(f"cannot write {path}: {error.strerror}") from error


def prepare_folder(path: Path) -> None:
    """See that results can be written into a folder before the work begins; it is made as needed.

    Raises:
        ConfigurationError: They cannot; the message names the folder.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be made: {error.strerror}") from error
    if not os.access(path, os.W_OK):
        raise ConfigurationError(f"{path} cannot be written to")


def refuse_collisions(targets: Iterable[tuple[Path, Path]]) -> None:
    """See that no output overwrites an input or another output.

    Args:
        targets: Pairs of input and output.

    Raises:
        SemjpegError: Two would be one file; the message names them.
    """
    pairs = list(targets)
    inputs = {source.resolve() for source, _ in pairs}
    taken: dict[Path, Path] = {}
    for source, target in pairs:
        place = target.resolve()
        if place in inputs:
            raise SemjpegError(f"{target} is one of the images: it would be overwritten; give another -o")
        if place in taken and taken[place].resolve() != source.resolve():
            raise SemjpegError(f"{taken[place]} and {source} would both become {target}")
        taken[place] = source


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
