"""Notifications from queues and lists, through real servers."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from uuid import uuid4

import pytest

from config.errors import BrokerUnavailableError, ConfigurationError
from config.queues import LIVE
from config.telemetry import ProducerTelemetry
from producer.intake import Intake
from producer.queue import JobQueue
from producer.redis_list import RedisListPoller
from producer.routing import Router
from producer.sqs import SqsPoller
from semjpeg.demo.processes import Processes
from storage import Stores

PATIENCE_S = 60
to_queues = pytest.mark.only_moto(reason="Ceph announces to webhooks, not to SQS")
KEYS = [
    "plain.jpg",
    "in/a b+ü&.jpg",
    "100%/%41%zz?#.png",
    "in//two.jpg",
    "日本/\U0001f600.webp",
    "k" * 1020 + ".jpg",
]


class System:
    """A bucket, its route, and the queue that its jobs go to."""

    def __init__(self, servers, bucket: str, **sections) -> None:
        self.servers = servers
        self.bucket = bucket
        routes = [{"source": f"s3://{bucket}", "output": "s3://small"}]
        self.settings = servers.settings(routes=routes, **sections)
        self.redis = servers.redis()
        self.telemetry = ProducerTelemetry(self.settings, "live")
        self.queue = JobQueue(self.settings, self.telemetry, queue=LIVE)
        self.intake = Intake(Router(self.settings, "run", Stores(self.settings)), self.queue, self.telemetry)

    def jobs(self) -> list[dict]:
        """The jobs in the queue, the first one first."""
        messages = self.redis.lrange(f"{self.settings.broker.key_prefix}{LIVE}", 0, -1)
        return [json.loads(base64.b64decode(json.loads(message)["body"]))[1] for message in reversed(messages)]

    def keys(self) -> list[str]:
        return [job["key"] for job in self.jobs()]

    def event(self, key: str) -> dict:
        stored = {"key": key, "size": 3, "eTag": "abc"}
        return {"eventName": "s3:ObjectCreated:Put", "s3": {"bucket": {"name": self.bucket}, "object": stored}}


class Away:
    """An intake whose broker is away."""

    def take(self, _body):
        raise BrokerUnavailableError("away")


def until(ready: Callable[[], object]) -> None:
    patience = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < patience
        time.sleep(0.02)


@pytest.fixture
def sqs(servers):
    return servers.client("sqs")


@pytest.fixture
def queue_url(sqs) -> str:
    return sqs.create_queue(QueueName=f"queue-{uuid4().hex}")["QueueUrl"]


@pytest.fixture
def queue_arn(sqs, queue_url) -> str:
    return sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@pytest.fixture
def system(servers, bucket, queue_url) -> System:
    return System(servers, bucket, sqs={"queue_url": queue_url}, events={"redis_list": f"list-{uuid4().hex}"})


def poller(system: System, **options) -> SqsPoller:
    return SqsPoller(system.settings, options.pop("intake", system.intake), long_poll_s=1, **options)


def drain(one: SqsPoller | RedisListPoller, system: System, count: int) -> None:
    def drained() -> bool:
        one.poll_once()
        return len(system.keys()) >= count

    until(drained)


def left(sqs, queue_url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return sum(map(int, answer.values()))


def upload(servers, bucket: str) -> dict[str, str]:
    """Write an object under each key; return their entity tags."""
    s3 = servers.client("s3")
    return {key: s3.put_object(Bucket=bucket, Key=key, Body=b"abc")["ETag"].strip('"') for key in KEYS}


@to_queues
def test_uploads_come_from_s3_through_sqs_with_their_keys(servers, system, sqs, queue_url, queue_arn):
    servers.client("s3").put_bucket_notification_configuration(
        Bucket=system.bucket,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": queue_arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
    etags = upload(servers, system.bucket)
    drain(poller(system), system, len(KEYS))
    assert {job["key"]: job["etag"] for job in system.jobs()} == etags
    assert {job["size"] for job in system.jobs()} == {3}
    assert left(sqs, queue_url) == 0


@to_queues
@pytest.mark.parametrize("raw", ["true", "false"])
def test_uploads_come_from_s3_through_sns_and_sqs(servers, system, queue_arn, raw):
    sns = servers.client("sns")
    topic = sns.create_topic(Name=f"topic-{uuid4().hex}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": raw})
    servers.client("s3").put_bucket_notification_configuration(
        Bucket=system.bucket,
        NotificationConfiguration={"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]},
    )
    upload(servers, system.bucket)
    drain(poller(system), system, len(KEYS))
    assert sorted(system.keys()) == sorted(KEYS)


def test_an_event_bridge_event_that_tells_no_entity_tag_is_completed(servers, system, sqs, queue_url):
    etags = upload(servers, system.bucket)
    for key in KEYS:
        detail = {"bucket": {"name": system.bucket}, "object": {"key": key}}
        sqs.send_message(
            QueueUrl=queue_url,
            MessageBody=json.dumps({"detail-type": "Object Created", "source": "aws.s3", "detail": detail}),
        )
    drain(poller(system), system, len(KEYS))
    assert {job["key"]: (job["etag"], job["size"]) for job in system.jobs()} == {k: (e, 3) for k, e in etags.items()}


def test_what_is_malformed_is_removed_and_the_rest_is_queued(system, sqs, queue_url):
    bodies = ["no JSON", json.dumps({"Records": [{"eventName": 5}, system.event("a.jpg")]})]
    for body in bodies:
        sqs.send_message(QueueUrl=queue_url, MessageBody=body)
    drain(poller(system), system, 1)
    until(lambda: poller(system).poll_once() == 0 and left(sqs, queue_url) == 0)
    assert system.keys() == ["a.jpg"]


def test_a_notification_stays_until_its_job_is_queued(system, sqs, queue_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps([system.event("a.jpg")]))
    with pytest.raises(BrokerUnavailableError):
        until(poller(system, intake=Away(), visibility_s=1).poll_once)
    assert left(sqs, queue_url) == 1
    drain(poller(system), system, 1)
    assert left(sqs, queue_url) == 0


class Slow:
    """An intake that waits at its first message."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.reached = threading.Event()
        self.released = threading.Event()

    def take(self, body):
        self.reached.set()
        assert self.released.wait(PATIENCE_S)
        return self.intake.take(body)


def test_notifications_stay_hidden_for_as_long_as_they_are_worked_on(system, sqs, queue_url):
    for number in range(3):
        sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps([system.event(f"{number}.jpg")]))
    slow = Slow(system.intake)
    thread = threading.Thread(target=poller(system, intake=slow, visibility_s=6).poll_once)
    thread.start()
    assert slow.reached.wait(PATIENCE_S)
    # more than a span of visibility goes by
    shown = [sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=10).get("Messages", [])]
    slow.released.set()
    thread.join()
    assert shown == [[]]
    assert left(sqs, queue_url) == 0
    assert sorted(system.keys()) == ["0.jpg", "1.jpg", "2.jpg"]


def push(system: System, *bodies: object) -> None:
    for body in bodies:
        text = body if isinstance(body, bytes) else json.dumps(body)
        system.redis.rpush(system.settings.events.redis_list, text)


def keys_of(system: System) -> list[str]:
    """What is left in Redis of the list and its pollers."""
    name = system.settings.events.redis_list
    found = [*system.redis.scan_iter(f"*{name}:taken:*"), *system.redis.scan_iter(name)]
    return [key.decode() for key in found]


def test_a_redis_list_is_worked_off_in_its_order(system):
    access = [{"Event": [system.event("in%2Fa%20b%2B.jpg")], "EventTime": "2026-11-01T12:00:00Z"}]
    push(system, access, b"\xff no JSON", {"Records": [system.event("b.jpg"), {"eventName": 5}]})
    drain(RedisListPoller(system.settings, system.intake, wait_s=1), system, 2)
    assert system.keys() == ["in/a b+.jpg", "b.jpg"]
    assert keys_of(system) == []


def test_a_poller_tries_again_what_it_could_not_finish(system):
    push(system, [system.event("a.jpg")], [system.event("b.jpg")])
    one = RedisListPoller(system.settings, Away(), wait_s=1)
    for _ in range(2):
        with pytest.raises(BrokerUnavailableError):
            one.poll_once()
    one._intake = system.intake
    drain(one, system, 2)
    assert system.keys() == ["a.jpg", "b.jpg"]


def test_what_a_dead_poller_held_is_given_back_and_what_a_living_one_holds_is_not(system):
    push(system, [system.event("a.jpg")], [system.event("b.jpg")])
    for lease_s in (60, 1):
        with pytest.raises(BrokerUnavailableError):
            RedisListPoller(system.settings, Away(), wait_s=1, lease_s=lease_s).poll_once()
    drain(RedisListPoller(system.settings, system.intake, wait_s=1), system, 1)
    assert system.keys() == ["b.jpg"]
    assert RedisListPoller(system.settings, system.intake, wait_s=1).poll_once() == 0


def test_a_poller_that_works_for_long_keeps_its_lease(system):
    push(system, [system.event("a.jpg")])
    slow = Slow(system.intake)
    thread = threading.Thread(target=RedisListPoller(system.settings, slow, lease_s=6).poll_once)
    thread.start()
    assert slow.reached.wait(PATIENCE_S)
    other = RedisListPoller(system.settings, system.intake, wait_s=3)
    assert [other.poll_once() for _ in range(3)] == [0, 0, 0]
    slow.released.set()
    thread.join()
    assert system.keys() == ["a.jpg"]


def test_a_poller_that_ends_gives_back_what_it_held(system):
    push(system, [system.event("a.jpg")], [system.event("b.jpg")])
    one = RedisListPoller(system.settings, Away(), wait_s=1)
    with pytest.raises(BrokerUnavailableError):
        one.poll_once()
    one.close()
    drain(RedisListPoller(system.settings, system.intake, wait_s=1), system, 2)
    assert system.keys() == ["a.jpg", "b.jpg"]


def test_a_name_that_holds_no_list_is_told(system):
    system.redis.hset(system.settings.events.redis_list, "photos/a.jpg", "{}")
    with pytest.raises(ConfigurationError, match="format 'access'"):
        RedisListPoller(system.settings, system.intake, wait_s=1).poll_once()


def test_the_command_works_off_a_redis_list_and_ends_with_sigterm(system, tmp_path):
    environment = {
        **system.servers.environment,
        "SEMJPEG_BROKER__URL": system.servers.broker_url,
        "SEMJPEG_BROKER__KEY_PREFIX": system.settings.broker.key_prefix,
        "SEMJPEG_EVENTS__REDIS_LIST": system.settings.events.redis_list,
        "SEMJPEG_SQS__QUEUE_URL": system.settings.sqs.queue_url,
    }
    command = (sys.executable, "-m", "semjpeg", "events", "poll", f"s3://{system.bucket}", "s3://small")
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (ended.returncode, "say --from sqs or --from redis" in ended.stderr) == (2, True)

    push(system, [system.event("a.jpg")])
    with Processes(tmp_path, environment) as processes:
        process = processes.start("poller", *command, "--from", "redis")
        until(lambda: system.keys() == ["a.jpg"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert keys_of(system) == []
