"""Step: what is written to the output place, in an order in which the JPEG itself comes last.

A JPEG that carries a job's identity is therefore the sign that all of the job is done, and a worker that dies half-way
leaves a job that is simply done again.
"""

from __future__ import annotations

import io
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from config.errors import (
    ForbiddenError,
    KeyTooLongError,
    ObjectChangedError,
    OutputTakenError,
    OvertakenError,
    RetryableError,
)
from config.jobs import JOB_FIELD
from config.places import MAX_KEY_BYTES, utf8_bytes
from storage import ABSENT
from worker.records import metrics_record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from config.jobs import Job
    from config.objects import ObjectVersion
    from storage import ObjectStore
    from worker.records import Finished

    Map = NDArray[np.float32]

_SOURCE_FIELD = "semjpeg-source"
"""User metadata of every result: the URL-encoded key of its source."""

_ETAG_FIELD = "semjpeg-etag"
"""User metadata of every result: the URL-encoded entity tag of the source version that it shows."""

_MODIFIED_FIELD = "semjpeg-modified"
"""User metadata of every result: when that version was written, by the store's clock, in ISO 8601."""

_MOST_LOOKS = 5
"""How often one attempt looks again after another writer was faster."""

_MAX_METADATA_BYTES = 1024


def is_done(store: ObjectStore, job: Job, identity: str) -> bool:
    """Whether the result of this very job is there.

    Raises:
        KeyTooLongError: There cannot be a result.
        OutputTakenError: An object that no job made stands at the result's key; it is not overwritten.
    """
    key = job.result_keys.jpeg
    if not job.result_keys.jpeg_fits:
        raise KeyTooLongError(f"would have a result whose key has {utf8_bytes(key)} bytes, more than {MAX_KEY_BYTES}")
    found = store.head(key)
    if found is None:
        return False
    if JOB_FIELD not in found.metadata:
        raise OutputTakenError(f"would overwrite {key!r}, which semjpeg did not make")
    return found.metadata[JOB_FIELD] == identity


def maker(store: ObjectStore, job: Job) -> str | None:
    """Return the identity of the job that made what stands at this job's JPEG's key; None where no job did."""
    found = store.head(job.result_keys.jpeg) if job.result_keys.jpeg_fits else None
    return found.metadata.get(JOB_FIELD) if found else None


def publish(output: ObjectStore, source: ObjectStore, job: Job, finished: Finished, importance: Map) -> bool:
    """Write map (where the recipe keeps it), record and JPEG, and remove the record of an earlier failure.

    What stands at each key is looked at first, then whether the source still is what it was, and then each object is
    written only if it still stands as it was seen. So whoever writes last saw the newest version of the source.

    In the end the source is looked at once more: a newer version may have failed in the meantime, and its record would
    have been taken for that of an earlier failure. Whoever does the newest version in its turn writes it again.

    Returns:
        False where another worker has just written the result of the same job.

    Raises:
        ObjectChangedError: The source was overwritten or removed meanwhile.
        OvertakenError: Other workers wrote results of the same source again and again.
        OutputTakenError: As of `is_done`.
    """
    keys = job.result_keys
    written = (*((keys.map,) if job.recipe.save_map else ()), keys.metrics, keys.jpeg)
    for _ in range(_MOST_LOOKS):
        seen = {key: _tag(output.head(key)) for key in written}
        if is_done(output, job, finished.identity):
            return False
        version = _unchanged(source, job)
        try:
            if job.recipe.save_map:
                output.put(keys.map, map_png(importance), content_type="image/png", expects=seen[keys.map])
            record = as_json(metrics_record(job, finished))
            output.put(keys.metrics, record, content_type="application/json", expects=seen[keys.metrics])
            output.delete(keys.failure)
            output.put(
                keys.jpeg,
                finished.result.data,
                content_type="image/jpeg",
                metadata=_metadata(job, finished.identity, version),
                expects=seen[keys.jpeg],
            )
        except OvertakenError:
            continue
        _look_once_more(source, job)
        return True
    raise OvertakenError(f"cannot write {keys.jpeg!r}: others write it again and again")


def _tag(found: ObjectVersion | None) -> str:
    return ABSENT if found is None else found.etag


def _unchanged(source: ObjectStore, job: Job) -> ObjectVersion:
    """Return the source if it is still the version that the job names."""
    found = source.head(job.key)
    if found is None or found.etag != job.etag:
        raise ObjectChangedError("was overwritten while it was compressed")
    return found


def _look_once_more(source: ObjectStore, job: Job) -> None:
    """See that no newer version has come; a source that is gone by now, or cannot be looked at, does not matter."""
    with suppress(ForbiddenError, RetryableError):
        found = source.head(job.key)
        if found is not None and found.etag != job.etag:
            raise ObjectChangedError("was overwritten while its result was written")


def _metadata(job: Job, identity: str, version: ObjectVersion) -> dict[str, str]:
    metadata = {
        JOB_FIELD: identity,
        _SOURCE_FIELD: quote(job.key)[:_MAX_METADATA_BYTES],
        _ETAG_FIELD: quote(version.etag),
    }
    if version.modified is not None:
        metadata[_MODIFIED_FIELD] = version.modified.isoformat()
    return metadata


def map_png(importance: NDArray[np.float32]) -> bytes:
    """Return a map of 0..1 as an 8-bit grey PNG, white where it is 1."""
    file = io.BytesIO()
    Image.fromarray(np.rint(importance * 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def as_json(record: dict[str, Any]) -> bytes:
    """Return a record as the JSON that is stored: UTF-8, numbers finite."""
    return json.dumps(record, ensure_ascii=False, indent=2, allow_nan=False).encode("utf-8", "surrogateescape")
