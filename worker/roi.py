"""Step: the importance map. One thread owns the network and takes pictures in micro-batches."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from models import prepare, refine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models import ImportanceModel, Prepared


class MapBatcher:
    """Gathers pictures from many threads into batches for the one that runs the network.

    The first picture of a batch waits at most `wait_s` seconds for others, so an idle worker answers at once.
    """

    def __init__(self, model: ImportanceModel, *, batch_size: int, wait_s: float) -> None:
        self.model = model
        self._batch_size = batch_size
        self._wait_s = wait_s
        self._waiting: queue.SimpleQueue[tuple[Prepared, Future[NDArray[np.float32]]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="importance-maps", daemon=True)
        self._thread.start()

    def map_of(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the importance map of a picture; blocks until its batch is through.

        Args:
            pixels: uint8 `[h, w, 3]` or `[h, w]`.

        Returns:
            float32 `[h', w']` in 0..1, much smaller than the picture and of its aspect ratio.
        """
        answer: Future[NDArray[np.float32]] = Future()
        prepared = prepare(pixels)
        self._waiting.put((prepared, answer))
        return refine(prepared, answer.result())

    def close(self) -> None:
        """Finish what waits and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            first = self._waiting.get()
            if first is None:
                return
            batch = [first]
            until = time.monotonic() + self._wait_s
            while len(batch) < self._batch_size:
                try:
                    following = self._waiting.get(timeout=max(0.0, until - time.monotonic()))
                except queue.Empty:
                    break
                if following is None:
                    open_ = False
                    break
                batch.append(following)
            self._answer(batch)

    def _answer(self, batch: list[tuple[Prepared, Future[NDArray[np.float32]]]]) -> None:
        try:
            maps = self.model.maps([prepared for prepared, _ in batch])
        except BaseException as error:  # noqa: BLE001 - whatever it is, the threads that wait must learn of it
            for _, answer in batch:
                answer.set_exception(error)
            return
        for (_, answer), importance in zip(batch, maps, strict=True):
            answer.set_result(importance)
