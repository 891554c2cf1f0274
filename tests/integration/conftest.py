"""Real servers, started once for a run: Valkey as broker, moto behind waitress as S3 and SQS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
import redis

from config.settings import Settings
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_s3, start_valkey
from semjpeg.demo.system import clean_environment


@dataclass(frozen=True)
class Servers:
    broker_url: str
    endpoint: str
    environment: dict[str, str]

    def settings(self, **sections: dict[str, object]) -> Settings:
        """Settings for these servers, under a key prefix that no other test uses."""
        values = {
            "broker": {"url": self.broker_url, "key_prefix": f"test-{uuid4().hex}:"},
            "s3": {"endpoint_url": self.endpoint, "region": "us-east-1", "addressing_style": "path"},
        }
        return Settings(**{**values, **sections})  # type: ignore[arg-type]

    def client(self, service: str):
        return boto3.client(service, endpoint_url=self.endpoint, region_name="us-east-1")

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.broker_url)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder: Path = tmp_path_factory.mktemp("servers")
    environment = clean_environment(dict(os.environ))
    before = dict(os.environ)
    os.environ.update(environment)
    with Processes(folder, environment) as processes:
        endpoint = start_s3(processes, folder)
        broker_url = start_valkey(processes, folder)
        yield Servers(broker_url, endpoint, environment)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def bucket(servers: Servers) -> str:
    """A bucket of the test's own."""
    name = f"bucket-{uuid4().hex}"
    servers.client("s3").create_bucket(Bucket=name)
    return name
