"""Step: what is written to the output place of a job that failed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.publish import as_json, maker
from worker.records import failure_record

if TYPE_CHECKING:
    from config.errors import SemjpegError
    from config.jobs import Job
    from worker.node import Node


def record_failure(job: Job, error: SemjpegError, node: Node, *, attempts: int) -> bool:
    """Write the record of a failure. A result that another job left stays, and the record tells of it.

    Returns:
        False where the result of this very job is there, so that nothing has failed.
    """
    store = node.stores.open(job.output_place.bucket)
    identity = job.identity(node.model_hash)
    made_by = maker(store, job)
    if made_by == identity:
        return False
    record = failure_record(job, error, identity, attempts=attempts, stale_result=made_by is not None)
    store.put(job.result_keys.failure, as_json(record), content_type="application/json")
    return True
