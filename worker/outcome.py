"""What became of a job."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a job ended."""

    DONE = "done"
    """A result was written."""

    UNCHANGED = "unchanged"
    """The result of the same job was there already."""

    FAILED = "failed"
    """There is no result, and a record says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a job, as counters and logs want it. Byte counts are nought where nothing was written.

    `libjpeg_bytes` is nought, too, where the recipe names bytes and no quality of libjpeg's.
    """

    status: Status
    bytes_in: int = 0
    bytes_out: int = 0
    libjpeg_bytes: int = 0
    pixels: int = 0
