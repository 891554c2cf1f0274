"""Check: the ways by which a store's notifications come in. None is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import redis
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from redis.exceptions import NoPermissionError

from semjpeg.doctor.broker import connected, encryption, reached
from semjpeg.doctor.finding import Finding
from semjpeg.doctor.mending import of_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from semjpeg.doctor.context import Context


def look_at_events(context: Context) -> Iterator[Finding]:
    """See that the configured ways are open."""
    settings = context.settings
    yield Finding.ok(
        "webhook", "a token is set" if settings.events.token else "no token is set: only this machine may send"
    )
    if settings.sqs.queue_url:
        yield _queue(context, settings.sqs.queue_url)
    if settings.events.redis_list:
        yield from _list(context, settings.events.redis_list)


def _queue(context: Context, url: str) -> Finding:
    """Ask an SQS queue for its attributes, which takes no message from it."""
    settings, s3 = context.settings, context.impatient_s3
    timeouts = Config(
        connect_timeout=s3.connect_timeout_s, read_timeout=s3.read_timeout_s, retries={"total_max_attempts": 1}
    )
    endpoint = settings.sqs.endpoint_url or s3.endpoint_url
    try:
        client: Any = boto3.client("sqs", endpoint_url=endpoint, region_name=s3.region, config=timeouts)
        found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    except ClientError as error:
        missing = "NonExistentQueue" in str(error.response.get("Error", {}).get("Code", ""))
        mend = (
            "Create the queue, or correct SEMJPEG_SQS__QUEUE_URL."
            if missing
            else of_refusal(error, "sqs:GetQueueAttributes, sqs:ReceiveMessage and sqs:DeleteMessage", "the queue")
        )
        return Finding.failed("SQS", str(error), mend)
    except (BotoCoreError, ValueError, OSError) as error:
        mend = (
            "Correct SEMJPEG_SQS__QUEUE_URL, SEMJPEG_SQS__ENDPOINT_URL and SEMJPEG_S3__REGION, and see that the "
            "queue's server runs and can be reached from here."
        )
        return Finding.failed("SQS", str(error), mend)
    waiting, taken = (found.get(f"ApproximateNumberOfMessages{kind}", "?") for kind in ("", "NotVisible"))
    kept_days = int(found.get("MessageRetentionPeriod", 0)) / 86400
    return Finding.ok("SQS", f"{waiting} messages wait, {taken} are being read; kept for {kept_days:g} days")


def _list(context: Context, name: str) -> Iterator[Finding]:
    """Look how long a Redis list is."""
    settings = context.settings
    own = settings.events.redis_url
    url = (own or settings.broker.url).get_secret_value()
    setting = "SEMJPEG_EVENTS__REDIS_URL" if own else "SEMJPEG_BROKER__URL"
    with connected(url) as client:
        reached(client, url, setting)
        if own:
            yield encryption(url)
        try:
            yield Finding.ok("Redis list", f"{client.llen(name)} notifications wait in {name}")
        except NoPermissionError as error:
            mend = f"Let the user run LLEN, LMOVE, BLMOVE, LINDEX and LREM on {name}."
            yield Finding.failed("Redis list", str(error), mend)
        except redis.ResponseError as error:
            mend = "Set SEMJPEG_EVENTS__REDIS_LIST to the list that the store pushes to."
            yield Finding.failed("Redis list", f"{name} is no list: {error}", mend)
