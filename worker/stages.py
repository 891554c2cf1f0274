"""Seconds per stage, and the deadline that holds between stages."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from config.errors import DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from worker.cores import Cores


class Stages:
    """Times the stages of one image and ends it when its time is up.

    A thread cannot be interrupted from outside, so the deadline is looked at before every stage.
    """

    def __init__(
        self, deadline_s: float, tell: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()
    ) -> None:
        """Begin.

        Args:
            deadline_s: How long the image may take, without what it waits for.
            tell: Gives a context for each stage by its name, in which the stage runs.
        """
        self._deadline_s = deadline_s
        self._tell = tell
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
            with self._tell(name):
                yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begin

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time what the image waits for, as the stage `waiting`; neither the deadline nor the total counts it."""
        begin = time.monotonic()
        try:
            with self._tell("waiting"):
                yield
        finally:
            waited = time.monotonic() - begin
            self._start += waited
            self.seconds["waiting"] = self.seconds.get("waiting", 0.0) + waited

    @contextmanager
    def core(self, cores: Cores) -> Iterator[None]:
        """Hold a core; what it is waited for counts as waiting."""
        with ExitStack() as held:
            with self.waiting():
                held.enter_context(cores.core())
            yield

    @property
    def elapsed_s(self) -> float:
        """Seconds since this object was made, less those of waiting."""
        return time.monotonic() - self._start
