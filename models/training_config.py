"""The settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

ARCHITECTURES = ("msroi", "vgg16")
"""Networks that can be trained."""

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
"""Dtype policies that a network can be trained under."""

_LEAST_WIDTH = 16
"""Fewer channels crash the process while it learns: oneDNN as in TensorFlow 2.21, on processors with AVX-512."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Everything that shapes a training run.

    Attributes:
        datasets: folders or tar archives, each with one folder per class.
        output: where the weights go, `….keras`; a record of them goes beside it, `….json`.
        workspace: folder for checkpoint, log and the teacher's findings. A run that finds a checkpoint there goes on
            from it.
        teacher: TFLite or Keras classifier to distil, its labels in a text file beside it; None learns from labels
            alone.
        epochs: how often each picture is shown, in all, resumed epochs included.
        batch_size: pictures per step.
        learning_rate: highest rate of AdamW; it rises at first, then falls to 0 along a cosine.
        validation_share: share of the pictures that is kept for validation.
        patience: epochs without a better validation loss after which training stops.
        seed: where chance comes from.
        precision: Keras' dtype policy while training; `mixed_bfloat16` or `mixed_float16` pay on GPUs. The weights that
            are written are float32.
        threads: how many threads TensorFlow may use; 0 for all cores.
        background: folders that name no class.
        least_pictures: a folder with fewer pictures names no class; with a teacher they are learned from all the same.
        architecture: `msroi`, this project's network, or `vgg16`, the paper's.
        vgg16_weights: file of Keras' VGG16 weights to start the convolutions of the paper's network from; None starts
            from random values.
        widths, blocks, channels: see `models.network.MSROI`; the paper's network has its own.
    """

    datasets: tuple[Path, ...]
    output: Path
    workspace: Path
    teacher: Path | None = None
    epochs: int = 12
    batch_size: int = 32
    learning_rate: float = 2e-3
    validation_share: float = 0.04
    patience: int = 4
    seed: int = 0
    precision: str = "float32"
    threads: int = 0
    background: tuple[str, ...] = ("BACKGROUND_Google",)
    least_pictures: int = 1
    architecture: str = "msroi"
    vgg16_weights: Path | None = None
    widths: tuple[int, int, int, int] = (32, 64, 128, 160)
    blocks: tuple[int, int, int, int] = (1, 2, 3, 2)
    channels: int = 160

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience", "channels"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name}: must be at least 1, got {getattr(self, name)}")
        if min(self.widths) < _LEAST_WIDTH:
            raise ConfigurationError(f"widths: must be at least {_LEAST_WIDTH}, got {self.widths}")
        if self.architecture not in ARCHITECTURES:
            raise ConfigurationError(
                f"architecture: must be one of {', '.join(ARCHITECTURES)}, got {self.architecture}"
            )
        if self.vgg16_weights and self.architecture != "vgg16":
            raise ConfigurationError("vgg16_weights: only the architecture vgg16 starts from them")
        if self.precision not in PRECISIONS:
            raise ConfigurationError(f"precision: must be one of {', '.join(PRECISIONS)}, got {self.precision}")
        if not 0 < self.validation_share < 1:
            raise ConfigurationError(f"validation_share: must lie between 0 and 1, got {self.validation_share}")
        if self.output.suffix != ".keras":
            raise ConfigurationError(f"output: must end in .keras, got {self.output}")
