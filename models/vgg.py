"""The network of the MSROI paper, shaped like VGG16: the second architecture, called as `models.network.MSROI` is.

After Prakash et al., "Semantic Perceptual Image Compression using Deep Convolution Networks", DCC 2017, and the shapes
and names of the authors' checkpoint. Keras 3, any backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from models.heads import PACKAGE, doubled

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and number of the convolutions of each block of VGG16 (Simonyan and Zisserman, ICLR 2015, column D)."""

CONVOLUTIONS = tuple(
    f"conv{block}_{index + 1}" for block, (_, count) in enumerate(_BLOCKS, 1) for index in range(count)
)
"""Names of the 13 convolutions that the network shares with VGG16, in their order."""

_MEANS_BGR = np.array([103.939, 116.779, 123.68], np.float32)
"""What VGG16 subtracts: the mean colour of ImageNet."""

_TOP = 5
"""How many classes the map is folded from (the paper)."""

_FIRST_WEIGHT = 1.2
"""Weight of the map that the folding begins with (the authors' program)."""

_FLAT = 1e-4
"""A map whose range is a smaller part of its values than this is flat but for the rounding of sums of up to 9 216
float32 products, about 1e-5, and counts as nothing."""

_PRIOR_LOGIT = -5.0
"""Initial logit where the scores are sigmoids: few classes are present in a picture (Lin et al., "Focal loss")."""


@keras.saving.register_keras_serializable(package=PACKAGE)
class VGG16MSROI(keras.Model):  # type: ignore[misc]  # keras ships no types
    """The paper's multi-structure region of interest network.

    The convolutions of VGG16 up to a stride of 16 pixels; then, without non-linearity, `conv6_1` to few channels,
    `depth`, which makes 32 channels of each of them on its own, and `conv6`; then `GAP`, which makes each class'
    activation map of them. A class' logit is the mean of its map, and the importance map is folded from the maps of
    the five best classes by `FoldedMaps`.

    Every layer's output is set to 0 in the padding, just as a convolution goes on beyond a picture's border: a picture
    has the same map on a canvas of any size, whatever the canvas holds beside it. The authors dropped channels at
    random even at inference; nothing is random here.

    Inputs, a dict:
        picture: `[b, H, W, 3]`, RGB in 0..255, uint8 or float; H and W multiples of 16.
        barrier: float `[b, H/8, W/8, 1]`, boundary connectivity; not used, taken so that every network is called alike.
        valid: float `[b, H/8, W/8, 1]`, 1 where a cell holds picture, 0 where it is padding.

    Outputs, a dict:
        map: float32 `[b, H/8, W/8]`, importance in 0..1, 0 in the padding.
        scores: float32 `[b, classes]` in 0..1.

    Args:
        classes: names of the classes.
        activation: what makes scores of the logits: `softmax`, as in the paper (one class per picture), or `sigmoid`
            (any number of them), which gives each class a bias.
        width: factor on the number of channels of every layer.

    Raises:
        ValueError: `activation` is neither.

    Example:
        >>> network = VGG16MSROI(["cat", "dog"], width=0.25)
        >>> cells = np.ones((1, 32, 32, 1))
        >>> network({"picture": np.zeros((1, 256, 256, 3)), "barrier": 0 * cells, "valid": cells})["map"].shape
        (1, 32, 32)
    """

    def __init__(
        self, classes: Sequence[str], *, activation: str = "softmax", width: float = 1.0, **options: Any
    ) -> None:
        if activation not in {"softmax", "sigmoid"}:
            raise ValueError(f"activation: expected softmax or sigmoid, got {activation}")

        # === Layers ===
        squeeze = layers.Conv2D(_scaled(32, width), 3, padding="same", name="conv6_1")
        depth = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=32, name="depth")
        conv6 = layers.Conv2D(_scaled(1024, width), 3, padding="same", name="conv6")
        gap = layers.Dense(len(classes), use_bias=False, dtype="float32", name="GAP")
        logit = ClassLogits(biased=activation == "sigmoid", dtype="float32", name="classes")
        fold = FoldedMaps(dtype="float32", name="map")

        # === Functional model ===
        picture = keras.Input((None, None, 3), name="picture")
        barrier = keras.Input((None, None, 1), name="barrier")
        valid = keras.Input((None, None, 1), name="valid")
        coarse = layers.MaxPooling2D(2, name="valid_16")(valid)
        x = ops.subtract(ops.flip(picture, axis=-1), _MEANS_BGR)
        x = _convolved(x, valid, coarse, width)
        for layer in (squeeze, depth):
            x = layers.Multiply(name=f"{layer.name}_valid")([layer(x), coarse])
        maps = gap(conv6(x))
        logits = logit([maps, valid])
        found = fold([maps, logits, valid])
        scores = layers.Activation(activation, dtype="float32", name="scores")(logits)
        super().__init__(
            inputs={"picture": picture, "barrier": barrier, "valid": valid},
            outputs={"map": found, "scores": scores},
            **options,
        )

        # === Config ===
        self.classes = tuple(classes)
        self.activation = activation
        self.width = width

    @property
    def taught(self) -> dict[str, Any]:
        """What training looks at: the symbolic `logits` `[b, classes]`, and what a teacher's features are told from,
        `features` `[b, H/16, W/16, c]`. There is no thing map.
        """
        return {"logits": self.get_layer("classes").output, "features": self.get_layer("conv5_3_valid").output}

    def get_config(self) -> dict[str, Any]:
        """Return what the network is made from."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "classes": list(self.classes),
            "activation": self.activation,
            "width": self.width,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> VGG16MSROI:  # noqa: ARG003 - Keras' signature
        """Make the network from what `get_config` returned."""
        return cls(**config)


@keras.saving.register_keras_serializable(package=PACKAGE)
class ClassLogits(layers.Layer):  # type: ignore[misc]  # keras ships no types
    """The logit of each class: the mean of its activation map over the picture.

    Args:
        biased: whether a bias per class is added.
    """

    def __init__(self, *, biased: bool, **options: Any) -> None:
        super().__init__(**options)
        self.biased = biased

    def build(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        """Make the bias `[classes]`, if there is one."""
        if self.biased:
            initial = keras.initializers.Constant(_PRIOR_LOGIT)
            self.bias = self.add_weight(shape=(shapes[0][-1],), initializer=initial, name="bias")

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return the logits `[b, classes]`.

        Args:
            inputs: class activation maps `[b, h, w, classes]`, which cells hold picture `[b, 2h, 2w, 1]` (1 or 0).
        """
        maps, valid = inputs
        share = ops.average_pool(valid, 2, strides=2)
        mean = ops.sum(maps * share, axis=(1, 2)) / ops.maximum(ops.sum(share, axis=(1, 2)), 1e-6)
        return mean + self.bias if self.biased else mean

    def compute_output_spec(self, inputs: Sequence[Any]) -> Any:
        """Return shape and type of what `call` returns; backends that trace cannot halve an unknown size."""
        return keras.KerasTensor((inputs[0].shape[0], inputs[0].shape[-1]), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made from."""
        return {**super().get_config(), "biased": self.biased}


@keras.saving.register_keras_serializable(package=PACKAGE)
class FoldedMaps(layers.Layer):  # type: ignore[misc]  # keras ships no types
    """Folds the activation maps of the five best classes into one importance map.

    Each is enlarged twofold (bilinear) and stretched to 0..1 over the picture. From the fifth best, `a_5`, up to the
    best, `a_1` (as the authors' program does; fewer where there are fewer classes):

        m = 1.2 · a_5;  m = (m + a_k) / 2 for k = 4, 3, 2, 1

    so that the five count 1/2, 1/4, 1/8, 1/16 and 1.2/16. The result is stretched to 0..1 again.
    """

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return the importance map `[b, 2h, 2w]` in 0..1, 0 in the padding.

        Args:
            inputs: class activation maps `[b, h, w, classes]`, logits `[b, classes]`, which cells hold picture
                `[b, 2h, 2w, 1]` (1 or 0).
        """
        maps, logits, valid = inputs
        count = min(_TOP, maps.shape[-1])
        _, chosen = ops.top_k(logits, count)
        coarse = ops.max_pool(valid, 2, strides=2)
        best = ops.take_along_axis(maps, chosen[:, None, None, :], axis=-1) * coarse
        best = _stretched(doubled(best) / ops.maximum(doubled(coarse), 1e-6), valid)
        found = _FIRST_WEIGHT * best[..., count - 1 :]
        for rank in reversed(range(count - 1)):
            found = (found + best[..., rank : rank + 1]) / 2
        return _stretched(found, valid)[..., 0]

    def compute_output_spec(self, inputs: Sequence[Any]) -> Any:
        """Return shape and type of what `call` returns."""
        return keras.KerasTensor(inputs[2].shape[:-1], self.compute_dtype)


def _scaled(channels: int, width: float) -> int:
    """Return the number of channels at a width, at least one."""
    return max(1, round(channels * width))


def _convolved(x: Any, valid: Any, coarse: Any, width: float) -> Any:
    """Lead `[b, H, W, 3]` through the 13 convolutions of VGG16, the padding kept at 0.

    Args:
        x: BGR about 0.
        valid: `[b, H/8, W/8, 1]`.
        coarse: the same at a stride of 16.
        width: factor on the number of channels.

    Returns:
        `[b, H/16, W/16, 512 · width]`.
    """
    masks = [layers.UpSampling2D(8 >> level, name=f"valid_{1 << level}")(valid) for level in range(3)] + [valid, coarse]
    x = layers.Multiply(name="picture_valid")([x, masks[0]])
    for block, (channels, count) in enumerate(_BLOCKS, 1):
        if block > 1:
            x = layers.MaxPooling2D(2, name=f"pool{block - 1}")(x)
        for index in range(1, count + 1):
            x = layers.Conv2D(
                _scaled(channels, width),
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"conv{block}_{index}",
            )(x)
            x = layers.Multiply(name=f"conv{block}_{index}_valid")([x, masks[block - 1]])
    return x


def _stretched(maps: Any, valid: Any) -> Any:
    """Stretch each map `[b, h, w, k]` to 0..1 over the picture's cells; 0 in the padding and where a map is flat."""
    inside = valid > 0
    lowest = ops.min(ops.where(inside, maps, 1e30), axis=(1, 2), keepdims=True)
    highest = ops.max(ops.where(inside, maps, -1e30), axis=(1, 2), keepdims=True)
    span = highest - lowest
    shaped = span > _FLAT * ops.maximum(ops.abs(lowest), ops.abs(highest))
    return ops.where(ops.logical_and(inside, shaped), (maps - lowest) / ops.where(shaped, span, 1.0), 0.0)
