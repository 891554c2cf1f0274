"""Object stores that speak the S3 protocol, through boto3."""

from __future__ import annotations

import io
import tempfile
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ResponseStreamingError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from config.errors import (
    ConfigurationError,
    ForbiddenError,
    ObjectChangedError,
    ObjectMissingError,
    OvertakenError,
    SemjpegError,
    StorageUnavailableError,
    TooLargeError,
)
from config.objects import ObjectVersion
from config.places import MAX_KEY_BYTES
from storage.base import ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from types_boto3_s3.client import S3Client

    from config.settings import S3Settings

_READ_CHUNK_BYTES = 1 << 20
_UNASKED_BYTES = 1 << 16
"""Fits what systems keep for a connection that is not read from: a store that refuses before it has read is heard."""
_MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NotFound", "InvalidObjectName", "KeyTooLongError"}
"""The last two: no object has a key that the store does not take."""
_FORBIDDEN = {"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
_THROTTLED = {"429", "RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests"}
_FIRST_SERVER_ERROR = 500
_OVERTAKEN = {"409", "412", "ConditionalRequestConflict", "OperationAborted", "PreconditionFailed"}
_UNKNOWN = {"501", "NotImplemented"}

_log = structlog.get_logger(__name__)


class _UnknownConditionError(Exception):
    """The store does not know conditions on writes."""


@dataclass(slots=True)
class Abilities:
    """What a store of the protocol has turned out not to know; shared by all of its buckets."""

    conditional_put: bool = True


def make_client(settings: S3Settings, max_connections: int = 10) -> S3Client:
    """Make a thread-safe client; nothing connects before it is used.

    Args:
        settings: Endpoint, region and timeouts. Credentials are found the way boto3 always does.
        max_connections: Connections kept open; as many as there are threads that use the client.

    Raises:
        ConfigurationError: The endpoint is no URL.
    """
    try:
        client = boto3.client(
            "s3",
            endpoint_url=settings.endpoint_url,
            region_name=settings.region,
            config=Config(
                connect_timeout=settings.connect_timeout_s,
                read_timeout=settings.read_timeout_s,
                retries={"mode": "standard", "total_max_attempts": settings.max_attempts},
                max_pool_connections=max_connections,
                request_checksum_calculation=settings.checksums,
                response_checksum_validation=settings.checksums,
                s3={"addressing_style": settings.addressing_style},
            ),
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"s3: {error}") from error
    client.meta.events.register_last("before-call.s3", _send_at_once)
    return client


def _send_at_once(params: dict[str, Any], **_: object) -> None:
    """Spare a small object the question whether it may be sent, which costs a round trip (RFC 9110, 10.1.1)."""
    body = params["body"]
    if isinstance(body, io.BytesIO) and len(body.getbuffer()) <= _UNASKED_BYTES:
        params["headers"].pop("Expect", None)


class S3Store:
    """One bucket of an S3 store."""

    def __init__(self, client: S3Client, bucket: str, abilities: Abilities) -> None:
        self._client = client
        self._bucket = bucket
        self._abilities = abilities

    def head(self, key: str) -> ObjectVersion | None:
        """See `ObjectStore.head`."""
        try:
            with self._translated(key):
                answer = self._client.head_object(Bucket=self._bucket, Key=key)
        except ObjectMissingError:
            return None
        return ObjectVersion(
            key=key,
            etag=answer["ETag"].strip('"'),
            size_bytes=answer["ContentLength"],
            version=answer.get("VersionId"),
            modified=answer["LastModified"],
            metadata={name.lower(): value for name, value in answer.get("Metadata", {}).items()},
        )

    def get(self, key: str, *, max_bytes: int, etag: str | None = None) -> bytes:
        """See `ObjectStore.get`."""
        chunks: list[bytes] = []
        self._read(key, chunks.append, max_bytes, etag)
        return b"".join(chunks)

    @contextmanager
    def open(self, key: str, *, max_bytes: int, etag: str | None = None) -> Iterator[BinaryIO]:
        """See `ObjectStore.open`. A temporary file holds it: no store keeps a slow reader's connection for hours."""
        with ExitStack() as stack:
            try:
                file = stack.enter_context(tempfile.TemporaryFile())
                self._read(key, file.write, max_bytes, etag)
                file.seek(0)
            except OSError as error:
                raise StorageUnavailableError(f"{self._name(key)} fits in no temporary file: {error}") from error
            yield file

    def _read(self, key: str, write: Callable[[bytes], object], max_bytes: int, etag: str | None) -> None:
        """Pass an object's content on, a piece at a time. Raises as `ObjectStore.get`."""
        condition = {} if etag is None else {"IfMatch": f'"{etag}"'}
        read = 0
        with self._translated(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=key, **condition)  # type: ignore[arg-type]
            with closing(answer["Body"]) as body:
                length = answer["ContentLength"]
                if length > max_bytes:
                    raise TooLargeError(f"{self._name(key)} has {length} bytes, more than the limit of {max_bytes}")
                for chunk in body.iter_chunks(_READ_CHUNK_BYTES):
                    write(chunk)
                    read += len(chunk)
        if read != length:
            raise StorageUnavailableError(f"{self._name(key)} ended after {read} of {length} bytes")

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        expects: str | None = None,
    ) -> None:
        """See `ObjectStore.put`."""
        write = partial(
            self._client.put_object,
            Bucket=self._bucket,
            Key=key,
            Body=data,
            ContentType=content_type,
            Metadata=metadata or {},
        )
        if expects is not None and self._abilities.conditional_put:
            try:
                if expects == ABSENT:
                    self._put_where(write, key, IfNoneMatch="*")
                else:
                    self._put_over(write, key, expects)
            except _UnknownConditionError:
                self._abilities.conditional_put = False
                _log.warning("the store knows no conditional puts: what was checked just before must do")
            else:
                return
        with self._translated(key):
            write()

    def _put_over(self, write: Callable[..., object], key: str, etag: str) -> None:
        """Write over the object of this tag. Raises as `_put_where`.

        Ceph takes the quotation marks of the header for a part of the tag, so that no object ever has it; and in a
        bucket with versions, where it looks for the tag at the version to be, no tag at all is right. A store that
        refuses a tag and yet shows it is therefore asked without the marks, and then without the condition.
        """
        for tag in (f'"{etag}"', etag):
            try:
                self._put_where(write, key, IfMatch=tag)
            except OvertakenError:
                found = self.head(key)
                if found is None or found.etag != etag:
                    raise
            else:
                return
        with self._translated(key):
            write()

    def _put_where(self, write: Callable[..., object], key: str, **condition: str) -> None:
        """Write on a condition.

        Raises:
            OvertakenError: It does not hold.
            _UnknownConditionError: The store does not know conditions on writes.
        """
        with self._translated(key):
            try:
                write(**condition)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code in _UNKNOWN:
                    raise _UnknownConditionError from error
                if code in _OVERTAKEN or (code == "NoSuchKey" and "IfMatch" in condition):
                    raise OvertakenError(f"{self._name(key)} was written by another") from error
                raise

    def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        with self._translated(key):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectVersion]:
        """See `ObjectStore.list`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, StartAfter=_cut(start_after)
        )
        with self._translated(prefix):
            for page in pages:
                for entry in page.get("Contents", ()):
                    if entry["Key"] <= start_after:
                        continue  # where that was too long to be asked for
                    yield ObjectVersion(
                        key=entry["Key"],
                        etag=entry["ETag"].strip('"'),
                        size_bytes=entry["Size"],
                        modified=entry["LastModified"],
                    )

    def _name(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        """Raise boto3's errors as ours."""
        try:
            yield
        except ClientError as error:
            raise self._sorted(error, key) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise ConfigurationError(f"{self._name(key)}: {error}") from error
        except (BotoConnectionError, HTTPClientError, IncompleteReadError, ResponseStreamingError) as error:
            raise StorageUnavailableError(f"{self._name(key)}: {error}") from error
        except BotoCoreError as error:
            raise ConfigurationError(f"{self._name(key)}: {error}") from error

    def _sorted(self, error: ClientError, key: str) -> SemjpegError:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        text = f"{self._name(key)}: {error}"
        if code in _MISSING:
            return ObjectMissingError(text)
        if code in {"412", "PreconditionFailed"}:
            return ObjectChangedError(f"{self._name(key)} was overwritten after it was queued")
        if code in _FORBIDDEN:
            return ForbiddenError(text)
        if code in _THROTTLED or status >= _FIRST_SERVER_ERROR:
            return StorageUnavailableError(text)
        return ConfigurationError(text)


def _cut(key: str) -> str:
    """Return a key, or as much of its beginning as a store takes, which sorts before it."""
    return key.encode(errors="surrogateescape")[:MAX_KEY_BYTES].decode(errors="ignore")
