"""What the tests of `semjpeg doctor` share: settings that name real servers, and what they are asked."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
import redis

from config.recipes import Route
from semjpeg.doctor.checks import checks_for
from semjpeg.doctor.context import Context
from semjpeg.doctor.finding import Finding
from semjpeg.doctor.runner import examine

Look = Callable[..., dict[tuple[str, str], Finding]]


@pytest.fixture(autouse=True)
def environment(servers, monkeypatch, tmp_path) -> Callable[..., None]:
    """Sets settings in this process' environment; those of the servers are there."""
    monkeypatch.chdir(tmp_path)  # where no semjpeg.toml lies

    def set_all(**settings: str) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(f"SEMJPEG_{name}", value)

    set_all(
        BROKER__URL=servers.broker_url,
        BROKER__KEY_PREFIX=f"doctor-{uuid4().hex}:",
        S3__ENDPOINT_URL=servers.endpoint,
        S3__REGION="us-east-1",
        S3__ADDRESSING_STYLE="path",
        SQS__ENDPOINT_URL=servers.queues,
    )
    return set_all


@pytest.fixture
def look() -> Look:
    """Makes the checks whose names begin with one of some words; returns what they find by check and name."""

    def made(*checks: str, role: str | None = "producer", pair: Route | None = None) -> dict[tuple[str, str], Finding]:
        context = Context.make(role, pair)
        chosen = [check for check in checks_for(context) if check.name.partition(" ")[0] in checks]
        return {(found.check.partition(" ")[0], found.name): found for found in examine(chosen, context)}

    return made


@pytest.fixture
def photos(servers, bucket) -> Route:
    """A place with a picture, and one for results in a bucket of its own."""
    client = servers.client("s3")
    client.put_object(Bucket=bucket, Key="in/a.jpg", Body=b"0123456789")
    client.create_bucket(Bucket=f"{bucket}-out")
    return Route(source=f"s3://{bucket}/in", output=f"s3://{bucket}-out/small")


@pytest.fixture
def keys_of(servers) -> Callable[[Route], list[str]]:
    """Tells all that ever was in an output bucket and still costs: objects, versions and marks of removal."""

    def told(route: Route) -> list[str]:
        answer = servers.client("s3").list_object_versions(Bucket=route.output_place.bucket)
        return [found["Key"] for kind in ("Versions", "DeleteMarkers") for found in answer.get(kind, ())]

    return told


@pytest.fixture
def keys_in() -> Callable[..., list[bytes]]:
    """Tells all keys but the one in which kombu notes, for all who ever asked the workers, until when they wait."""

    def told(client: redis.Redis, pattern: str = "*") -> list[bytes]:
        return sorted(key for key in client.keys(pattern) if not key.endswith(b":_kombu.binding_deadlines"))

    return told
