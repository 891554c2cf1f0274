"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Status(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """semjpeg works, though not as it should, or something could not be looked at."""

    FAILED = "failed"
    """semjpeg cannot work like that, or loses something."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        name: What was looked at, in a word or two.
        status: How bad it is.
        message: What was found.
        mend: One sentence that says what to do about it; empty where nothing has to be done.
        check: The check that found it.
    """

    name: str
    status: Status
    message: str
    mend: str = ""
    check: str = ""

    @classmethod
    def ok(cls, name: str, message: str) -> Self:
        """Make one that says that something is in order."""
        return cls(name, Status.OK, message)

    @classmethod
    def warning(cls, name: str, message: str, mend: str) -> Self:
        """Make one that says that something should be otherwise."""
        return cls(name, Status.WARNING, message, mend)

    @classmethod
    def failed(cls, name: str, message: str, mend: str) -> Self:
        """Make one that says that something has to be otherwise."""
        return cls(name, Status.FAILED, message, mend)

    @classmethod
    def judged(cls, name: str, message: str, mend: str, *, good: bool) -> Self:
        """Make one that is in order where `good`, and else a warning."""
        return cls.ok(name, message) if good else cls.warning(name, message, mend)


class BrokenOffError(Exception):
    """A check found something after which it makes no sense to look any further."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding
