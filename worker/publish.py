"""Step: what is written to the output place, in an order in which the JPEG itself comes last.

A JPEG that carries a job's identity is therefore the sign that all of the job is done, and a worker that dies half-way
leaves a job that is simply done again.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from config.errors import OutputTakenError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from config.jobs import Job
    from storage import ObjectStore

JOB_FIELD = "semjpeg-job"
"""User metadata of every result: the identity of the job that made it."""

_SOURCE_FIELD = "semjpeg-source"
"""User metadata of every result: the URL-encoded key of its source."""

_MAX_METADATA_BYTES = 1024


def is_done(store: ObjectStore, job: Job, identity: str) -> bool:
    """Whether the result of this very job is there.

    Raises:
        OutputTakenError: An object that no job made stands at the result's key; it is not overwritten.
    """
    found = store.head(job.result_keys.jpeg)
    if found is None:
        return False
    if JOB_FIELD not in found.metadata:
        raise OutputTakenError(f"would overwrite {job.result_keys.jpeg!r}, which semjpeg did not make")
    return found.metadata[JOB_FIELD] == identity


def publish(
    store: ObjectStore, job: Job, identity: str, data: bytes, record: dict[str, Any], importance: NDArray[np.float32]
) -> None:
    """Write map (where the recipe keeps it), record and JPEG, and remove the record of an earlier failure."""
    keys = job.result_keys
    if job.recipe.save_map:
        store.put(keys.map, map_png(importance), content_type="image/png")
    store.put(keys.metrics, as_json(record), content_type="application/json")
    metadata = {JOB_FIELD: identity, _SOURCE_FIELD: quote(job.key)[:_MAX_METADATA_BYTES]}
    store.put(keys.jpeg, data, content_type="image/jpeg", metadata=metadata)
    store.delete(keys.failure)


def map_png(importance: NDArray[np.float32]) -> bytes:
    """Return a map of 0..1 as an 8-bit grey PNG, white where it is 1."""
    file = io.BytesIO()
    Image.fromarray(np.rint(importance * 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def as_json(record: dict[str, Any]) -> bytes:
    """Return a record as the JSON that is stored: UTF-8, numbers finite."""
    return json.dumps(record, ensure_ascii=False, indent=2, allow_nan=False).encode("utf-8", "surrogateescape")
