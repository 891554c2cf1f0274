"""What is special to the MSROI network: how classes make a map, and how places differ from a picture's border.

After Prakash et al., "Semantic Perceptual Image Compression using Deep Convolution Networks", DCC 2017: every class has
a feature map, a class' score is pooled from its map, and the strongest classes together make the map. What differs
from the paper is said where it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers, ops

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = "semjpeg"
"""Name under which the classes of the networks are registered for saving."""

_PRIOR_LOGIT = -5.0
"""Initial logit of every class: few classes are present in a picture (Lin et al., "Focal loss", ICCV 2017)."""


@keras.saving.register_keras_serializable(package=PACKAGE)
class ClassActivationHead(layers.Layer):  # type: ignore[misc]  # keras ships no types
    """Scores the classes and puts their maps together.

    The evidence for class `c` at a place is `e_c = features · kernel_c + bias_c`; its score is the sigmoid of the mean
    of `e_c` over the picture, each place counting by how much it looks like a thing. Among the `top` classes, those
    with a score above `threshold` count with weights `top, top - 1, …, 1` by rank. A class' map is

        thing · (1 - share + share · sigmoid(e_c) / max sigmoid(e_c))

    and the importance map is the weighted mean of these, or `thing` alone if no class reaches the threshold. (The paper
    sums the five strongest without a threshold and always stretches the result to 0..1, so that it finds something
    important in a picture of nothing.) Only the maps of the classes that count are ever computed.

    Args:
        classes: how many classes there are.
        top: how many classes may count.
        threshold: score from which a class counts, 0..1.
        share: how much of a class' map is the class' own evidence, 0..1.
    """

    def __init__(self, classes: int, top: int, threshold: float, share: float, **options: Any) -> None:
        super().__init__(**options)
        self.classes = classes
        self.top = min(top, classes)
        self.threshold = threshold
        self.share = share

    def build(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        """Make the kernel `[classes, channels]` and the bias `[classes]`."""
        channels = shapes[0][-1]
        self.kernel = self.add_weight(shape=(self.classes, channels), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(
            shape=(self.classes,), initializer=keras.initializers.Constant(_PRIOR_LOGIT), name="bias"
        )

    def call(self, inputs: Sequence[Any]) -> tuple[Any, Any]:
        """Return the class logits `[b, classes]` and the map `[b, 2h, 2w]` in 0..1.

        Args:
            inputs: features `[b, h, w, c]`, thing map `[b, 2h, 2w, 1]` in 0..1, which cells hold picture
                `[b, 2h, 2w, 1]` (1 or 0).
        """
        features, thing, valid = inputs
        weights = ops.average_pool((thing + 1e-3) * valid, 2, strides=2)
        pooled = ops.sum(features * weights, axis=(1, 2)) / (ops.sum(weights, axis=(1, 2)) + 1e-6)
        logits = ops.matmul(pooled, ops.transpose(self.kernel)) + self.bias
        evidence = self._evidence(features, ops.average_pool(valid, 2, strides=2), logits)
        return logits, (thing * doubled(evidence) * valid)[..., 0]

    def compute_output_spec(self, inputs: Sequence[Any]) -> tuple[Any, Any]:
        """Return shapes and types of what `call` returns; backends that trace cannot halve an unknown size."""
        _, thing, _ = inputs
        count = thing.shape[0]
        return (
            keras.KerasTensor((count, self.classes), self.compute_dtype),
            keras.KerasTensor(thing.shape[:-1], self.compute_dtype),
        )

    def _evidence(self, features: Any, valid: Any, logits: Any) -> Any:
        """Return what the classes that count say together, `[b, h, w, 1]` in 0..1; 1 everywhere if none does."""
        best, chosen = ops.top_k(logits, self.top)
        counts = ops.cast(ops.sigmoid(best) > self.threshold, features.dtype)
        weights = counts * ops.arange(self.top, 0, -1, dtype=features.dtype)
        total = ops.sum(weights, axis=-1)[:, None, None, None]
        kernels = ops.take(self.kernel, chosen, axis=0)
        biases = ops.take(self.bias, chosen, axis=0)
        activation = ops.sigmoid(ops.einsum("bhwc,bkc->bhwk", features, kernels) + biases[:, None, None, :])
        activation = activation * ops.cast(valid > 0, features.dtype)
        relative = activation / (ops.max(activation, axis=(1, 2), keepdims=True) + 1e-6)
        mean = ops.sum(relative * weights[:, None, None, :], axis=-1, keepdims=True) / ops.maximum(total, 1)
        return ops.where(total > 0, 1 - self.share + self.share * mean, ops.ones_like(mean))

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made from."""
        return {
            **super().get_config(),
            "classes": self.classes,
            "top": self.top,
            "threshold": self.threshold,
            "share": self.share,
        }


@keras.saving.register_keras_serializable(package=PACKAGE)
class BorderContrast(layers.Layer):  # type: ignore[misc]  # keras ships no types
    """How unlike each place is to what the border of the picture shows, for borders mostly show background.

    With the cosines `s` between the features of a place and those of the border's cells, the contrast is

        1 - log(mean(exp(t s))) / t

    a soft maximum over the border: one stretch of border that looks alike is enough.

    Args:
        slope: `t` of the formula; the larger, the more the most alike cells decide.
    """

    def __init__(self, slope: float = 10.0, **options: Any) -> None:
        super().__init__(**options)
        self.slope = slope

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return the contrast `[b, h, w, 1]` in 0..2.

        Args:
            inputs: features `[b, h, w, c]`, and which cells hold picture, `[b, h, w, 1]`, 1 or 0.
        """
        features, valid = inputs
        features, valid = ops.cast(features, "float32"), ops.cast(valid > 0, "float32")
        outside = ops.pad(1 - valid, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=1)
        border = valid * ops.max_pool(outside, 3, strides=1, padding="valid")
        rows, columns, channels = ops.shape(features)[1], ops.shape(features)[2], features.shape[-1]
        directions = ops.reshape(features, (-1, rows * columns, channels))
        directions = directions / ops.sqrt(ops.sum(ops.square(directions), axis=-1, keepdims=True) + 1e-6)
        cosines = ops.matmul(directions, ops.transpose(directions, (0, 2, 1)))
        counts = ops.reshape(border, (-1, 1, rows * columns))
        alike = ops.sum(counts * ops.exp(self.slope * (cosines - 1)), axis=-1) / (ops.sum(counts, axis=-1) + 1e-6)
        contrast = -ops.log(alike + 1e-9) / self.slope
        return ops.reshape(contrast, (-1, rows, columns, 1))

    def compute_output_spec(self, inputs: Sequence[Any]) -> Any:
        """Return shape and type of what `call` returns."""
        return keras.KerasTensor((*inputs[0].shape[:-1], 1), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made from."""
        return {**super().get_config(), "slope": self.slope}


def doubled(x: Any) -> Any:
    """Enlarge `[b, h, w, c]` twofold, bilinear, its borders repeated: doubled, then smoothed by (1, 2, 1) / 4 each way.

    `keras.ops.image.resize` takes no size that is known only when the network runs.
    """
    x = ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)
    x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    return ops.average_pool(ops.average_pool(x, 2, strides=1), 2, strides=1)
