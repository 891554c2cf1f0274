"""What a worker counts and times."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from config.errors import RetryableError, SemjpegError
from config.queues import QUEUES
from config.telemetry.process import Telemetry
from config.telemetry.progress import WAITING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from config.queues import QueueName
    from config.settings import Settings

STAGES: Final = (
    WAITING, "fetch", "probe", "decode", "map", "encode", "verify", "metrics", "full_metrics", "libjpeg", "publish",
)  # fmt: skip

OUTCOMES: Final = ("done", "unchanged", "failed")

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
"""From a probe of a small picture to the deadline."""

_AGES_S: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 1800, 3600, 14_400, 86_400)
"""From an idle worker to a backfill of a day."""

_BATCH_SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


def codes(root: type[SemjpegError]) -> tuple[str, ...]:
    """Return the codes of all errors of a branch, that of its root first: it stands for what the tree does not know."""

    def branch(kind: type[SemjpegError]) -> Iterator[str]:
        yield kind.code
        for child in kind.__subclasses__():
            yield from branch(child)

    return tuple(dict.fromkeys(branch(root)))


class Flight:
    """An image in flight, as its stages tell of it."""

    def __init__(self, telemetry: WorkerTelemetry) -> None:
        self._telemetry = telemetry
        self._image = telemetry.progress.begin()
        telemetry.moved()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage.

        Args:
            name: One of `STAGES`.
        """
        self._telemetry.progress.enter(self._image, name)
        self._telemetry.moved()
        begin = time.monotonic()
        try:
            yield
        finally:
            self._telemetry.stage(name, time.monotonic() - begin)

    def end(self) -> None:
        """Note that the image came to its end, whatever that is."""
        self._telemetry.progress.end(self._image)
        self._telemetry.moved()


class WorkerTelemetry(Telemetry):
    """The metrics of `semjpeg worker`."""

    def __init__(self, settings: Settings, model: str) -> None:
        """Prepare; nothing connects and nothing listens yet.

        Args:
            settings: Of this process.
            model: The hash of the network's weights.
        """
        threads = settings.worker.threads
        super().__init__(settings, model=model, threads=threads, queues=settings.worker.queues)
        self._images = self._labelled("images", "Images that came to their end, by outcome.", "outcome", OUTCOMES)
        self._failures = self._labelled(
            "failures", "Images that failed for good, by reason.", "code", codes(SemjpegError)
        )
        self._retries = self._labelled("retries", "Attempts that are made again.", "code", codes(RetryableError))
        self._source_bytes = self._counter("source_bytes", "Bytes of the sources of images that are done.")
        self._result_bytes = self._counter("result_bytes", "Bytes of the results of images that are done.")
        self._pixels = self._counter("pixels", "Pixels of images that are done.")
        stages = self._histogram("stage_seconds", "Seconds per stage of an image.", _SECONDS, "stage")
        ages = self._histogram("queue_age_seconds", "From queueing a job to its start.", _AGES_S, "queue")
        self._stages = {name: stages.labels(name) for name in STAGES}
        self._ages = {name: ages.labels(name) for name in QUEUES}
        self._image_seconds = self._histogram("image_seconds", "From claim to result, less the waiting.", _SECONDS)
        self._batch_sizes = self._histogram("map_batch_size", "Pictures in a batch of the network.", _BATCH_SIZES)
        self._batch_seconds = self._histogram("map_batch_seconds", "Seconds per batch of the network.", _SECONDS)
        self._gauge("images_in_flight", "Images that are being done.").set_function(lambda: self.progress.in_flight)
        self._gauge("threads", "Images that may be in flight.").set(threads)
        self._memory_used = self._gauge("memory_used_bytes", "Memory that images in flight may use, by estimate.")
        self._gauge("memory_budget_bytes", "All that they may use.").set(settings.limits.memory_bytes)
        self._moved = self._gauge("last_progress_timestamp_seconds", "When an image last began, moved on or ended.")
        self.moved()

    @contextmanager
    def in_flight(self) -> Iterator[Flight]:
        """Tell of an image from the moment when it was taken until it ends, in whatever way."""
        flight = Flight(self)
        try:
            yield flight
        finally:
            flight.end()

    def done(self, *, source_bytes: int, result_bytes: int, pixels: int, seconds: float) -> None:
        """Count an image whose result was written.

        Args:
            source_bytes: Of the source.
            result_bytes: Of the result.
            pixels: Of either.
            seconds: From claiming the image to its result, less its waiting.
        """
        self._images["done"].inc()
        self._source_bytes.inc(source_bytes)
        self._result_bytes.inc(result_bytes)
        self._pixels.inc(pixels)
        self._image_seconds.observe(seconds)

    def unchanged(self) -> None:
        """Count an image whose result was there already."""
        self._images["unchanged"].inc()

    def failed(self, code: str) -> None:
        """Count an image that failed for good."""
        self._images["failed"].inc()
        self._failures.get(code, self._failures[SemjpegError.code]).inc()

    def retried(self, code: str) -> None:
        """Count an attempt after which the image is tried again."""
        self._retries.get(code, self._retries[RetryableError.code]).inc()

    def stage(self, name: str, seconds: float) -> None:
        """Note how long an image was in a stage, one of `STAGES`."""
        self._stages[name].observe(seconds)

    def batch(self, size: int, seconds: float) -> None:
        """Note a batch of the network: its pictures, and how long it took."""
        self._batch_sizes.observe(size)
        self._batch_seconds.observe(seconds)

    def queue_age(self, queue: QueueName, seconds: float) -> None:
        """Note how long a job waited in its queue; clocks that disagree may make it less than nought."""
        self._ages[queue].observe(max(0.0, seconds))

    def watch_memory(self, used_bytes: Callable[[], int]) -> None:
        """Say where to read, at each scrape, what the images in flight may use."""
        self._memory_used.set_function(used_bytes)

    def moved(self) -> None:
        """Note that an image began, moved on or ended just now."""
        self._moved.set_to_current_time()

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"semjpeg_{name}", text, registry=self.registry)

    def _labelled(self, name: str, text: str, label: str, values: Sequence[str]) -> dict[str, Counter]:
        counter = Counter(f"semjpeg_{name}", text, [label], registry=self.registry)
        return {value: counter.labels(value) for value in values}

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"semjpeg_{name}", text, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"semjpeg_{name}", text, labels, buckets=buckets, registry=self.registry)
