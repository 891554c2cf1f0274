"""Step: what is written to the output place, in an order in which the JPEG itself comes last.

A JPEG that carries a job's identity is therefore the sign that all of the job is done, and a worker that dies half-way
leaves a job that is simply done again.
"""

from __future__ import annotations

import io
import json
from contextlib import suppress
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Output:
    """What stands at the key of a job's JPEG.

    Attributes:
        store: The output bucket.
        seen: The object as it was seen; None: there was none.
        again: Whether what was seen before has changed.
    """

    store: ObjectStore
    seen: ObjectVersion | None
    again: bool = False

    @classmethod
    def look(cls, store: ObjectStore, job: Job, *, again: bool = False) -> Output:
        """Look at what is there.

        Raises:
            KeyTooLongError: There cannot be a result.
            OutputTakenError: An object that no job made stands there; it is not overwritten.
        """
        key = job.result_keys.jpeg
        if not job.result_keys.jpeg_fits:
            raise KeyTooLongError(
                f"would have a result whose key has {utf8_bytes(key)} bytes, more than {MAX_KEY_BYTES}"
            )
        found = store.head(key)
        if found is not None and JOB_FIELD not in found.metadata:
            raise OutputTakenError(f"would overwrite {key!r}, which semjpeg did not make")
        return cls(store, found, again)

    @property
    def made_by(self) -> str | None:
        """Identity of the job that made it."""
        return self.seen.metadata[JOB_FIELD] if self.seen else None


def maker(store: ObjectStore, job: Job) -> str | None:
    """Return the identity of the job that made what stands at this job's JPEG's key; None where no job did."""
    found = store.head(job.result_keys.jpeg) if job.result_keys.jpeg_fits else None
    return found.metadata.get(JOB_FIELD) if found else None


def publish(output: Output, source: ObjectStore, job: Job, finished: Finished, importance: Map) -> bool:
    """Write map (where the recipe keeps it), record and JPEG, and remove the record of an earlier failure.

    After the look at what stands there the source is seen to be what it was, and then each object is written only if
    it still stands as it was seen. So whoever writes last saw the newest version of the source. Where something else
    has come, all of that is done once more.

    In the end the source is looked at once more: a newer version may have failed in the meantime, and its record would
    have been taken for that of an earlier failure. Whoever does the newest version in its turn writes it again.

    Returns:
        False where there is nothing to write: another worker has just written the result of the same job, or the source
        is a result itself.

    Raises:
        ObjectChangedError: The source was overwritten or removed meanwhile.
        OvertakenError: Other workers wrote results of the same source again and again.
        OutputTakenError: As of `Output.look`.
    """
    for _ in range(_MOST_LOOKS):
        if output.made_by == finished.identity:
            return False
        beside = _beside(output, job)
        version = _unchanged(source, job)
        if JOB_FIELD in version.metadata:
            return False
        try:
            _write(output, beside, job, finished, importance, version)
        except OvertakenError:
            output = Output.look(output.store, job, again=True)
            continue
        _look_once_more(source, job)
        return True
    raise OvertakenError(f"cannot write {job.result_keys.jpeg!r}: others write it again and again")


def _beside(output: Output, job: Job) -> dict[str, str]:
    """Return the tags of what stands beside the JPEG, by key; without a JPEG it is taken that there is nothing."""
    keys = (job.result_keys.map, job.result_keys.metrics) if job.recipe.save_map else (job.result_keys.metrics,)
    if output.seen is None and not output.again:
        return dict.fromkeys(keys, ABSENT)
    return {key: _tag(output.store.head(key)) for key in keys}


def _write(
    output: Output, beside: dict[str, str], job: Job, finished: Finished, importance: Map, version: ObjectVersion
) -> None:
    """Write everything, the JPEG last, where it stands as it was seen.

    Raises:
        OvertakenError: Something has come between.
    """
    store, keys = output.store, job.result_keys
    if job.recipe.save_map:
        store.put(keys.map, map_png(importance), content_type="image/png", expects=beside[keys.map])
    record = as_json(metrics_record(job, finished))
    store.put(keys.metrics, record, content_type="application/json", expects=beside[keys.metrics])
    store.delete(keys.failure)
    store.put(
        keys.jpeg,
        finished.result.data,
        content_type="image/jpeg",
        metadata=_metadata(job, finished.identity, version),
        expects=_tag(output.seen),
    )


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
