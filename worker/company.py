"""Which attempts of a process may run side by side: all of them, but for those that have to be alone."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Seat:
    """The place of one attempt among the others of its process."""

    def __init__(self, company: Company, *, alone: bool) -> None:
        self._company = company
        self.alone = alone
        self.taken = False

    def take(self) -> None:
        """Wait for one's turn."""
        self._company.seat(self)


class Company:
    """Lets attempts in, in the order in which they came.

    One that has to be alone waits until no other runs, and nothing that came after it begins before it has ended. As
    nobody is overtaken, nobody waits for ever.
    """

    def __init__(self) -> None:
        self._waiting: deque[Seat] = deque()
        self._running = 0
        self._someone_alone = False
        self._changed = threading.Condition()

    @contextmanager
    def joined(self, *, alone: bool) -> Iterator[Seat]:
        """Yield a seat, which is to be taken; it is free again when the block ends."""
        seat = Seat(self, alone=alone)
        try:
            yield seat
        finally:
            with self._changed:
                self._running -= seat.taken
                self._someone_alone &= not (seat.taken and alone)
                self._changed.notify_all()

    def seat(self, seat: Seat) -> None:
        """See `Seat.take`."""
        with self._changed:
            self._waiting.append(seat)
            self._changed.wait_for(lambda: self._waiting[0] is seat and self._may_sit(seat))
            self._waiting.popleft()
            self._running += 1
            self._someone_alone = seat.alone
            seat.taken = True
            self._changed.notify_all()

    def _may_sit(self, seat: Seat) -> bool:
        return not self._someone_alone and not (seat.alone and self._running)
