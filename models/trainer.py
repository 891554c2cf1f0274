"""The Keras side of training: batches, losses, checkpoints."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from models.windows import cut_window, stack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from models.labels import Labels
    from models.network import MSROI
    from models.observation import Observations
    from models.vgg import VGG16MSROI

_CLASS_WEIGHT = 0.1
"""Weight of the cross-entropy summed over classes; brings it to the size of the others in the first epochs."""

_FEATURE_WEIGHT = 1.0
"""Weight of the squared error of the teacher's features, whose variance is 1: they are what a small network learns most
from."""

_INPUTS = ("picture", "barrier", "valid")


class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # keras ships no types
    """The training windows of one epoch, or the validation pictures; each batch depends on its number alone.

    Args:
        known: what is known about all pictures.
        labels: their targets.
        chosen: which of them to show, in this order.
        batch_size: how many at a time.
        seed: where chance comes from (say, seed and epoch); None shows whole pictures.
    """

    def __init__(
        self,
        known: Observations,
        labels: Labels,
        chosen: NDArray[np.int64],
        batch_size: int,
        seed: tuple[int, ...] | None,
    ) -> None:
        super().__init__(workers=2, max_queue_size=6)
        self._known, self._labels = known, labels
        self._chosen, self._batch_size, self._seed = chosen, batch_size, seed

    def __len__(self) -> int:
        """How many batches there are."""
        return math.ceil(len(self._chosen) / self._batch_size)

    def __getitem__(self, number: int) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        """Return the inputs and the targets of one batch."""
        rows = self._chosen[number * self._batch_size : (number + 1) * self._batch_size]
        windows = [cut_window(self._known, int(row), self._random(row)) for row in rows]
        batch = stack(windows)
        inputs = {name: batch[name] for name in _INPUTS}
        targets = {"thing": batch["thing"]}
        if batch["features"].shape[-1]:
            targets |= {name: batch[name] for name in ("features", "observed")}
        told = [self._labels.told(each.shown) for each in windows]
        targets["classes"], targets["known"] = (np.stack(each) for each in zip(*told, strict=True))
        return inputs, targets

    def _random(self, row: int) -> np.random.Generator | None:
        """Return the source of chance for one picture."""
        return None if self._seed is None else np.random.default_rng([*self._seed, int(row)])


class Lesson(keras.Model):  # type: ignore[misc]  # keras ships no types
    """A network with the outputs that are taught, and the losses.

    Up to three losses are added: cross-entropy of the class scores summed over the classes of which something is known;
    if the network has a thing map, its cross-entropy per cell; with a teacher, the squared error of the teacher's
    features, predicted by one linear layer that only training has.

    Args:
        network: the network to train.
        features: how many features of the teacher there are; 0 without a teacher.
    """

    def __init__(self, network: MSROI | VGG16MSROI, features: int) -> None:
        outputs = dict(network.taught)
        learned = outputs.pop("features")
        if features:
            outputs["features"] = layers.Conv2D(features, 1, dtype="float32", name="distilled")(learned)
        super().__init__(inputs=network.inputs, outputs={**outputs, "map": network.output["map"]})
        self.losses_by_name = {name: keras.metrics.Mean(name=name) for name in ("thing", "classes", "features")}
        self.agreement = keras.metrics.Mean(name="agreement")

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, *, training: bool = True
    ) -> Any:
        """Return the sum of the losses and note each of them."""
        del sample_weight, training
        valid = x["valid"]
        classes = ops.sum(_cross_entropy(y["classes"], y_pred["logits"]) * y["known"], axis=-1)
        losses = {"classes": _CLASS_WEIGHT * ops.mean(classes)}
        if "thing" in y_pred:
            losses["thing"] = ops.sum(_cross_entropy(y["thing"], y_pred["thing"]) * valid) / ops.sum(valid)
        if "features" in y_pred:
            error = ops.mean(ops.square(y["features"] - y_pred["features"]), axis=-1, keepdims=True)
            observed = ops.maximum(ops.sum(y["observed"]), 1)
            losses["features"] = _FEATURE_WEIGHT * ops.sum(error * y["observed"]) / observed
        for name, loss in losses.items():
            self.losses_by_name[name].update_state(loss)
        self.agreement.update_state(_correlation(y["thing"], y_pred["map"][..., None], valid))
        return sum(losses.values())


def _cross_entropy(target: Any, logit: Any) -> Any:
    """Binary cross-entropy from logits, element by element."""
    return ops.relu(logit) - logit * target + ops.softplus(-ops.abs(logit))


def _correlation(first: Any, second: Any, valid: Any) -> Any:
    """Pearson's correlation over the valid cells of each picture, averaged over the batch."""
    count = ops.sum(valid, axis=(1, 2, 3), keepdims=True)
    first, second = (
        (each - ops.sum(each * valid, axis=(1, 2, 3), keepdims=True) / count) * valid for each in (first, second)
    )
    scale = ops.sqrt(ops.sum(first**2, axis=(1, 2, 3)) * ops.sum(second**2, axis=(1, 2, 3)))
    return ops.mean(ops.sum(first * second, axis=(1, 2, 3)) / (scale + 1e-6))


def save_checkpoint(path: Path, lesson: Lesson, state: Mapping[str, float]) -> None:
    """Write every variable of the model and its optimiser, and a few numbers, in place of an older checkpoint."""
    arrays: dict[str, Any] = {f"v{index}": ops.convert_to_numpy(each) for index, each in enumerate(_variables(lesson))}
    arrays |= {f"state_{name}": value for name, value in state.items()}
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **arrays)
    os.replace(partial, path)  # noqa: PTH105 - replaces on every system


def load_checkpoint(path: Path, lesson: Lesson) -> dict[str, float]:
    """Read back what `save_checkpoint` wrote into a lesson of the same shape, and return the numbers.

    Raises:
        ValueError: the checkpoint is of another network.
    """
    variables = _variables(lesson)
    with path.open("rb") as file, np.load(file) as kept:
        arrays = [kept[f"v{index}"] for index in range(sum(name.startswith("v") for name in kept))]
        if [each.shape for each in arrays] != [tuple(each.shape) for each in variables]:
            raise ValueError("it belongs to a network of another shape")
        for variable, value in zip(variables, arrays, strict=True):
            variable.assign(value)
        return {name[6:]: float(kept[name]) for name in kept if name.startswith("state_")}


def _variables(lesson: Lesson) -> list[Any]:
    """Return the variables of model and optimiser, metrics excluded, in a fixed order."""
    lesson.optimizer.build(lesson.trainable_variables)
    return [*lesson.weights, *lesson.optimizer.variables]
