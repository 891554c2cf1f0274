"""Writes an object into an output place in all the ways that a worker does, and removes it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from config.errors import OvertakenError, SemjpegError
from semjpeg.doctor.finding import Finding
from semjpeg.doctor.mending import of_place
from storage.base import ABSENT
from storage.s3 import make_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.places import Place
    from semjpeg.doctor.context import Context
    from storage import ObjectStore

_CONTENT: Final = b"written by semjpeg doctor, which removes it again\n"
_TYPE: Final = "text/plain"
_METADATA: Final = {"semjpeg-doctor": "1"}
_NO_SUCH_TAG: Final = "0" * 32
_UNCONDITIONAL: Final = (
    "Update the store or take one that knows conditional writes: until then, two writers of one key may undo each "
    "other's work."
)


class Trial:
    """One object, from its first byte to its removal."""

    def __init__(self, store: ObjectStore, key: str, place: Place, context: Context, *, versioned: bool) -> None:
        self._store = store
        self._key = key
        self._place = place
        self._context = context
        self._versioned = versioned

    def made(self) -> Iterator[Finding]:
        """Write, read back, overwrite, remove. Whatever happens in between, the object is removed."""
        try:
            yield from self._written()
        except SemjpegError as error:
            yield self._failed("PUT", "s3:PutObject", error)
        finally:
            yield from self._removed()

    def _written(self) -> Iterator[Finding]:
        self._put(expects=ABSENT)
        yield Finding.ok("PUT", "allowed")
        try:
            found = self._store.head(self._key)
            content = self._store.get(self._key, max_bytes=len(_CONTENT))
        except SemjpegError as error:
            yield self._failed("HEAD and GET", "s3:GetObject", error)
            return
        if found is None or content != _CONTENT or dict(found.metadata) != _METADATA:
            mend = "See whether something between here and the store changes or caches what passes."
            yield Finding.failed("HEAD and GET", "what was written comes back otherwise", mend)
            return
        yield Finding.ok("HEAD and GET", "allowed; what was written comes back as it was")
        yield self._refused("If-None-Match", ABSENT)
        yield self._refused("If-Match", _NO_SUCH_TAG)
        found = self._store.head(self._key)
        try:
            self._put(expects=found.etag if found else ABSENT)
        except OvertakenError as error:
            yield Finding.failed("overwriting", f"refused with the right entity tag: {error}", _UNCONDITIONAL)
        else:
            yield Finding.ok("overwriting", "allowed, where the entity tag is the right one")

    def _refused(self, name: str, expects: str) -> Finding:
        """See that a write is refused whose condition does not hold."""
        try:
            self._put(expects=expects)
        except OvertakenError:
            return Finding.ok(name, "a write whose condition does not hold is refused")
        return Finding.warning(name, "the store writes although the condition does not hold", _UNCONDITIONAL)

    def _put(self, *, expects: str) -> None:
        self._store.put(self._key, _CONTENT, content_type=_TYPE, metadata=_METADATA, expects=expects)

    def _removed(self) -> Iterator[Finding]:
        try:
            self._store.delete(self._key)
            left = self._store.head(self._key)
        except SemjpegError as error:
            yield self._failed("DELETE", "s3:DeleteObject (under .semjpeg/failed/ and .semjpeg/doctor/)", error)
            return
        if left is not None:
            mend = f"Remove {self._key} by hand, and see why the store keeps it."
            yield Finding.failed("DELETE", "was answered, and the object is still there", mend)
        else:
            yield Finding.ok("DELETE", "allowed")
        if self._versioned:
            try:
                self._remove_versions()
            except (BotoCoreError, ClientError) as error:
                mend = (
                    "Allow s3:ListBucketVersions and s3:DeleteObjectVersion, or let a lifecycle rule remove versions."
                )
                yield Finding.warning("old versions", f"those of {self._key} stay: {error}", mend)

    def _remove_versions(self) -> None:
        """Remove what an ordinary removal leaves: the versions, and the mark that stands in their place."""
        client: Any = make_client(self._context.impatient_s3)
        bucket = self._place.bucket
        answer = client.list_object_versions(Bucket=bucket, Prefix=self._key)
        for version in [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]:
            client.delete_object(Bucket=bucket, Key=self._key, VersionId=version["VersionId"])

    def _failed(self, name: str, right: str, error: SemjpegError) -> Finding:
        return Finding.failed(name, str(error), of_place(error, right, self._place, self._context))
