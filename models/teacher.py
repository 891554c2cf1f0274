"""A finished image classifier as a teacher: what it says about a picture, never its weights.

Any TFLite classifier will do that takes the mean of its last feature map over the positions (MobileNet, EfficientNet,
ResNet …). It is run at a larger size than it was trained at, so that it speaks about places in some detail.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from config.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TEACHER_PX = 384
"""Side of the square that the teacher sees."""


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
    """A TFLite classifier that can be asked about pictures. Not thread-safe.

    Args:
        path: the `.tflite` file; a text file beside it whose name holds `labels` names its classes, one per line.
        threads: how many threads it may use.

    Raises:
        ConfigurationError: a file is missing or the classifier is not of the expected kind.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        from tensorflow import lite

        if not path.is_file():
            raise ConfigurationError(f"teacher {path}: no such file")
        self.classes = _labels(path)
        try:
            plain = lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # others hide tensors
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the interpreter announces its move to another package
                self._interpreter = lite.Interpreter(
                    str(path),
                    num_threads=threads,
                    experimental_op_resolver_type=plain,
                    experimental_preserve_all_tensors=True,
                )
            self._input = self._interpreter.get_input_details()[0]
            self._output = self._interpreter.get_output_details()[0]
            self._interpreter.resize_tensor_input(self._input["index"], [1, TEACHER_PX, TEACHER_PX, 3])
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ConfigurationError(f"teacher {path}: not a TFLite image classifier ({error})") from error
        self._tensors = {each["index"]: each for each in self._interpreter.get_tensor_details()}
        self._features = self._find_features(path)
        self.grid = int(self._interpreter.get_tensor(self._features).shape[1])
        count = int(self._output["shape"][-1])
        if count != len(self.classes):
            raise ConfigurationError(f"teacher {path}: {count} scores, {len(self.classes)} labels")

    def ask(self, picture: NDArray[np.uint8]) -> Opinion:
        """Show the teacher one square picture.

        Args:
            picture: uint8 `[s, s, 3]`, RGB, of any size.
        """
        seen = Image.fromarray(picture).resize((TEACHER_PX, TEACHER_PX), Image.Resampling.BICUBIC)
        self._interpreter.set_tensor(self._input["index"], self._quantised(np.asarray(seen)[None]))
        self._interpreter.invoke()
        features = self._read(self._features)[0]
        scores = self._read(self._output["index"])[0]
        return Opinion(scores, features)

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
