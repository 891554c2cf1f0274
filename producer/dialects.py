"""What object stores send when an object is created, and how each of them writes its key.

| sender             | known by                                   | event name  | key                                 |
| ------------------ | ------------------------------------------ | ----------- | ----------------------------------- |
| AWS S3             | `eventSource` `aws:s3`                     |             | URL-encoded, `+` for a space        |
| MinIO, RustFS      | `eventSource` `minio:s3`, `rustfs:s3`      | `s3:` first | the same, the slash encoded as well |
| versitygw          | AWS' `eventSource`, `configurationId` `…-global` | `s3:` first | as it is                      |
| Ceph               | `eventSource` `ceph:s3`                    | either      | as it is                            |
| Amazon EventBridge | `detail-type`                              |             | as it is                            |

Records come as `{"Records": […]}`, from early versitygw as a bare list, and in MinIO's Redis lists as
`[{"Event": […], "EventTime": …}]`. Amazon SNS puts the text of any of these into the field `Message` of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from config.errors import InvalidMessageError
from config.places import MAX_KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CREATED = "ObjectCreated:"
_TEST_EVENT = "s3:TestEvent"
_VERSITYGW = frozenset({"kafka-global", "nats-global", "rabbitmq-global", "webhook-global"})
"""The `configurationId` of versitygw's events, one for each kind of receiver. Its `eventSource` is that of AWS."""
_NO_VERSION = ("", "null")
"""Version ids of objects in buckets that keep no versions."""
_USER_METADATA = "x-amz-meta-"
_DEEPEST = 3
"""Envelopes in one another; SNS around an event is one."""
_EXCERPT_CHARS = 80


@dataclass(frozen=True, slots=True)
class ObjectCreated:
    """An object was written to a bucket.

    Attributes:
        bucket: The bucket's name.
        key: The whole key, decoded.
        etag: The entity tag without its quotes; None where the event does not tell.
        size_bytes: Length of the content; None where the event does not tell.
        version: The version id, where the bucket keeps versions.
        metadata: The user metadata by lower-case name, where the event tells it.
    """

    bucket: str
    key: str
    etag: str | None = None
    size_bytes: int | None = None
    version: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def parse_json(text: str | bytes) -> Any:
    """Read JSON.

    Raises:
        InvalidMessageError: It is none, or nested too deeply to be an event.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidMessageError(f"a storage event is not JSON: {excerpt(text)}") from error


def excerpt(value: Any) -> str:
    """Tell in a few words what was received: the beginning of a text, the names in an object without their values."""
    if isinstance(value, dict):
        return f"an object with {excerpt(', '.join(map(str, value)))}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value[: _EXCERPT_CHARS + 1] if isinstance(value, str | bytes) else value)
    return text if len(text) <= _EXCERPT_CHARS else f"{text[:_EXCERPT_CHARS]}…"


def records(message: Any, depth: int = 0) -> Iterator[Any]:
    """Take the envelopes off and yield the records, or an EventBridge event as one.

    Raises:
        InvalidMessageError: The message has none of the known forms, or asks to confirm an SNS subscription.
    """
    if isinstance(message, list):
        for entry in message:
            yield from entry["Event"] if isinstance(entry, dict) and isinstance(entry.get("Event"), list) else [entry]
    elif not isinstance(message, dict):
        raise InvalidMessageError(f"a storage event is no JSON object: {excerpt(message)}")
    elif isinstance(message.get("Records"), list):
        yield from message["Records"]
    elif "detail-type" in message:
        yield message
    elif "Type" in message:
        yield from _sns(message, depth)
    elif message.get("Event") != _TEST_EVENT:
        raise InvalidMessageError(f"a storage event has no list of Records: {excerpt(message)}")


def read_record(record: Any) -> ObjectCreated | None:
    """Read one record of any dialect; None for other events than the creation of an object.

    Raises:
        InvalidMessageError: Something is missing or malformed; the message names it.
    """
    if not isinstance(record, dict):
        raise InvalidMessageError(f"a storage event's record is no JSON object: {excerpt(record)}")
    if "detail-type" in record:
        return _event_bridge(record)
    name = _text(record, "eventName")
    if not name.removeprefix("s3:").startswith(_CREATED):
        return None
    stored = _object(_object(record, "s3"), "object")
    key = _text(stored, "key")
    return ObjectCreated(
        bucket=_text(_object(_object(record, "s3"), "bucket"), "name"),
        key=_checked(key if _sends_raw_keys(record, name) else _decoded(key)),
        etag=_etag(stored, "eTag"),
        size_bytes=_size(stored),
        version=_version(stored, "versionId"),
        metadata=_metadata(stored),
    )


def _event_bridge(event: dict[str, Any]) -> ObjectCreated | None:
    if event["detail-type"] != "Object Created":
        return None
    detail = _object(event, "detail")
    stored = _object(detail, "object")
    return ObjectCreated(
        bucket=_text(_object(detail, "bucket"), "name"),
        key=_checked(_text(stored, "key")),
        etag=_etag(stored, "etag"),
        size_bytes=_size(stored),
        version=_version(stored, "version-id"),
    )


def _sns(envelope: dict[str, Any], depth: int) -> Iterator[Any]:
    """Open an SNS envelope. Nothing of a confirmation but the topic is told: its token lets anyone subscribe."""
    kind = envelope["Type"]
    if kind != "Notification":
        raise InvalidMessageError(
            f"SNS sent a {excerpt(kind)} for the topic {excerpt(envelope.get('TopicArn'))}: semjpeg opens no address "
            "that a message holds; put an SQS queue between the topic and semjpeg"
        )
    if depth >= _DEEPEST:
        raise InvalidMessageError(f"a storage event lies in more than {_DEEPEST} envelopes")
    yield from records(parse_json(_text(envelope, "Message")), depth + 1)


def _sends_raw_keys(record: dict[str, Any], event_name: str) -> bool:
    if record.get("eventSource") == "ceph:s3":
        return True
    configuration = _object(record, "s3").get("configurationId")
    return isinstance(configuration, str) and configuration in _VERSITYGW and event_name.startswith("s3:")


def _decoded(key: str) -> str:
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidMessageError(f"a storage event's key is not UTF-8: {excerpt(key)}") from error


def _checked(key: str) -> str:
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise InvalidMessageError(f"a storage event's key is no text: {excerpt(key)}") from error
    if length > MAX_KEY_BYTES:
        raise InvalidMessageError(f"a storage event's key has more than {MAX_KEY_BYTES} bytes: {excerpt(key)}")
    return key


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    child = parent.get(name)
    if not isinstance(child, dict):
        raise InvalidMessageError(f"a storage event has no object {name!r}: {excerpt(child)}")
    return child


def _text(parent: dict[str, Any], name: str) -> str:
    text = parent.get(name)
    if not isinstance(text, str) or not text:
        raise InvalidMessageError(f"a storage event has no text {name!r}: {excerpt(text)}")
    return text


def _etag(stored: dict[str, Any], name: str) -> str | None:
    etag = stored.get(name)
    if etag is not None and not isinstance(etag, str):
        raise InvalidMessageError(f"a storage event's {name} is no text: {excerpt(etag)}")
    return (etag or "").strip('"') or None


def _version(stored: dict[str, Any], name: str) -> str | None:
    version = stored.get(name)
    if version is not None and not isinstance(version, str):
        raise InvalidMessageError(f"a storage event's {name} is no text: {excerpt(version)}")
    return None if version in _NO_VERSION else version


def _size(stored: dict[str, Any]) -> int | None:
    """Read the size, which some versions of Ceph send as text."""
    size = stored.get("size")
    if size is None or size == "":
        return None
    digits = isinstance(size, str) and size.isascii() and size.isdecimal() and len(size) < _EXCERPT_CHARS
    if not digits and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise InvalidMessageError(f"a storage event's size is no number of bytes: {excerpt(size)}")
    return int(size)


def _metadata(stored: dict[str, Any]) -> dict[str, str]:
    """Read what MinIO tells as an object `userMetadata` and Ceph as a list `metadata`; other stores tell nothing."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(told := stored.get("userMetadata"), dict):
        pairs = list(told.items())
    elif isinstance(told := stored.get("metadata"), list):
        pairs = [(entry.get("key"), entry.get("val")) for entry in told if isinstance(entry, dict)]
    return {
        name.lower().removeprefix(_USER_METADATA): value
        for name, value in pairs
        if isinstance(name, str) and isinstance(value, str)
    }
