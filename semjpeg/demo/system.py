"""The servers and the processes of semjpeg, started in the order in which they need each other."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import redis

from config.counters import RunCounters
from config.settings import Settings
from semjpeg.demo.servers import start_s3, start_valkey
from storage import Stores

if TYPE_CHECKING:
    from pathlib import Path

    from semjpeg.demo.processes import Processes
    from storage import ObjectStore

SOURCE_BUCKET = "photos"
OUTPUT_BUCKET = "photos-semjpeg"
RUN = "events"
"""The run in which `semjpeg events poll` counts what notifications cause."""

_REGION = "us-east-1"
_QUEUE = "photos-created"


@dataclass(frozen=True, slots=True)
class System:
    """A running system, seen from outside: its object store with two buckets, and the counters."""

    stores: Stores
    source: ObjectStore
    output: ObjectStore
    counters: RunCounters


def clean_environment(environment: dict[str, str]) -> dict[str, str]:
    """Return the environment without the user's settings and credentials, with ones for the demo's servers."""
    kept = {k: v for k, v in environment.items() if not k.upper().startswith(("SEMJPEG_", "AWS_"))}
    loopback = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    key = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo", "AWS_EC2_METADATA_DISABLED": "true"}
    # waitress waits for ever for the body of an empty object that was announced by `Expect: 100-continue`
    expectation = {"BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE": "true"}
    return {**kept, **loopback, **key, **expectation}


def start_system(processes: Processes, folder: Path, *, quality: int) -> System:
    """Start broker, S3 and SQS server, worker and event poller, and connect the bucket to the queue.

    Args:
        processes: Where the children are kept.
        folder: For data and configuration of the servers.
        quality: Of the recipe by which the worker encodes.

    Raises:
        SemjpegError: A server did not start; the message shows its log.
    """
    endpoint = start_s3(processes, folder)
    broker_url = start_valkey(processes, folder)
    settings = {
        "broker": {"url": broker_url},
        "s3": {"endpoint_url": endpoint, "region": _REGION, "addressing_style": "path"},
        "sqs": {"queue_url": _create_buckets(endpoint)},
        "recipes": {"demo": {"quality": quality, "save_map": True}},
        "routes": [{"source": f"s3://{SOURCE_BUCKET}", "output": f"s3://{OUTPUT_BUCKET}", "recipe": "demo"}],
    }
    no_file = folder / "semjpeg.toml"
    no_file.touch()
    variables = {f"SEMJPEG_{section.upper()}": json.dumps(values) for section, values in settings.items()}
    variables["SEMJPEG_CONFIG"] = str(no_file)  # not the one that may lie in the working directory
    processes.environment |= variables
    os.environ.update(variables)
    processes.start("worker", sys.executable, "-m", "semjpeg", "worker", "--processes", "1")
    processes.start("poller", sys.executable, "-m", "semjpeg", "events", "poll", "--run", RUN, "--wait", "1")
    ours = Settings.load()
    stores = Stores(ours)
    counters = RunCounters(redis.Redis.from_url(broker_url), ours.broker.key_prefix)
    return System(stores, stores.open(SOURCE_BUCKET), stores.open(OUTPUT_BUCKET), counters)


def _create_buckets(endpoint: str) -> str:
    """Create the buckets and the queue, and have the store tell the queue of new objects.

    Returns:
        The queue's URL.
    """
    where: dict[str, Any] = {"endpoint_url": endpoint, "region_name": _REGION}
    s3, sqs = boto3.client("s3", **where), boto3.client("sqs", **where)
    queue_url = sqs.create_queue(QueueName=_QUEUE)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]
    for bucket in (SOURCE_BUCKET, OUTPUT_BUCKET):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=SOURCE_BUCKET,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": attributes["QueueArn"], "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    return queue_url
