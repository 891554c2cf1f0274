"""Metrics and health of a long-running process, served at `/metrics` and `/healthz`.

A process makes one `WorkerTelemetry` or `ProducerTelemetry`, hands it to its parts, and serves it with `served`. The
names, labels and units of all metrics stand in `docs/monitoring.md`.
"""

from config.telemetry.process import Telemetry
from config.telemetry.producer import ProducerTelemetry
from config.telemetry.progress import Progress
from config.telemetry.server import served
from config.telemetry.worker import Flight, WorkerTelemetry

__all__ = [
    "Flight",
    "ProducerTelemetry",
    "Progress",
    "Telemetry",
    "WorkerTelemetry",
    "served",
]
