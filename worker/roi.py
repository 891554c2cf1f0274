"""Step: the importance map. One thread owns the network and takes pictures in micro-batches."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from models import ImportanceModel, Prepared
    from worker.cores import Cores

    Coarse = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    prepared: Prepared
    answer: Future[Coarse] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class MapBatcher:
    """Gathers pictures from many threads into batches for the one that runs the network.

    A batch has pictures on canvases of one shape. It is run when it is full, or when a core has nothing else to do. So
    an idle worker answers at once, and a busy one gathers pictures for as long as that holds nobody up, though never
    longer than `wait_s`.

    Attributes:
        model: The network.
        tell: Is called after each batch with its size and the seconds that it took.
    """

    def __init__(self, model: ImportanceModel, cores: Cores, *, batch_size: int, wait_s: float) -> None:
        """Start the thread.

        Args:
            model: The network.
            cores: Those that pictures are computed on.
            batch_size: Most pictures in a batch.
            wait_s: How long the first of a batch waits at most.
        """
        self.model = model
        self._cores = cores
        self._batch_size = batch_size
        self._wait_s = wait_s
        self.tell: Callable[[int, float], None] = lambda _pictures, _seconds: None
        self._waiting: deque[_Request] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="importance-maps", daemon=True)
        self._thread.start()

    def coarse_map(self, prepared: Prepared) -> Coarse:
        """Return the map of a prepared picture as coarse as the network sees; blocks until its batch is through.

        Returns:
            As of `ImportanceModel.maps`; `models.refine` makes the finished map of it.
        """
        request = _Request(prepared)
        with self._cores.changed:
            self._waiting.append(request)
            self._cores.changed.notify_all()
        return request.answer.result()

    def close(self) -> None:
        """Finish what waits and end the thread."""
        with self._cores.changed:
            self._closed = True
            self._cores.changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next():
            self._answer(batch)

    def _next(self) -> list[_Request]:
        """Wait for a batch; an empty one is the end."""
        changed = self._cores.changed
        with changed:
            while not self._is_due():
                if self._closed:
                    return []
                first = self._waiting[0] if self._waiting else None
                changed.wait(None if first is None else max(0.0, first.since + self._wait_s - time.monotonic()))
            batch = self._gathered()
            self._waiting = deque(request for request in self._waiting if request not in batch)
            return batch

    def _gathered(self) -> list[_Request]:
        """Return those that can go with the first one that waits."""
        shape = self._waiting[0].prepared.canvas.shape
        alike = (request for request in self._waiting if request.prepared.canvas.shape == shape)
        return list(islice(alike, self._batch_size))

    def _is_due(self) -> bool:
        if not self._waiting:
            return False
        return (
            self._closed
            or len(self._gathered()) == self._batch_size
            or self._cores.are_idle()
            or time.monotonic() >= self._waiting[0].since + self._wait_s
        )

    def _answer(self, batch: list[_Request]) -> None:
        began = time.monotonic()
        try:
            maps = self.model.maps([request.prepared for request in batch])
        except BaseException as error:  # noqa: BLE001 - whatever it is, the threads that wait must learn of it
            for request in batch:
                request.answer.set_exception(error)
            return
        self.tell(len(batch), time.monotonic() - began)
        for request, coarse in zip(batch, maps, strict=True):
            request.answer.set_result(coarse)
