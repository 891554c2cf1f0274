"""The MSROI network: one picture in, one importance map and the scores of the classes out. Keras 3, any backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers, ops

from models.heads import PACKAGE, BorderContrast, ClassActivationHead, doubled

if TYPE_CHECKING:
    from collections.abc import Sequence


@keras.saving.register_keras_serializable(package=PACKAGE)
class MSROI(keras.Model):  # type: ignore[misc]  # keras ships no types
    """Multi-structure region of interest network.

    A residual network down to a stride of 32 pixels, brought back to 16, gives the features from which the classes are
    told apart; a thing map at a stride of 8 says, from those features, their contrast to the border, finer features and
    boundary connectivity, where there is anything at all; a `ClassActivationHead` puts them together. No layer is
    random at inference.

    Inputs, a dict:
        picture: `[b, H, W, 3]`, RGB in 0..255, uint8 or float; H and W multiples of 32.
        barrier: float `[b, H/8, W/8, 1]`, boundary connectivity in 0..1.
        valid: float `[b, H/8, W/8, 1]`, 1 where a cell holds picture, 0 where it is padding.

    Outputs, a dict:
        map: float32 `[b, H/8, W/8]`, importance in 0..1, 0 in the padding.
        scores: float32 `[b, classes]` in 0..1.

    Args:
        classes: names of the classes.
        widths: channels at strides 4, 8, 16 and 32.
        blocks: residual blocks at strides 4, 8, 16 and 32.
        channels: channels of the features from which the classes are told apart.
        top: see `ClassActivationHead`, likewise `threshold` and `share`.

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
        widths: Sequence[int] = (32, 64, 128, 160),
        blocks: Sequence[int] = (1, 2, 3, 2),
        channels: int = 160,
        top: int = 5,
        threshold: float = 0.3,
        share: float = 0.3,
        **options: Any,
    ) -> None:
        # === Layers ===
        across = layers.Conv2D(channels, 1, use_bias=False, name="across")
        deep = layers.Conv2D(channels, 1, name="deep")
        lateral = layers.Conv2D(channels // 2, 1, use_bias=False, name="lateral")
        descent = layers.Conv2D(channels // 2, 1, name="descent")
        up = layers.UpSampling2D(2, name="up")
        contrast = BorderContrast(dtype="float32", name="contrast")
        coarse_valid = layers.AveragePooling2D(2, name="coarse_valid")
        fuse = _ConvNorm(channels // 2, 3, name="fuse")
        rare = keras.initializers.Constant(-1.0)
        thing_logit = layers.Conv2D(1, 1, bias_initializer=rare, dtype="float32", name="thing")
        head = ClassActivationHead(len(classes), top, threshold, share, dtype="float32", name="classes")

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
        merged = layers.Add(name="merge_deep")([across(levels[2]), doubled(deep(x))])
        features = _ConvNorm(channels, 3, name="features")(layers.ReLU(name="merge_deep_relu")(merged))
        unlike = contrast([features, coarse_valid(valid)])
        seen = descent(layers.Concatenate(name="with_contrast")([features, unlike]))
        fine = layers.Add(name="merge")([lateral(levels[1]), up(seen)])
        fine = layers.Concatenate(name="with_barrier")([layers.ReLU(name="merge_relu")(fine), barrier])
        logit = thing_logit(fuse(fine))
        thing = layers.Activation("sigmoid", dtype="float32", name="thing_map")(logit)
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

    @property
    def taught(self) -> dict[str, Any]:
        """What training looks at: the symbolic `logits` `[b, classes]`, the logits of the thing map, `thing`
        `[b, H/8, W/8, 1]`, and what the teacher's features are told from, `features` `[b, H/16, W/16, c]`.
        """
        return {
            "logits": self.get_layer("classes").output[0],
            "thing": self.get_layer("thing").output,
            "features": self.get_layer("features").output,
        }

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


def _residual_block(x: Any, width: int, strides: int, name: str) -> Any:
    """Two 3 × 3 convolutions around which the input is led (He et al., CVPR 2016)."""
    around = x
    if strides > 1 or x.shape[-1] != width:
        around = _ConvNorm(width, 1, strides, linear=True, name=f"{name}_around")(x)
    x = _ConvNorm(width, 3, strides, name=f"{name}_first")(x)
    x = _ConvNorm(width, 3, linear=True, name=f"{name}_second")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([around, x]))
