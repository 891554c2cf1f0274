"""What is written down about a job: one JSON document beside its result, or in place of it.

Units stand in the names: `_s` seconds, `_px` pixels, `bytes_` bytes; quality metrics as in `codec.Metrics`
and, where the image is in the sample that has them, `codec.FullMetrics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from config.errors import SemjpegError
    from config.jobs import Job
    from worker.encode import Result
    from worker.probe import Probe

_VERSION: Final = version("semjpeg")

SCHEMA = 1
"""Raised when a field changes its meaning; new fields do not raise it."""


@dataclass(frozen=True, slots=True)
class Finished:
    """All that is known of a job whose result was verified.

    Attributes:
        identity: The job's identity.
        model_hash: SHA-256 of the network's weights.
        source: The probed source.
        result: The JPEG to be stored.
        libjpeg_bytes: What libjpeg makes of the same pixels at the quality that the recipe names, if it names one.
        metrics: Quality of the result against the source, by the names of `codec.Metrics` and `codec.FullMetrics`.
        seconds: Seconds spent by stage.
    """

    identity: str
    model_hash: str
    source: Probe
    result: Result
    libjpeg_bytes: int | None
    metrics: dict[str, float | None]
    seconds: dict[str, float]

    @property
    def pixels(self) -> int:
        """Pixels of the picture."""
        return self.source.width * self.source.height


def metrics_record(job: Job, finished: Finished) -> dict[str, Any]:
    """Describe a finished job."""
    return {
        **_head(job, "done"),
        "job": finished.identity,
        "recipe_hash": job.recipe.hash,
        "model_hash": finished.model_hash,
        "result": job.result_keys.jpeg,
        "format": finished.source.format,
        "width_px": finished.source.width,
        "height_px": finished.source.height,
        "bytes_in": len(finished.source.data),
        "bytes_out": len(finished.result.data),
        "bytes_libjpeg": finished.libjpeg_bytes,
        "kept_coefficients": finished.result.kept_coefficients,
        "metrics": finished.metrics,
        "seconds": finished.seconds,
    }


def failure_record(
    job: Job, error: SemjpegError, identity: str, *, attempts: int, stale_result: bool = False
) -> dict[str, Any]:
    """Describe a job that has no result.

    Args:
        job: The job.
        error: Why there is none.
        identity: The job's identity.
        attempts: How often it was tried.
        stale_result: Whether the result of another job stands in its place: of an earlier version of the source, or of
            another recipe or network.
    """
    return {
        **_head(job, "failed"),
        "job": identity,
        "code": error.code,
        "reason": str(error),
        "attempts": attempts,
        "stale_result": stale_result,
        "bytes_in": job.size,
    }


def _head(job: Job, status: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "status": status,
        "run": job.run,
        "bucket": job.bucket,
        "key": job.key,
        "etag": job.etag,
        "version": job.version,
        "output": job.output,
        "recipe": job.recipe.model_dump(mode="json"),
        "semjpeg": _VERSION,
        "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
