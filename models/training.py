"""Training from image-level labels: the settings and the run from first to last."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from config.errors import ConfigurationError
from models import backend
from models.data import read_examples
from models.imported import load_vgg16
from models.labels import Labels, label_examples
from models.observation import Observations, observe
from models.weights import write_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from models.data import Example
    from models.network import MSROI
    from models.training_config import TrainingConfig
    from models.vgg import VGG16MSROI

_WARM_UP = 0.05
"""Share of the steps in which the learning rate rises from nothing."""

_WEIGHT_DECAY = 1e-4


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
    try:
        return _Run(config, examples, known, labels, report).go()
    finally:
        backend.restore_precision()


def _observe(
    config: TrainingConfig, examples: list[Example], report: Callable[[str], None]
) -> tuple[Observations, Labels]:
    """Look at all pictures, with the teacher if there is one."""
    from models.teacher import Teacher

    copies = config.threads or os.cpu_count() or 1
    teachers = [Teacher(config.teacher) for _ in range(copies)] if config.teacher else []

    def progress(done: int, count: int) -> None:
        if done % 1000 == 0 or done == count:
            report(f"looked at {done} of {count} pictures")

    known = observe(examples, teachers, config.workspace, progress)
    classes = teachers[0].classes if teachers else ()
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

        from models.trainer import Lesson

        self.config, self.examples, self.known, self.labels = config, examples, known, labels
        self.report = report
        self.charts = _charts(config.workspace / "tensorboard")
        keras.utils.set_random_seed(config.seed)
        keras.config.set_dtype_policy(config.precision)
        order = np.random.default_rng(config.seed).permutation(len(examples))
        held = min(max(1, round(len(examples) * config.validation_share)), len(examples) - 1)
        self.validation, self.taught = order[:held], order[held:]
        self.network = _network(config, labels.classes)
        self.lesson = Lesson(self.network, known.features.shape[-1])
        steps = config.epochs * -(-len(self.taught) // config.batch_size)
        warm_up = max(1, round(steps * _WARM_UP))
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warm_up), warmup_target=config.learning_rate, warmup_steps=warm_up
        )
        optimizer = keras.optimizers.AdamW(rate, weight_decay=_WEIGHT_DECAY, clipnorm=5.0)
        # XLA makes a step a quarter slower on processors (TensorFlow 2.21) and faster on GPUs.
        self.lesson.compile(optimizer=optimizer, jit_compile=bool(keras.distribution.list_devices("gpu")))
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
        parts = (self.known, self.labels)
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


def _network(config: TrainingConfig, classes: Sequence[str]) -> MSROI | VGG16MSROI:
    """Return a network that has learned nothing yet, or no more than VGG16's weights know."""
    from models.network import MSROI
    from models.vgg import VGG16MSROI

    if config.architecture == "msroi":
        return MSROI(classes, widths=config.widths, blocks=config.blocks, channels=config.channels)
    network = VGG16MSROI(classes, activation="sigmoid")
    if config.vgg16_weights:
        load_vgg16(network, config.vgg16_weights)
    return network


def _charts(folder: Path) -> Any:
    """Return a writer of TensorBoard's files, or None where TensorBoard is not installed."""
    try:
        from tensorboard.summary import Writer  # type: ignore[import-untyped]  # it ships no types
    except ImportError:
        return None
    return Writer(str(folder))
