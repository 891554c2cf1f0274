"""Training from image-level labels: the settings and the run from first to last."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from config.errors import ConfigurationError
from models import backend
from models.data import read_examples
from models.labels import Labels, label_examples
from models.observation import Observations, observe
from models.weights import write_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.data import Example

_WARM_UP = 0.05
"""Share of the steps in which the learning rate rises from nothing."""

_WEIGHT_DECAY = 1e-4

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
        teacher: TFLite classifier to distil, its labels in a text file beside it; None learns from labels alone.
        epochs: how often each picture is shown, in all, resumed epochs included.
        batch_size: pictures per step.
        learning_rate: highest rate of AdamW; it rises at first, then falls to 0 along a cosine.
        validation_share: share of the pictures that is kept for validation.
        patience: epochs without a better validation loss after which training stops.
        seed: where chance comes from.
        threads: how many threads TensorFlow may use; 0 for all cores.
        background: folders that name no class.
        least_pictures: a folder with fewer pictures names no class; with a teacher they are learned from all the same.
        widths, blocks, channels: see `models.network.MSROI`.
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
    threads: int = 0
    background: tuple[str, ...] = ("BACKGROUND_Google",)
    least_pictures: int = 1
    widths: tuple[int, int, int] = (32, 64, 128)
    blocks: tuple[int, int, int] = (1, 2, 3)
    channels: int = 160

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience", "channels"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name}: must be at least 1, got {getattr(self, name)}")
        if min(self.widths) < _LEAST_WIDTH:
            raise ConfigurationError(f"widths: must be at least {_LEAST_WIDTH}, got {self.widths}")
        if not 0 < self.validation_share < 1:
            raise ConfigurationError(f"validation_share: must lie between 0 and 1, got {self.validation_share}")
        if self.output.suffix != ".keras":
            raise ConfigurationError(f"output: must end in .keras, got {self.output}")


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came out of a run.

    Attributes:
        weights: the file that holds the best network.
        sha256: its hash.
        epochs: how many epochs were done, resumed ones included.
        validation_loss: of the best network.
        agreement: mean correlation of its thing maps with their targets on the validation pictures.
    """

    weights: Path
    sha256: str
    epochs: int
    validation_loss: float
    agreement: float


def train(config: TrainingConfig, report: Callable[[str], None]) -> TrainingResult:
    """Train a network and write the best one.

    Args:
        config: the settings.
        report: is told what happens, one line at a time: skipped pictures, progress, each epoch.

    Raises:
        ConfigurationError: no usable data, a teacher that cannot be used, a checkpoint of another network, or a
            learning rate at which training diverges.
    """
    backend.start(config.threads)
    examples = read_examples(config.datasets, lambda line: report(f"skipped {line}"))
    if len(examples) < 2:  # noqa: PLR2004 - one to learn from, one to validate on
        raise ConfigurationError("data: training needs at least two pictures")
    config.workspace.mkdir(parents=True, exist_ok=True)
    config.output.parent.mkdir(parents=True, exist_ok=True)
    known, labels = _observe(config, examples, report)
    if not labels.classes:
        raise ConfigurationError("data: no class is left besides the background")
    report(f"{len(examples)} pictures, {len(labels.classes)} classes")
    return _Run(config, examples, known, labels, report).go()


def _observe(
    config: TrainingConfig, examples: list[Example], report: Callable[[str], None]
) -> tuple[Observations, Labels]:
    """Look at all pictures, with the teacher if there is one."""
    from models.teacher import Teacher

    teacher = Teacher(config.teacher, max(1, config.threads)) if config.teacher else None

    def progress(done: int, count: int) -> None:
        if done % 1000 == 0 or done == count:
            report(f"looked at {done} of {count} pictures")

    known = observe(examples, teacher, config.workspace, progress)
    classes = teacher.classes if teacher else ()
    return known, label_examples(examples, classes, known.scores, config.background, config.least_pictures)


class _Run:
    """One run: its network, its optimiser and how far it has come."""

    def __init__(
        self,
        config: TrainingConfig,
        examples: list[Example],
        known: Observations,
        labels: Labels,
        report: Callable[[str], None],
    ) -> None:
        import keras

        from models.network import MSROI
        from models.trainer import Lesson

        self.config, self.examples, self.known, self.labels = config, examples, known, labels
        self.report = report
        self.charts = _charts(config.workspace / "tensorboard")
        keras.utils.set_random_seed(config.seed)
        order = np.random.default_rng(config.seed).permutation(len(examples))
        held = min(max(1, round(len(examples) * config.validation_share)), len(examples) - 1)
        self.validation, self.taught = order[:held], order[held:]
        self.network = MSROI(labels.classes, widths=config.widths, blocks=config.blocks, channels=config.channels)
        self.lesson = Lesson(self.network, known.features.shape[-1])
        steps = config.epochs * -(-len(self.taught) // config.batch_size)
        warm_up = max(1, round(steps * _WARM_UP))
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warm_up), warmup_target=config.learning_rate, warmup_steps=warm_up
        )
        self.lesson.compile(optimizer=keras.optimizers.AdamW(rate, weight_decay=_WEIGHT_DECAY, clipnorm=5.0))
        self.state: dict[str, float] = {"epochs": 0, "best": np.inf, "agreement": 0, "waited": 0}

    def go(self) -> TrainingResult:
        """Train from the checkpoint, or from the start, to the end."""
        from models.trainer import load_checkpoint, save_checkpoint

        checkpoint = self.config.workspace / "checkpoint.npz"
        if checkpoint.is_file():
            try:
                self.state = load_checkpoint(checkpoint, self.lesson)
            except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
                raise ConfigurationError(f"checkpoint {checkpoint}: cannot be gone on from ({error})") from error
            self.report(f"going on after epoch {self.state['epochs']:.0f}")
            if not self.config.output.is_file():
                self._write()
        while self.state["epochs"] < self.config.epochs and self.state["waited"] < self.config.patience:
            figures = self._epoch(int(self.state["epochs"]))
            self.state["epochs"] += 1
            if not np.isfinite(figures["val_loss"]):
                raise ConfigurationError("learning_rate: too high, the training diverged")
            self.state["waited"] += 1
            if figures["val_loss"] < self.state["best"]:
                self.state |= {"best": figures["val_loss"], "agreement": figures["val_agreement"], "waited": 0}
                self._write()
            save_checkpoint(checkpoint, self.lesson, self.state)
        return TrainingResult(
            self.config.output,
            write_record(self.config.output, self._record()),
            int(self.state["epochs"]),
            self.state["best"],
            self.state["agreement"],
        )

    def _epoch(self, number: int) -> dict[str, float]:
        """Show every picture once, then validate; report, log and return the figures."""
        from models.trainer import Batches

        began = time.monotonic()
        config = self.config
        order = np.random.default_rng([config.seed, number]).permutation(self.taught)
        parts = (self.examples, self.known, self.labels)
        history = self.lesson.fit(
            Batches(*parts, order, config.batch_size, (config.seed, number)),
            validation_data=Batches(*parts, self.validation, config.batch_size, None),
            verbose=0,
            shuffle=False,
        )
        figures = {name: float(values[-1]) for name, values in history.history.items()}
        spent = time.monotonic() - began
        self.report(
            f"epoch {number + 1}/{config.epochs}  loss {figures['loss']:.4f}  validation {figures['val_loss']:.4f}"
            f"  agreement {figures['val_agreement']:.4f}  {spent:.0f} s"
        )
        with (config.workspace / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({"epoch": number + 1, "seconds": round(spent, 1), **figures}) + "\n")
        if self.charts:
            for name, value in figures.items():
                self.charts.add_scalar(name, value, number + 1)
            self.charts.flush()
        return figures

    def _write(self) -> None:
        """Write the network as it is now, and its record."""
        partial = self.config.output.with_suffix(".partial.keras")
        self.network.save(partial)
        partial.replace(self.config.output)
        write_record(self.config.output, self._record())

    def _record(self) -> dict[str, Any]:
        """Return what goes into the record beside the weights, besides the hash."""
        settings = {
            name: value for name, value in asdict(self.config).items() if name not in {"output", "workspace", "threads"}
        }
        return {
            "made": datetime.now(UTC).date().isoformat(),
            "classes": list(self.labels.classes),
            "pictures": len(self.examples),
            "epochs_done": int(self.state["epochs"]),
            "validation_loss": round(self.state["best"], 4),
            "agreement": round(self.state["agreement"], 4),
            "settings": json.loads(json.dumps(settings, default=lambda path: path.name)),
        }


def _charts(folder: Path) -> Any:
    """Return a writer of TensorBoard's files, or None where TensorBoard is not installed."""
    try:
        from tensorboard.summary import Writer  # type: ignore[import-untyped]  # it ships no types
    except ImportError:
        return None
    return Writer(str(folder))
