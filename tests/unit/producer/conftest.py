"""Notifications as each store writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

ETAG = "0cc175b9c0f1b6a831c399e269772661"


def record(key: str, source: str, name: str, configuration: str = "uploads", **stored: Any) -> dict[str, Any]:
    """Return a record; a value of None leaves the field out."""
    content = {"key": key, "size": 10, "eTag": ETAG, "sequencer": "0064D3901D00059242", **stored}
    return {
        "eventVersion": "2.2",
        "eventSource": source,
        "awsRegion": "eu-central-1",
        "eventTime": "2026-11-01T12:00:00.000Z",
        "eventName": name,
        "userIdentity": {"principalId": "uploader"},
        "requestParameters": {"sourceIPAddress": "192.0.2.7"},
        "responseElements": {"x-amz-request-id": "4YR", "x-amz-id-2": "host"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {"name": "photos", "ownerIdentity": {"principalId": "owner"}, "arn": "arn:aws:s3:::photos"},
            "object": {name: value for name, value in content.items() if value is not None},
        },
    }


def aws(key: str, name: str = "ObjectCreated:Put", **stored: Any) -> dict[str, Any]:
    return {"Records": [record(quote_plus(key, safe="/"), "aws:s3", name, **stored)]}


def minio(key: str, **stored: Any) -> dict[str, Any]:
    name = "s3:ObjectCreated:Put"
    inner = record(quote_plus(key, safe=""), "minio:s3", name, "Config", contentType="image/jpeg", **stored)
    return {"EventName": name, "Key": f"photos/{key}", "Records": [inner]}


def rustfs(key: str, **stored: Any) -> dict[str, Any]:
    event = minio(key, **stored)
    event["Records"][0]["eventSource"] = "rustfs:s3"
    event["Records"][0]["s3"]["object"]["key"] = quote(key, safe="").replace("%20", "+")
    return event


def redis_access(key: str, **stored: Any) -> list[dict[str, Any]]:
    return [{"Event": minio(key, **stored)["Records"], "EventTime": "2026-11-01T12:00:00Z"}]


def versitygw(key: str, **stored: Any) -> dict[str, Any]:
    fields = {"versionId": "", **stored}
    event = record(key, "aws:s3", "s3:ObjectCreated:CompleteMultipartUpload", "webhook-global", **fields)
    event["userIdentity"] = {"PrincipalId": "uploader"}
    event["glacierEventData"] = {"restoreEventData": {"lifecycleRestorationExpiryTime": ""}}
    return {"Records": [event]}


def early_versitygw(key: str, **stored: Any) -> list[dict[str, Any]]:
    return versitygw(key, **stored)["Records"]


def ceph(key: str, **stored: Any) -> dict[str, Any]:
    fields = {"versionId": "", "metadata": [], "tags": [], **stored}
    event = record(key, "ceph:s3", "ObjectCreated:Put", **fields)
    return {"Records": [{**event, "eventId": "1767225600.0.0cc1", "opaqueData": "me@example.com"}]}


def sns(inner: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    def wrapped(key: str, **stored: Any) -> dict[str, Any]:
        return {
            "Type": "Notification",
            "MessageId": "e5a4e8d2-0000-5c9e-8f4e-b5b6ad1e2c11",
            "TopicArn": "arn:aws:sns:eu-central-1:111122223333:uploads",
            "Subject": "Amazon S3 Notification",
            "Message": json.dumps(inner(key, **stored)),
            "Timestamp": "2026-11-01T12:00:01.000Z",
            "SignatureVersion": "1",
            "Signature": "c2lnbmVk",
        }

    return wrapped


def event_bridge(key: str, kind: str = "Object Created", **stored: Any) -> dict[str, Any]:
    names = {"eTag": "etag", "versionId": "version-id"}
    content = {"size": 10, "eTag": ETAG, "sequencer": "00617F08299329D189", **stored}
    content = {names.get(name, name): value for name, value in content.items() if value is not None}
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": kind,
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2026-11-01T12:00:00Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:s3:::photos"],
        "detail": {
            "version": "0",
            "bucket": {"name": "photos"},
            "object": {"key": key, **content},
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "111122223333",
            "reason": "PutObject",
        },
    }


DIALECTS: dict[str, Callable[..., Any]] = {
    "aws": aws,
    "minio": minio,
    "rustfs": rustfs,
    "redis-access": redis_access,
    "versitygw": versitygw,
    "early-versitygw": early_versitygw,
    "ceph": ceph,
    "sns-aws": sns(aws),
    "sns-sns-event-bridge": sns(sns(event_bridge)),
    "event-bridge": event_bridge,
}


@pytest.fixture(scope="session")
def dialects() -> SimpleNamespace:
    """The stores' ways to write an event: `all` by name, and the plain ones as attributes."""
    return SimpleNamespace(all=DIALECTS, aws=aws, minio=minio, ceph=ceph, sns=sns, event_bridge=event_bridge, etag=ETAG)


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """One after the other."""
    return DIALECTS[request.param]
