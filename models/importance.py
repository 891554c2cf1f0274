"""Importance maps for pictures: the network loaded, checked and fed in batches."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from config.errors import ModelError
from models import backend
from models.prepared import CANVASES, STRIDE_PX, Prepared, blank, prepare
from models.refinement import refine
from models.weights import SHIPPED, verify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

BATCH_SIZES = (1, 2, 4, 8, 16)
"""The only batch sizes the network ever sees; a batch is filled up to the next one, so that each is compiled once."""


def load(path: Path | None = None, threads: int = 0) -> ImportanceModel:
    """Load a network. Imports TensorFlow, which takes seconds.

    Args:
        path: a weights file that `train` or `convert_checkpoint` wrote; None for the one that semjpeg ships with.
        threads: how many threads TensorFlow may use in this process, 0 for one per core. It can only be set before
            TensorFlow first computes; later it is passed over.

    Raises:
        ModelError: the file is missing, is not the one that the record beside it names, or holds no MSROI network.
    """
    weights = SHIPPED if path is None else path
    sha256 = verify(weights)
    backend.start(threads)
    import keras

    from models.network import MSROI
    from models.vgg import VGG16MSROI

    try:
        network = keras.saving.load_model(weights, compile=False)
    except Exception as error:  # Keras raises whatever its readers of ZIP, JSON and HDF5 raise
        raise ModelError(f"weights {weights}: not a saved network ({type(error).__name__}: {error})") from error
    if not isinstance(network, MSROI | VGG16MSROI):
        raise ModelError(f"weights {weights}: holds a {type(network).__name__}, not an MSROI network")
    return ImportanceModel(network, sha256)


class ImportanceModel:
    """A network that is ready to make maps. `maps` belongs to one thread at a time.

    Attributes:
        sha256: hash of the weights file, which with the picture determines the map.
        classes: names of the classes that the network tells apart.

    Example:
        >>> model = load()
        >>> model.importance(np.zeros((600, 800, 3), np.uint8)).shape
        (96, 128)
    """

    def __init__(self, network: Any, sha256: str) -> None:
        self.sha256 = sha256
        self.classes: tuple[str, ...] = network.classes
        self._network = network
        self._owner = threading.Lock()

    def warm_up(self, largest_batch: int = BATCH_SIZES[-1]) -> None:
        """Compile the network for every canvas and batch size, so that the first pictures are as fast as the rest.

        Args:
            largest_batch: larger ones will not come.
        """
        for canvas in CANVASES:
            for size in BATCH_SIZES:
                self.maps([blank(canvas)] * size)
                if size >= largest_batch:
                    break

    def importance(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the map of one picture: `prepare`, `maps` and `refine` in one. Takes and raises what these do."""
        prepared = prepare(picture)
        return refine(prepared, self.maps([prepared])[0])

    def maps(self, prepared: Sequence[Prepared]) -> list[NDArray[np.float32]]:
        """Return one map per picture, as coarse as the network sees: `refine` makes the finished one of it.

        A picture's map is the same in any company, up to 1e-4. Pictures on canvases of one shape go through the network
        together.

        Args:
            prepared: any number of pictures, also none.

        Returns:
            float32 `[H/8, W/8]` each, in 0..1: the map of the picture's canvas.
        """
        alike: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for number, each in enumerate(prepared):
            alike[each.canvas.shape].append(number)
        found: dict[int, NDArray[np.float32]] = {}
        with self._owner:
            for numbers in alike.values():
                for first in range(0, len(numbers), BATCH_SIZES[-1]):
                    some = numbers[first : first + BATCH_SIZES[-1]]
                    found |= zip(some, self._batch([prepared[number] for number in some]), strict=True)
        return [found[number] for number in range(len(prepared))]

    def scores(self, prepared: Prepared) -> dict[str, float]:
        """Return the score of every class for one picture, 0..1, best first; of classes of one name the best counts."""
        with self._owner:
            scores = np.asarray(self._predict([prepared])["scores"])[0]
        ranked: dict[str, float] = {}
        for index in np.argsort(-scores, kind="stable"):
            ranked.setdefault(self.classes[index], float(scores[index]))
        return ranked

    def _batch(self, prepared: Sequence[Prepared]) -> list[NDArray[np.float32]]:
        """Return the maps of at most 16 pictures on canvases of one shape."""
        return list(np.asarray(self._predict(prepared)["map"], np.float32)[: len(prepared)])

    def _predict(self, prepared: Sequence[Prepared]) -> dict[str, Any]:
        """Run the network on a batch filled up to one of the fixed sizes."""
        size = next(each for each in BATCH_SIZES if each >= len(prepared))
        filled = [*prepared, *[prepared[0]] * (size - len(prepared))]
        batch = {
            "picture": np.stack([each.canvas for each in filled]),
            "barrier": np.stack([each.barrier for each in filled])[..., None],
            "valid": np.stack([_valid(each) for each in filled])[..., None],
        }
        outputs: dict[str, Any] = self._network.predict_on_batch(batch)
        return outputs


def _valid(prepared: Prepared) -> NDArray[np.float32]:
    """Return `[H/8, W/8]`: 1 where a cell holds picture."""
    valid = np.zeros_like(prepared.barrier)
    valid[: -(-prepared.height_px // STRIDE_PX), : -(-prepared.width_px // STRIDE_PX)] = 1
    return valid
