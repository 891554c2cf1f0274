"""Seconds per stage, and the deadline that holds between stages."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from config.errors import DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stages:
    """Times the stages of one image and ends it when its time is up.

    A thread cannot be interrupted from outside, so the deadline is looked at before every stage.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._start = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage.

        Raises:
            DeadlineExceededError: The image's time was up before this stage began.
        """
        begin = time.monotonic()
        if begin - self._start > self._deadline_s:
            raise DeadlineExceededError(
                f"took {begin - self._start:.1f} s before the stage {name!r}, more than {self._deadline_s:g} s"
            )
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begin

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time what the image waits for, as the stage `waiting`; neither the deadline nor the total counts it."""
        begin = time.monotonic()
        try:
            yield
        finally:
            waited = time.monotonic() - begin
            self._start += waited
            self.seconds["waiting"] = self.seconds.get("waiting", 0.0) + waited

    @property
    def elapsed_s(self) -> float:
        """Seconds since this object was made, less those of waiting."""
        return time.monotonic() - self._start
