"""Who computes: as many pictures at a time as there are cores, while the others are read, written or wait."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cores:
    """Gives out the cores of a process, in the order in which they were asked for. Thread-safe.

    Attributes:
        changed: Is notified whenever a core is taken or becomes free.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.changed = threading.Condition()
        self._free = count
        self._waiting: deque[object] = deque()

    @contextmanager
    def core(self) -> Iterator[None]:
        """Wait for a core; it is free again when the block ends."""
        place = object()
        with self.changed:
            self._waiting.append(place)
            self.changed.wait_for(lambda: self._free > 0 and self._waiting[0] is place)
            self._waiting.popleft()
            self._free -= 1
            self.changed.notify_all()
        try:
            yield
        finally:
            with self.changed:
                self._free += 1
                self.changed.notify_all()

    def are_idle(self) -> bool:
        """Whether a core has nothing to do. Ask while holding `changed`."""
        return self._free > 0 and not self._waiting
