"""What to do about the answers of an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from config.errors import ConfigurationError, ForbiddenError, ObjectMissingError, SemjpegError
from storage.s3 import make_client

if TYPE_CHECKING:
    from config.places import Place
    from config.settings import S3Settings
    from semjpeg.doctor.context import Context

_BY_CODE: Final = {
    "InvalidAccessKeyId": "Set AWS_ACCESS_KEY_ID to a key that the store knows.",
    "SignatureDoesNotMatch": "Set AWS_SECRET_ACCESS_KEY to the secret that belongs to the key.",
    "ExpiredToken": "Fetch new temporary credentials.",
    "InvalidToken": "Fetch new temporary credentials, or unset AWS_SESSION_TOKEN.",
    "RequestTimeTooSkewed": "Have this machine's clock set by NTP: timedatectl set-ntp true.",
}
_STORAGE_ROOT: Final = "Set SEMJPEG_STORAGE__LOCAL_ROOT to a folder that this one lies in, and let this user use it."


def of_refusal(error: ClientError, right: str, what: str) -> str:
    """Say what to do about a store's refusal.

    Args:
        error: Its answer.
        right: The permission that the request needs.
        what: What it is needed on.
    """
    answer: Any = error.response
    code = answer.get("Error", {}).get("Code", "")
    region = answer.get("Error", {}).get("Region") or answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(
        "x-amz-bucket-region"
    )
    if region and code in {"301", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint"}:
        return f"Set SEMJPEG_S3__REGION={region}, where the bucket is."
    if code in {"301", "PermanentRedirect"}:
        return "Set SEMJPEG_S3__REGION and SEMJPEG_S3__ENDPOINT_URL to those of the bucket."
    return _BY_CODE.get(code, f"Allow {right} on {what} to these credentials (deploy/s3 has whole policies).")


def of_place(error: SemjpegError, right: str, place: Place, context: Context) -> str:
    """Say what to do about a place where something could not be done, after trying whether other settings help."""
    if place.is_local:
        missing = isinstance(error, ObjectMissingError)
        return f"Create the folder: mkdir -p {place.bucket.removeprefix('file://')}." if missing else _STORAGE_ROOT
    s3 = context.impatient_s3
    if s3.addressing_style != "path" and not isinstance(error, ForbiddenError):
        by_path = s3.model_copy(update={"addressing_style": "path"})
        if _lists(by_path, place.bucket) and not _lists(s3, place.bucket):
            return "Set SEMJPEG_S3__ADDRESSING_STYLE=path: in that way the bucket answers."
    if s3.checksums == "when_supported" and right == "s3:PutObject" and isinstance(error, ConfigurationError):
        return "Set SEMJPEG_S3__CHECKSUMS=when_required: many stores reject the checksums that are sent now."
    refusal = error.__cause__ if isinstance(error.__cause__, ClientError) else None
    if _is_missing(refusal) if refusal else isinstance(error, ObjectMissingError):
        at = f" --endpoint-url {s3.endpoint_url}" if s3.endpoint_url else ""
        return (
            f"Create the bucket: aws s3 mb s3://{place.bucket}{at}; or correct its name in the command or the route, "
            "or SEMJPEG_S3__ENDPOINT_URL if it is in another store."
        )
    if refusal:
        return of_refusal(refusal, right, str(place))
    return "See that the store works and can be reached from here, and look again."


def _is_missing(refusal: ClientError) -> bool:
    answer: Any = refusal.response
    return bool(answer.get("Error", {}).get("Code") == "NoSuchBucket")


def _lists(s3: S3Settings, bucket: str) -> bool:
    try:
        make_client(s3).list_objects_v2(Bucket=bucket, MaxKeys=1)
    except (BotoCoreError, ClientError, OSError):
        return False
    return True
