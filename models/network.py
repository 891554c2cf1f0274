"""The MSROI network: one picture in, one importance map and the scores of the classes out.

After Prakash et al., "Semantic Perceptual Image Compression using Deep Convolution Networks", DCC 2017: every class has
a feature map, a class' score is pooled from its map, and the strongest classes together make the map. What differs
from the paper is said where it does. Keras 3, any backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers, ops

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = "semjpeg"
"""Name under which the classes here are registered for saving."""

_PRIOR_LOGIT = -5.0
"""Initial logit of every class: few classes are present in a picture (Lin et al., "Focal loss", ICCV 2017)."""


@keras.saving.register_keras_serializable(package=PACKAGE)
class ClassActivationHead(layers.Layer):  # type: ignore[misc]  # keras ships no types
    """Scores the classes and puts their maps together.

    The evidence for class `c` at a place is `e_c = features · kernel_c + bias_c`; its score is the sigmoid of the mean
    of `e_c` over the picture, each place counting by how much it looks like a thing. Among the `top` classes, those
    with a score above `threshold` count with weights `top, top - 1, …, 1` by rank. A class' map is

        thing · (1 - share + share · sigmoid(e_c) / max sigmoid(e_c))

    and the importance map is the weighted mean of these, or `thing` alone if no class reaches the threshold, divided by
    its highest value or by `least_peak`, whichever is larger. (The paper sums the five strongest without a threshold
    and always stretches the result to 0..1, so that it finds something important in a picture of nothing.) Only the
    maps of the classes that count are ever computed.

    Args:
        classes: how many classes there are.
        top: how many classes may count.
        threshold: score from which a class counts, 0..1.
        share: how much of a class' map is the class' own evidence, 0..1.
        least_peak: a map whose highest value is lower stays low, 0..1.
    """

    def __init__(
        self, classes: int, top: int, threshold: float, share: float, least_peak: float, **options: Any
    ) -> None:
        super().__init__(**options)
        self.classes = classes
        self.top = min(top, classes)
        self.threshold = threshold
        self.share = share
        self.least_peak = least_peak

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
        weights = ops.average_pool((thing + 1e-3) * valid, 2)
        pooled = ops.sum(features * weights, axis=(1, 2)) / (ops.sum(weights, axis=(1, 2)) + 1e-6)
        logits = ops.matmul(pooled, ops.transpose(self.kernel)) + self.bias
        evidence = self._evidence(features, ops.average_pool(valid, 2), logits)
        found = (thing * _doubled(evidence) * valid)[..., 0]
        peak = ops.max(found, axis=(1, 2), keepdims=True)
        return logits, found / ops.maximum(peak, self.least_peak)

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
            "least_peak": self.least_peak,
        }


@keras.saving.register_keras_serializable(package=PACKAGE)
class MSROI(keras.Model):  # type: ignore[misc]  # keras ships no types
    """Multi-structure region of interest network.

    A residual network down to a stride of 16 pixels gives the features from which the classes are told apart; a thing
    map at a stride of 8 says, from those features, finer ones and boundary connectivity, where there is anything at
    all; a `ClassActivationHead` puts them together. No layer is random at inference.

    Inputs, a dict:
        picture: `[b, H, W, 3]`, RGB in 0..255, uint8 or float; H and W multiples of 16.
        barrier: float `[b, H/8, W/8, 1]`, boundary connectivity in 0..1.
        valid: float `[b, H/8, W/8, 1]`, 1 where a cell holds picture, 0 where it is padding.

    Outputs, a dict:
        map: float32 `[b, H/8, W/8]`, importance in 0..1, 0 in the padding.
        scores: float32 `[b, classes]` in 0..1.

    Args:
        classes: names of the classes.
        widths: channels at strides 4, 8 and 16.
        blocks: residual blocks at strides 4, 8 and 16.
        channels: channels of the features from which the classes are told apart.
        top: see `ClassActivationHead`, likewise `threshold`, `share` and `least_peak`.

    Example:
        >>> network = MSROI(["cat", "dog"])
        >>> cells = np.ones((1, 32, 32, 1))
        >>> network({"picture": np.zeros((1, 256, 256, 3)), "barrier": 0 * cells, "valid": cells})["map"].shape
        (1, 32, 32)
    """

    def __init__(  # noqa: PLR0913 - a network's hyperparameters, each of which a user may change
        self,
        classes: Sequence[str],
        *,
        widths: Sequence[int] = (32, 64, 128),
        blocks: Sequence[int] = (1, 2, 3),
        channels: int = 160,
        top: int = 5,
        threshold: float = 0.1,
        share: float = 0.3,
        least_peak: float = 0.3,
        **options: Any,
    ) -> None:
        # === Layers ===
        lateral = layers.Conv2D(channels // 2, 1, name="lateral")
        descent = layers.Conv2D(channels // 2, 1, name="descent")
        up = layers.UpSampling2D(2, name="up")
        fuse = _ConvNorm(channels // 2, 3, name="fuse")
        thing_logit = layers.Conv2D(1, 1, bias_initializer=keras.initializers.Constant(-1.0), name="thing")
        head = ClassActivationHead(len(classes), top, threshold, share, least_peak, name="classes")

        # === Functional model ===
        picture = keras.Input((None, None, 3), name="picture")
        barrier = keras.Input((None, None, 1), name="barrier")
        valid = keras.Input((None, None, 1), name="valid")
        x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(picture)
        x = _ConvNorm(widths[0], 7, strides=4, name="stem")(x)
        levels = []
        for level, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            for index in range(count):
                strides = 2 if level > 0 and index == 0 else 1
                x = _residual_block(x, width, strides, name=f"level{level}_block{index}")
            levels.append(x)
        features = _ConvNorm(channels, 1, name="features")(x)
        fine = layers.Add(name="merge")([lateral(levels[1]), up(descent(features))])
        fine = layers.Concatenate(name="with_barrier")([layers.ReLU(name="merge_relu")(fine), barrier])
        logit = thing_logit(fuse(fine))
        thing = layers.Activation("sigmoid", name="thing_map")(logit)
        logits, found = head([features, thing, valid])
        scores = layers.Activation("sigmoid", dtype="float32", name="scores")(logits)
        super().__init__(
            inputs={"picture": picture, "barrier": barrier, "valid": valid},
            outputs={"map": found, "scores": scores},
            **options,
        )

        # === Config ===
        self.classes = tuple(classes)
        self.widths = tuple(widths)
        self.blocks = tuple(blocks)
        self.channels = channels
        self.top = top
        self.threshold = threshold
        self.share = share
        self.least_peak = least_peak

    def get_config(self) -> dict[str, Any]:
        """Return what the network is made from."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "classes": list(self.classes),
            "widths": list(self.widths),
            "blocks": list(self.blocks),
            "channels": self.channels,
            "top": self.top,
            "threshold": self.threshold,
            "share": self.share,
            "least_peak": self.least_peak,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> MSROI:  # noqa: ARG003 - Keras' signature
        """Make the network from what `get_config` returned."""
        return cls(**config)


@keras.saving.register_keras_serializable(package=PACKAGE)
class _ConvNorm(layers.Layer):  # type: ignore[misc]  # keras ships no types
    """Convolution without bias, batch normalisation, and ReLU unless `linear`.

    Args:
        filters: channels out.
        size: side of the kernel.
        strides: step of the kernel.
        linear: leave the ReLU out.
    """

    def __init__(self, filters: int, size: int, strides: int = 1, *, linear: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.settings = {"filters": filters, "size": size, "strides": strides, "linear": linear}
        self.convolution = layers.Conv2D(
            filters, size, strides, padding="same", use_bias=False, kernel_initializer="he_normal"
        )
        self.normalisation = layers.BatchNormalization(momentum=0.98)

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Build both layers."""
        self.convolution.build(shape)
        self.normalisation.build(self.convolution.compute_output_shape(shape))

    def call(self, x: Any, *, training: bool | None = None) -> Any:
        """Return `[b, h, w, filters]` of `[b, h·strides, w·strides, c]`."""
        x = self.normalisation(self.convolution(x), training=training)
        return x if self.settings["linear"] else ops.relu(x)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made from."""
        return {**super().get_config(), **self.settings}


def _doubled(x: Any) -> Any:
    """Enlarge `[b, h, w, c]` twofold and smooth away the steps."""
    x = ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)
    return ops.average_pool(x, 3, strides=1, padding="same")


def _residual_block(x: Any, width: int, strides: int, name: str) -> Any:
    """Two 3 × 3 convolutions around which the input is led (He et al., CVPR 2016)."""
    around = x
    if strides > 1 or x.shape[-1] != width:
        around = _ConvNorm(width, 1, strides, linear=True, name=f"{name}_around")(x)
    x = _ConvNorm(width, 3, strides, name=f"{name}_first")(x)
    x = _ConvNorm(width, 3, linear=True, name=f"{name}_second")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([around, x]))
