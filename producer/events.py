"""Notifications from object stores: one parser for what they send."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from config.errors import InvalidMessageError
from config.objects import ObjectVersion

if TYPE_CHECKING:
    from collections.abc import Iterator

_CREATED = ("ObjectCreated:", "s3:ObjectCreated:")


@dataclass(frozen=True, slots=True)
class ObjectCreated:
    """An object was written to a bucket."""

    bucket: str
    source: ObjectVersion


def parse_notification(body: str) -> list[ObjectCreated]:
    """Read the body of an S3 notification; events other than the creation of an object are passed over.

    The form is that of the S3 user guide's "Event message structure", versions 2.x: `Records[].s3.bucket.name` and
    `.object.{key,eTag,size,versionId}`, the key URL-encoded with `+` for a space. A store's test event has no records
    and yields nothing.

    Raises:
        InvalidMessageError: The body is not JSON of that form.
    """
    try:
        message = json.loads(body)
    except ValueError as error:
        raise InvalidMessageError(f"a storage event is not JSON: {body[:80]!r}") from error
    if isinstance(message, dict) and message.get("Event") == "s3:TestEvent":
        return []
    if not isinstance(message, dict) or not isinstance(message.get("Records"), list):
        raise InvalidMessageError(f"a storage event has no list of Records: {body[:80]!r}")
    return list(_created(message["Records"]))


def _created(records: list[Any]) -> Iterator[ObjectCreated]:
    for record in records:
        try:
            if not record["eventName"].startswith(_CREATED):
                continue
            stored = record["s3"]["object"]
            event = ObjectCreated(
                bucket=record["s3"]["bucket"]["name"],
                source=ObjectVersion(
                    key=unquote_plus(stored["key"], errors="strict"),
                    etag=stored["eTag"].strip('"'),
                    size_bytes=int(stored.get("size", 0)),
                    version=stored.get("versionId"),
                ),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidMessageError(f"a storage event's record lacks or garbles {error}") from error
        yield event
