"""Check: the object store's address, the credentials, and its clock."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound, SSLError

from config.errors import ConfigurationError
from semjpeg.doctor.broker import is_loopback
from semjpeg.doctor.clock import compared
from semjpeg.doctor.finding import BrokenOffError, Finding
from semjpeg.doctor.mending import of_refusal
from semjpeg.doctor.reaching import to_reach
from storage.s3 import make_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from semjpeg.doctor.context import Context

_NEVER_RIGHT: Final = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "AuthorizationHeaderMalformed",
}
"""What a store answers to credentials that are wrong for every bucket. That these may not list the buckets is another
matter: nothing of ours has to."""


def look_at_store(context: Context) -> Iterator[Finding]:
    """See that the store answers, and that it takes the credentials for what they are."""
    places = [*context.sources, *context.outputs]
    if places and all(place.is_local for place in places):
        yield Finding.ok("address", "none: all places are folders of this machine")
        return
    yield _credentials(context)
    endpoint = context.settings.s3.endpoint_url
    address = endpoint or "AWS"
    error, headers = _asked(context, address)
    code = error.response.get("Error", {}).get("Code", "") if error else ""
    yield Finding.ok("address", f"{address} answers")
    if "date" in headers:
        yield compared(time.time(), parsedate_to_datetime(headers["date"]).timestamp())
    if error and code in _NEVER_RIGHT:
        raise BrokenOffError(Finding.failed("login", str(error), of_refusal(error, "s3:ListBucket", "the buckets")))
    yield Finding.ok("login", f"not refused ({code or 'may list the buckets'})")
    if endpoint and urlsplit(endpoint).scheme == "http":
        local = is_loopback(urlsplit(endpoint).hostname or "")
        message = "none: the server is on this machine" if local else "none: pictures cross the network in the clear"
        mend = "Have the store speak TLS and write https:// in SEMJPEG_S3__ENDPOINT_URL."
        yield Finding.judged("encryption", message, mend, good=local)


def _credentials(context: Context) -> Finding:
    """Tell where boto3 took the credentials from, and never what they are.

    Raises:
        BrokenOffError: There are none.
    """
    mend = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role."
    try:
        found = boto3.Session().get_credentials()
        if found is None:
            raise BrokenOffError(Finding.failed("credentials", "boto3 finds none", mend))
        frozen = found.get_frozen_credentials()
    except ProfileNotFound as error:
        mend = "Set AWS_PROFILE to a profile that ~/.aws/config or ~/.aws/credentials has, or unset it."
        raise BrokenOffError(Finding.failed("credentials", str(error), mend)) from error
    except BotoCoreError as error:
        raise BrokenOffError(Finding.failed("credentials", str(error), mend)) from error
    for secret in (frozen.access_key, frozen.secret_key, frozen.token):
        context.secrets.add(secret)
    return Finding.ok("credentials", f"found by boto3 ({found.method})")


def _asked(context: Context, address: str) -> tuple[ClientError | None, dict[str, str]]:
    """Ask for the buckets, which all stores know. Returns the refusal, if it is one, and the answer's headers.

    Raises:
        BrokenOffError: Nobody answers.
    """
    try:
        answer: Any = make_client(context.impatient_s3).list_buckets()
    except ClientError as error:
        meta: Any = error.response.get("ResponseMetadata", {})
        return error, meta.get("HTTPHeaders", {})
    except (BotoCoreError, ConfigurationError, OSError) as error:
        mend = _way_back(error, context.settings.s3.endpoint_url)
        raise BrokenOffError(Finding.failed("address", f"{address} does not answer: {error}", mend)) from error
    return None, answer["ResponseMetadata"]["HTTPHeaders"]


def _way_back(error: Exception, endpoint: str | None) -> str:
    if isinstance(error, SSLError):
        return (
            "Set AWS_CA_BUNDLE to the file with the authority of the store's certificate; write http:// in "
            "SEMJPEG_S3__ENDPOINT_URL if the store speaks no TLS."
        )
    if endpoint is None:
        return "Set SEMJPEG_S3__ENDPOINT_URL if the store is not AWS; else see that AWS can be reached from here."
    if isinstance(error, ConfigurationError):
        return "Write SEMJPEG_S3__ENDPOINT_URL as http://host:port or https://host:port, with no bucket in it."
    return to_reach(urlsplit(endpoint).hostname or "", "SEMJPEG_S3__ENDPOINT_URL") or (
        "Start the store, set SEMJPEG_S3__ENDPOINT_URL to where it is (https:// if it speaks TLS, else http://), and "
        "see that no firewall is in between."
    )
