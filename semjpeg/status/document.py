"""The state as a JSON document, with units in the names; null stands for what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from semjpeg.status.state import RunState, SystemState, WorkerState

_COUNTS = ("enqueued", "done", "unchanged", "failed")
_AMOUNTS = ("bytes_in", "bytes_out", "bytes_libjpeg", "pixels")
_DECIMALS = 3


def system_document(state: SystemState) -> dict[str, Any]:
    """Describe all runs, the queue and the workers."""
    return {
        "at": _moment(state.at),
        "runs": [_run(run) for run in state.runs],
        "other_runs": state.other_runs,
        **_queue_and_workers(state),
    }


def run_document(state: SystemState) -> dict[str, Any]:
    """Describe one run, the queue and the workers."""
    return {"at": _moment(state.at), **_run(state.runs[0]), **_queue_and_workers(state)}


def _run(run: RunState) -> dict[str, Any]:
    return {
        "run": run.name,
        **{name: run.count(name) for name in _COUNTS},
        "in_flight": run.in_flight,
        "queued": run.queued,
        "left": run.left,
        **{name: run.count(name) for name in _AMOUNTS},
        "images_per_s": _rounded(run.images_per_s),
        "bytes_in_per_s": _rounded(run.bytes_in_per_s),
        "mean_images_per_s": _rounded(run.mean_images_per_s),
        "left_s": _rounded(run.left_s),
        "being_enqueued": run.is_being_enqueued,
        "over": run.is_over,
        "began": _moment(run.moment("began")),
        "first_ended": _moment(run.moment("first_ended")),
        "last_ended": _moment(run.moment("last_ended")),
        "sources": list(run.counted.sources),
        "places": list(run.counted.places),
    }


def _queue_and_workers(state: SystemState) -> dict[str, Any]:
    return {
        "queue": {
            "waiting": state.waiting,
            "delivered": state.delivered,
            "held": state.held,
            "put_aside": state.put_aside,
        },
        "workers": [_worker(worker) for worker in state.workers],
    }


def _worker(worker: WorkerState) -> dict[str, Any]:
    return {
        "worker": worker.name,
        "threads": worker.threads,
        "in_flight": worker.busy,
        "in_flight_by_run": dict(worker.in_flight),
        "attempts": worker.attempts,
        "uptime_s": worker.uptime_s,
    }


def _rounded(amount: float | None) -> float | None:
    return None if amount is None else round(amount, _DECIMALS)


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")
