"""Checks: one place each, what may be done there, tried out."""

from __future__ import annotations

import statistics
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from config.errors import ForbiddenError, SemjpegError, TooLargeError
from config.places import RECORDS_PREFIX
from semjpeg.doctor.finding import BrokenOffError, Finding
from semjpeg.doctor.mending import of_place
from semjpeg.doctor.trial import Trial
from storage import Stores
from storage.s3 import make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from config.places import Place
    from semjpeg.doctor.context import Context
    from storage import ObjectStore

_HEADS: Final = 5
_SLOW_S: Final = 1.0
_DEFAULT_REGION: Final = "us-east-1"


def look_at_source(context: Context, place: Place) -> Iterator[Finding]:
    """See that pictures can be listed and read, with the first one there."""
    store = opened(context, place)
    with done("LIST", "s3:ListBucket", place, context):
        first = next(store.list(place.prefix), None)
    yield from about_bucket(context, place)
    if first is None:
        mend = "Put a picture there and look again."
        yield Finding.warning("LIST", "allowed; the place is empty, so reading was not tried out", mend)
        return
    yield Finding.ok("LIST", "allowed")
    times = []
    with done("HEAD", "s3:GetObject", place, context):
        for _ in range(_HEADS):
            began = time.perf_counter()
            store.head(first.key)
            times.append(time.perf_counter() - began)
    median = statistics.median(times)
    yield Finding.judged(
        "HEAD",
        f"allowed; {1000 * median:.1f} ms (median of {_HEADS})",
        "Run semjpeg nearer to the store, or see why it is slow.",
        good=median < _SLOW_S,
    )
    # one that is longer may be read as well: nobody wants to wait for all of it
    with done("GET", "s3:GetObject", place, context), suppress(TooLargeError):
        store.get(first.key, max_bytes=1)
    yield Finding.ok("GET", "allowed")


def look_at_output(context: Context, place: Place) -> Iterator[Finding]:
    """See that results can be found and, but for a producer, written, checked and removed."""
    store = opened(context, place)
    key = f"{place.prefix}{RECORDS_PREFIX}doctor/{uuid4().hex}"
    yield _tried("LIST", "s3:ListBucket", place, context, lambda: next(store.list(place.prefix), None))
    yield _tried("HEAD", "s3:GetObject", place, context, lambda: store.head(key))
    versioned = yield from about_bucket(context, place)
    if context.writes_results:
        yield from Trial(store, key, place, context, versioned=versioned).made()


def opened(context: Context, place: Place) -> ObjectStore:
    """Open a place's bucket, for requests that are made once and given up soon.

    Raises:
        BrokenOffError: The settings do not allow the place.
    """
    settings = context.settings.model_copy(update={"s3": context.impatient_s3})
    with done("opening", "", place, context):
        return Stores(settings).open(place.bucket)


@contextmanager
def done(name: str, right: str, place: Place, context: Context) -> Iterator[None]:
    """Break the check off, with what to do about it, where the store does not do what is asked.

    Raises:
        BrokenOffError: It did not.
    """
    try:
        yield
    except SemjpegError as error:
        raise BrokenOffError(Finding.failed(name, str(error), of_place(error, right, place, context))) from error


def _tried(name: str, right: str, place: Place, context: Context, request: Callable[[], object]) -> Finding:
    """Make a request; to have no right to it is a finding beside which there may be others.

    Raises:
        BrokenOffError: The store does not do it for another reason.
    """
    try:
        with done(name, right, place, context):
            request()
    except BrokenOffError as error:
        if isinstance(error.__cause__, ForbiddenError):
            return error.finding
        raise
    return Finding.ok(name, "allowed")


def about_bucket(context: Context, place: Place) -> Generator[Finding, None, bool]:
    """Tell region and versioning, as far as these credentials may know them. Returns whether versions are kept."""
    if place.is_local:
        return False
    client = make_client(context.impatient_s3)
    yield from _region(client, place)
    try:
        versioned = client.get_bucket_versioning(Bucket=place.bucket).get("Status") == "Enabled"
    except (BotoCoreError, ClientError):
        return False  # to know it is no right that anybody needs
    if versioned:
        yield Finding.ok("versions", "are kept: what is overwritten still costs, until a lifecycle rule removes it")
    return versioned


def _region(client: Any, place: Place) -> Iterator[Finding]:
    try:
        answer = client.head_bucket(Bucket=place.bucket)
    except (BotoCoreError, ClientError):
        return
    found = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    ours = client.meta.region_name
    ours = _DEFAULT_REGION if ours in {None, "aws-global"} else ours
    if found:
        mend = f"Set SEMJPEG_S3__REGION={found}."
        yield Finding.judged("region", f"{found}, and requests are signed for {ours}", mend, good=found == ours)
