"""A finished image classifier as a teacher: what it says about a picture, never its weights.

Any TFLite or Keras classifier will do that takes the mean of its last feature map over the positions (MobileNet,
EfficientNet, ResNet …). Run at a larger size than it was trained at, it speaks about places in some detail.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from config.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the teacher says about one picture.

    Attributes:
        scores: float32 `[classes]`, probabilities.
        features: float32 `[g, g, channels]`, its last feature map, zero or positive.
    """

    scores: NDArray[np.float32]
    features: NDArray[np.float32]


class Teacher:
    """A classifier that can be asked about pictures. Not thread-safe.

    Args:
        path: a `.tflite` file, whose network takes RGB in -1..1, or one saved by Keras, `.keras` or `.h5`, whose
            network takes RGB in 0..255 of any size. A text file beside it whose name holds `labels` names its classes,
            one per line.

    Attributes:
        classes: names of its classes.
        sha256: hash of the file.

    Raises:
        ConfigurationError: a file is missing or the classifier is not of the expected kind.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ConfigurationError(f"teacher {path}: no such file")
        self.classes = _labels(path)
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self._path = path
        self._sizes: dict[int, _TFLite] = {}
        self._keras = None if path.suffix == ".tflite" else _Keras(path)
        scores = self.ask(np.zeros((8, 8, 3), np.uint8), 224).scores
        if len(scores) != len(self.classes):
            raise ConfigurationError(f"teacher {path}: {len(scores)} scores, {len(self.classes)} labels")

    def ask(self, picture: NDArray[np.uint8], side_px: int) -> Opinion:
        """Show the teacher one square picture.

        Args:
            picture: uint8 `[s, s, 3]`, RGB, of any size.
            side_px: side at which the teacher sees it.
        """
        seen = np.asarray(Image.fromarray(picture).resize((side_px, side_px), Image.Resampling.BICUBIC))
        if self._keras:
            return self._keras.ask(seen)
        if side_px not in self._sizes:
            self._sizes[side_px] = _TFLite(self._path, side_px)
        return self._sizes[side_px].ask(seen)


class _Keras:
    """A classifier saved by Keras."""

    def __init__(self, path: Path) -> None:
        import keras

        try:
            network = keras.saving.load_model(path, compile=False)
        except Exception as error:  # Keras raises whatever its readers of ZIP, JSON and HDF5 raise
            raise ConfigurationError(
                f"teacher {path}: not a saved network ({type(error).__name__}: {error})"
            ) from error
        pooling = [each for each in network.layers if isinstance(each, keras.layers.GlobalAveragePooling2D)]
        if not pooling:
            raise ConfigurationError(f"teacher {path}: no mean over the positions")
        if any(side is not None for side in network.input_shape[1:3]):
            raise ConfigurationError(
                f"teacher {path}: takes pictures of {network.input_shape[1:3]} only, not of any size"
            )
        self._network = keras.Model(network.input, [network.output, pooling[-1].input])

    def ask(self, pixels: NDArray[np.uint8]) -> Opinion:
        """Show it one picture, `[s, s, 3]`."""
        scores, features = self._network.predict_on_batch(pixels[None].astype(np.float32))
        return Opinion(np.asarray(scores, np.float32)[0], np.asarray(features, np.float32)[0])


class _TFLite:
    """A TFLite classifier made ready for squares of one size."""

    def __init__(self, path: Path, side_px: int) -> None:
        from tensorflow import lite

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the interpreter announces its move, and what keeping tensors costs
                self._interpreter = lite.Interpreter(str(path), num_threads=1, experimental_preserve_all_tensors=True)
            self._input = self._interpreter.get_input_details()[0]
            self._output = self._interpreter.get_output_details()[0]
            self._features = self._find_features(path)
            self._interpreter.resize_tensor_input(self._input["index"], [1, side_px, side_px, 3])
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ConfigurationError(f"teacher {path}: not a TFLite image classifier ({error})") from error
        self._tensors = {each["index"]: each for each in self._interpreter.get_tensor_details()}

    def ask(self, pixels: NDArray[np.uint8]) -> Opinion:
        """Show it one picture, `[s, s, 3]`."""
        self._interpreter.set_tensor(self._input["index"], self._quantised(pixels[None]))
        self._interpreter.invoke()
        return Opinion(self._read(self._output["index"])[0], self._read(self._features)[0])

    def _quantised(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """Bring pixels to the -1..1 that the classifier expects, in its own number format."""
        scale, zero = self._input["quantization"]
        values = pixels.astype(np.float32) / 127.5 - 1
        if scale == 0:
            return values
        kind = np.iinfo(self._input["dtype"])
        return np.asarray(np.clip(np.round(values / scale) + zero, kind.min, kind.max), self._input["dtype"])

    def _read(self, index: int) -> NDArray[np.float32]:
        """Return one tensor in real numbers."""
        scale, zero = self._tensors[index]["quantization"]
        raw = np.asarray(self._interpreter.get_tensor(index), np.float32)
        return (raw - np.float32(zero)) * np.float32(scale or 1)

    def _find_features(self, path: Path) -> int:
        """Return the index of the last feature map: what the mean over the positions is taken of."""
        operations = self._interpreter._get_ops_details()  # noqa: SLF001 - the only list of operations there is
        for operation in reversed(operations):
            if operation["op_name"] == "MEAN":
                return int(operation["inputs"][0])
        raise ConfigurationError(f"teacher {path}: no mean over the positions")


def _labels(path: Path) -> tuple[str, ...]:
    """Read the class names from the text file beside the teacher."""
    found = sorted(path.parent.glob("*labels*.txt"))
    if not found:
        raise ConfigurationError(f"teacher {path}: no *labels*.txt beside it names its classes")
    return tuple(found[0].read_text(encoding="utf-8").splitlines())
