"""Signatures and permissions, which only a real store checks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from uuid import uuid4

import boto3
import pytest

from config.errors import ForbiddenError
from config.queues import BULK, queue_key
from producer.queue import JobQueue
from semjpeg.demo.processes import Processes
from storage import ObjectStore, Stores

OPERATIONS = {
    "head": lambda store: store.head("in/a.png"),
    "get": lambda store: store.get("in/a.png", max_bytes=10),
    "put": lambda store: store.put("in/b.png", b"x", content_type="image/png"),
    "put on a condition": lambda store: store.put("in/b.png", b"x", content_type="image/png", expects="0" * 32),
    "delete": lambda store: store.delete("in/a.png"),
    "list": lambda store: list(store.list("in/")),
}
REFUSED = {
    "wrong secret": {"AWS_SECRET_ACCESS_KEY": "wrong"},
    "unknown key": {"AWS_ACCESS_KEY_ID": "nobody"},
}


@pytest.fixture
def as_user(servers, monkeypatch) -> Callable[[str, str], ObjectStore]:
    """Open a bucket with other credentials than the owner's."""

    def open_as(who: str, bucket: str) -> ObjectStore:
        for name, value in {**REFUSED, "stranger": servers.stranger}[who].items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers credentials
        return Stores(servers.settings()).open(bucket)

    return open_as


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("who", ["wrong secret", "unknown key", "stranger"])
def test_refused_credentials_are_told_at_once(as_user, servers, bucket, who, operation):
    servers.client("s3").put_object(Bucket=bucket, Key="in/a.png", Body=b"abc")
    with pytest.raises(ForbiddenError, match=bucket) as caught:
        OPERATIONS[operation](as_user(who, bucket))
    assert not caught.value.retryable
    assert servers.environment["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)


@pytest.mark.parametrize("who", [*REFUSED, "stranger"])
def test_a_command_with_refused_credentials_ends_and_says_why(farm, servers, who):
    ended = farm.run("enqueue", farm.source, farm.output, **{**REFUSED, "stranger": servers.stranger}[who])
    assert ended.returncode == 1
    assert farm.bucket in ended.stderr
    assert any(code in ended.stderr for code in ("SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied"))
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("who", ["wrong secret", "stranger"])
def test_a_worker_with_refused_credentials_fails_its_jobs_for_good(farm, servers, picture, tmp_path, who):
    """It cannot even write a record, so the job is put aside."""
    prefix, client = f"test-{uuid4().hex}:", servers.redis()
    farm.pictures.put("a.png", picture(), content_type="image/png")
    job = farm.job("a.png")
    broker = farm.settings.broker.model_copy(update={"key_prefix": prefix})
    environment = {**farm.environment, "SEMJPEG_BROKER__KEY_PREFIX": prefix}
    with Processes(tmp_path, environment | {**REFUSED, "stranger": servers.stranger}[who]) as processes:
        processes.start("refused", sys.executable, "-m", "semjpeg", "worker", "--threads", "1")
        JobQueue(farm.settings.model_copy(update={"broker": broker})).enqueue(job)
        farm.until(lambda: client.llen(f"{prefix}put-aside") == 1)
        farm.until(lambda: client.hget(f"{prefix}run:ceph", "failed") == b"1")  # which comes after it
        processes.check()
    [aside] = map(json.loads, client.lrange(f"{prefix}put-aside", 0, -1))
    assert aside["message"]["key"] == "a.png"
    assert "403" in aside["reason"] or "Denied" in aside["reason"] or "SignatureDoesNotMatch" in aside["reason"]
    assert client.llen(queue_key(prefix, BULK)) == 0
    assert servers.environment["AWS_SECRET_ACCESS_KEY"] not in (tmp_path / "refused.log").read_text()
