"""Weights that others trained: of VGG16 as Keras stores them, and of the MSROI paper's network."""

from __future__ import annotations

import io
import zipfile
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from config.errors import ConfigurationError, ModelError
from models import backend
from models.weights import write_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.vgg import VGG16MSROI

_SUFFIXES = (".index", ".meta", ".data-00000-of-00001")
"""Ends of the names of a checkpoint's files; what stands before is the checkpoint's own name."""


def load_vgg16(network: VGG16MSROI, path: Path) -> None:
    """Give the 13 convolutions of VGG16 the weights of a file; the other layers stay as they are.

    Args:
        network: the network, of full width if the weights are VGG16's.
        path: what Keras wrote, with or without VGG16's dense layers: HDF5 as before Keras 3
            (`vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5`), `.weights.h5` or `.keras`. Such weights expect the
            input that the network makes, BGR less the mean colour.

    Raises:
        ModelError: the file cannot be read, or a weight is missing or of another shape; the message names it.
    """
    from models.vgg import CONVOLUTIONS

    with _hdf5(path) as file:
        stored = _by_name(file)
        chosen = []
        for index, name in enumerate(CONVOLUTIONS):
            # Files of Keras 3 count the layers of a kind, older ones name them.
            named = f"block{name[4]}_conv{name[6]}"
            counted = f"conv2d_{index}" if index else "conv2d"
            found = stored.get(named) or stored.get(counted) or []
            variables = network.get_layer(name).weights
            if len(found) != len(variables):
                raise ModelError(f"weights {path}: {named} has {len(found)} arrays, expected {len(variables)}")
            for kind, each, variable in zip(("kernel", "bias"), found, variables, strict=True):
                _check_shape(f"weights {path}: {named}/{kind}", each.shape, variable.shape)
            chosen.append([np.asarray(each) for each in found])
    for name, arrays in zip(CONVOLUTIONS, chosen, strict=True):
        network.get_layer(name).set_weights(arrays)


def convert_checkpoint(prefix: Path, output: Path, labels: Path | None = None, width: float = 1.0) -> str:
    """Make a weights file, and the record beside it, of a checkpoint that the paper's authors' program wrote.

    The checkpoint holds `<layer>/W` and `<layer>/b` for each layer of `VGG16MSROI`, but no `GAP/b`. Other variables,
    such as those of an optimiser, are passed over.

    Args:
        prefix: the checkpoint of TensorFlow: one file, or what `.index` and `.data-00000-of-00001` follow; the name of
            one of these or a folder with a `checkpoint` file does as well.
        output: where the weights go, `….keras`.
        labels: text file with the name of a class in each line, in the checkpoint's order; None names them `class 0`,
            `class 1`, ….
        width: of the network that was trained, see `VGG16MSROI`.

    Returns:
        SHA-256 of the weights file.

    Raises:
        ConfigurationError: `output` has another ending; the labels cannot be read or are not one for each class.
        ModelError: the checkpoint cannot be read, or a variable is missing or of another shape; the message names it.
    """
    if output.suffix != ".keras":
        raise ConfigurationError(f"output: must end in .keras, got {output}")
    backend.start()
    from models.vgg import CONVOLUTIONS, VGG16MSROI

    checkpoint = _Checkpoint(prefix)
    network = VGG16MSROI(_names(labels, checkpoint.classes()), width=width)
    for name in (*CONVOLUTIONS, "conv6_1", "depth", "conv6", "GAP"):
        layer = network.get_layer(name)
        variables = zip(("W", "b"), layer.weights, strict=False)  # GAP has no bias
        layer.set_weights([checkpoint.read(f"{name}/{kind}", variable.shape) for kind, variable in variables])
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_suffix(".partial.keras")
    network.save(partial)
    partial.replace(output)
    facts = {
        "made": datetime.now(UTC).date().isoformat(),
        "architecture": type(network).__name__,
        "converted_from": prefix.name,
        "classes": list(network.classes),
    }
    return write_record(output, facts)


class _Checkpoint:
    """A checkpoint of TensorFlow, of either of its formats.

    Args:
        path: see `convert_checkpoint`.
    """

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        ending = next((each for each in _SUFFIXES if path.name.endswith(each)), "")
        self._name = f"checkpoint {path}"
        try:
            self._reader = tf.train.load_checkpoint(str(path).removesuffix(ending))
        except (tf.errors.OpError, ValueError, IndexError) as error:
            raise ModelError(f"{self._name}: cannot be read ({error})") from error
        self._shapes: dict[str, list[int]] = self._reader.get_variable_to_shape_map()

    def classes(self) -> int:
        """Return how many classes the network tells apart."""
        expected = "[channels, classes]"
        shape = self._shape("GAP/W", expected)
        if len(shape) != 2:  # noqa: PLR2004 - channels and classes
            raise ModelError(f"{self._name}: GAP/W has shape {shape}, expected {expected}")
        return shape[1]

    def read(self, name: str, shape: Sequence[int]) -> NDArray[np.float32]:
        """Return a variable that should have this shape."""
        import tensorflow as tf

        _check_shape(f"{self._name}: {name}", self._shape(name, str(list(shape))), shape)
        try:
            return np.asarray(self._reader.get_tensor(name), np.float32)
        except (tf.errors.OpError, ValueError, IndexError) as error:  # the file ends early
            raise ModelError(f"{self._name}: {name} cannot be read ({error})") from error

    def _shape(self, name: str, expected: str) -> list[int]:
        """Return the shape of a variable."""
        if name not in self._shapes:
            raise ModelError(f"{self._name}: {name} is missing, expected one of shape {expected}")
        return self._shapes[name]


def _check_shape(name: str, found: Sequence[int], expected: Sequence[int]) -> None:
    """Refuse an array of another shape."""
    if list(found) != list(expected):
        raise ModelError(f"{name} has shape {list(found)}, expected {list(expected)}")


def _names(labels: Path | None, count: int) -> list[str]:
    """Return the names of the classes."""
    if labels is None:
        return [f"class {index}" for index in range(count)]
    try:
        names = [line.strip() for line in labels.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"labels {labels}: cannot be read ({error})") from error
    if len(names) != count:
        raise ConfigurationError(f"labels {labels}: names {len(names)} classes, the checkpoint has {count}")
    return names


@contextmanager
def _hdf5(path: Path) -> Iterator[Any]:
    """Open an HDF5 file, or the one in a `.keras` archive."""
    import h5py  # type: ignore[import-untyped]  # it ships no types

    try:
        source: Any = path
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                source = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(source, "r") as file:
            yield file
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"weights {path}: cannot be read ({error})") from error


def _by_name(file: Any) -> dict[str, list[Any]]:
    """Return the arrays below each name in a file, those of most dimensions first: a kernel before its bias."""
    import h5py

    stored: dict[str, list[Any]] = {}

    def note(place: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset):
            for name in set(place.split("/")):
                stored.setdefault(name, []).append(each)

    # A whole model saved before Keras 3 has its optimiser's variables beside the weights, under the same names.
    file.get("model_weights", file).visititems(note)
    return {name: sorted(arrays, key=lambda each: -each.ndim) for name, arrays in stored.items()}
