"""The message between producers and workers: keys, never pixels."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.errors import ConfigurationError, InvalidMessageError
from config.places import MAX_KEY_BYTES, Place, ResultKeys, utf8_bytes
from config.recipes import Recipe, Route

if TYPE_CHECKING:
    from config.objects import ObjectVersion

TASK_NAME = "semjpeg.compress"
"""The Celery task that a message calls, with the fields of a `Job` as keyword arguments."""

JOB_FIELD = "semjpeg-job"
"""User metadata of every result: the identity of the job that made it."""


class Job(BaseModel):
    """One version of one source object, and what is to become of it.

    The message is complete: a worker needs no recipe or route in its own configuration. It names no endpoint and
    no credentials: those come from the worker's configuration alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
    """The backfill, or the stream of events, in whose counters this job appears."""
    bucket: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]
    etag: Annotated[str, Field(min_length=1)]
    version: str | None = None
    """The version id, where the bucket keeps versions."""
    size: Annotated[int, Field(ge=0)]
    """Bytes, as the listing or the event said."""
    output: str
    """The output place, as a URL."""
    source_prefix: str = ""
    """What the result's key leaves out of the source's."""
    recipe: Recipe

    def model_post_init(self, _context: object, /) -> None:
        """Check what single fields cannot say."""
        if utf8_bytes(self.key) > MAX_KEY_BYTES:
            raise InvalidMessageError(f"the key {self.key[:80]!r}… is longer than {MAX_KEY_BYTES} bytes")
        if not self.key.startswith(self.source_prefix):
            raise InvalidMessageError(f"the key {self.key!r} does not start with {self.source_prefix!r}")

    @classmethod
    def of(cls, route: Route, recipe: Recipe, source: ObjectVersion, *, run: str) -> Job:
        """Make the job that `route` gives one version of one source object."""
        return cls(
            run=run,
            bucket=route.source_place.bucket,
            key=source.key,
            etag=source.etag,
            version=source.version,
            size=source.size_bytes,
            output=route.output,
            source_prefix=route.source_place.prefix,
            recipe=recipe,
        )

    @classmethod
    def from_message(cls, fields: dict[str, Any]) -> Job:
        """Read the keyword arguments of a task.

        Raises:
            InvalidMessageError: A field is missing, unknown or malformed; the message names it.
        """
        try:
            job = cls.model_validate(fields)
            Place.parse(job.output)
        except ValidationError as error:
            reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise InvalidMessageError(f"task message for {fields.get('key')!r}: {reasons}") from error
        except ConfigurationError as error:
            raise InvalidMessageError(f"task message for {fields.get('key')!r}: {error}") from error
        return job

    def to_message(self) -> dict[str, Any]:
        """Return the fields as JSON-ready keyword arguments."""
        return self.model_dump(mode="json")

    @property
    def output_place(self) -> Place:
        """Where the results go."""
        return Place.parse(self.output)

    @property
    def result_keys(self) -> ResultKeys:
        """The keys of this job's results in the output bucket."""
        return ResultKeys.of(self.key.removeprefix(self.source_prefix), self.output_place.prefix)

    def identity(self, model_hash: str) -> str:
        """SHA-256 that stands for this work: the same source version, recipe and model give the same bytes.

        The entity tag stands for the version, because a listing does not tell the version's id.

        Returns:
            64 hexadecimal digits.
        """
        parts = [self.bucket, self.key, self.etag, str(self.output_place), self.recipe.hash, model_hash]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
