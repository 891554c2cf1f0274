"""`semjpeg doctor` beside real servers: what it finds, what it says, and that it leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from config.errors import ForbiddenError
from config.recipes import Route
from models.weights import SHIPPED, record_path
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_valkey
from semjpeg.doctor.checks import checks_for
from semjpeg.doctor.context import Context
from semjpeg.doctor.finding import Finding, Status
from semjpeg.doctor.runner import examine
from storage.s3 import S3Store

ROOT = Path(__file__).parents[2]
CLOSED_PORT = 1
SECRET = "pass-word-%2F-secret-77"  # noqa: S105 - recognisable, and nobody's

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


@pytest.fixture(scope="module")
def own_broker(servers, tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("broker")
    with Processes(folder, servers.environment) as processes:
        yield start_valkey(processes, folder)


@pytest.fixture
def admin(own_broker) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(own_broker) as client:
        yield client
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendonly", "yes")


def keys_of(servers, route: Route) -> list[str]:
    """All that ever was in the output bucket and still costs: objects, versions and marks of removal."""
    answer = servers.client("s3").list_object_versions(Bucket=route.output_place.bucket)
    return [found["Key"] for kind in ("Versions", "DeleteMarkers") for found in answer.get(kind, ())]


def keys_in(client: redis.Redis, pattern: str = "*") -> list[bytes]:
    """All keys but the one in which kombu notes, for all who ever asked the workers, until when they wait."""
    return sorted(key for key in client.keys(pattern) if not key.endswith(b":_kombu.binding_deadlines"))


def run(*arguments: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    program = ["-c", code] if code else ["-m", "semjpeg"]
    return subprocess.run(
        [sys.executable, *program, "doctor", *arguments], capture_output=True, text=True, check=False, timeout=240
    )


def test_all_is_well_and_nothing_is_left_behind(servers, photos):
    client = servers.redis()
    before = keys_in(client)
    done = run(photos.source, photos.output, "--for", "worker", "--json")
    told = json.loads(done.stdout)
    assert [each for each in told["findings"] if each["status"] == "failed"] == [], done.stdout
    assert (done.returncode, done.stderr) == (0, "")
    assert told["status"] in {"ok", "warning"}  # the machine that runs this may have too little of something
    found = {(each["check"].partition(" ")[0], each["name"]): each for each in told["findings"]}
    for what in (
        ("settings", "read"),
        ("broker", "rights of a worker"),
        ("queues", "put aside"),
        ("store", "login"),
        ("source", "GET"),
        ("output", "If-None-Match"),
        ("output", "If-Match"),
        ("output", "overwriting"),
        ("output", "DELETE"),
        ("model", "map"),
        ("kernels", "machine code"),
    ):
        assert found[what]["status"] == "ok", found[what]
    assert "shipped" in found["model", "weights"]["message"]
    assert keys_of(servers, photos) == []
    assert set(keys_in(client)) <= set(before)  # of those that were there some may have run out meanwhile


def test_a_broker_that_is_away_hides_nothing_else(look, environment, photos):
    environment(BROKER__URL=f"redis://127.0.0.1:{CLOSED_PORT}/0")
    found = look("broker", "queues", "source", pair=photos)
    assert found["broker", "connection"].status is Status.FAILED
    assert "SEMJPEG_BROKER__URL" in found["broker", "connection"].mend
    assert "'broker'" in found["queues", "all of it"].mend
    assert found["source", "GET"].status is Status.OK


@pytest.mark.parametrize(
    ("url", "mend"),
    [
        (f"redis://127.0.0.1:{CLOSED_PORT}/0", "rediss:// if it speaks TLS alone"),
        (f"rediss://127.0.0.1:{CLOSED_PORT}/0", "redis:// if it speaks no TLS"),
        ("redis://no-such-host.invalid/0", "knows no 'no-such-host.invalid'"),
    ],
)
def test_a_broker_that_is_not_where_the_settings_say(look, environment, url, mend):
    environment(BROKER__URL=url)
    found = look("broker")["broker", "connection"]
    assert found.status is Status.FAILED
    assert mend in found.mend
    assert "SEMJPEG_BROKER__URL" in found.mend


def test_a_database_that_the_broker_does_not_have(servers, look, environment):
    environment(BROKER__URL=servers.broker_url.rpartition("/")[0] + "/99")
    found = look("broker")["broker", "connection"]
    assert found.status is Status.FAILED
    assert "out of range" in found.message
    assert "number of the database" in found.mend


def test_a_wrong_password_is_told_apart(servers, look, environment):
    environment(BROKER__URL=f"redis://:{SECRET}@{servers.broker_url.rpartition('@')[2]}")
    found = look("broker")["broker", "connection"]
    assert found.status is Status.FAILED
    assert "refuses the login" in found.message
    assert "password" in found.mend


def test_a_broker_that_may_lose_jobs(look, environment, own_broker, admin):
    environment(BROKER__URL=own_broker)
    found = look("broker")
    assert [found["broker", name].status for name in ("maxmemory-policy", "appendonly")] == [Status.OK, Status.OK]
    admin.config_set("maxmemory-policy", "allkeys-lru")
    admin.config_set("appendonly", "no")
    found = look("broker")
    assert found["broker", "maxmemory-policy"].status is Status.FAILED
    assert "noeviction" in found["broker", "maxmemory-policy"].mend
    assert found["broker", "appendonly"].status is Status.WARNING
    assert "appendonly yes" in found["broker", "appendonly"].mend


def test_a_broker_without_memory_takes_no_jobs(look, environment, own_broker, admin):
    environment(BROKER__URL=own_broker)
    admin.config_set("maxmemory", 1)
    try:
        found = look("broker", "queues")
    finally:
        admin.config_set("maxmemory", 0)
    assert found["broker", "memory"].status is Status.FAILED
    assert found["broker", "writing"].status is Status.FAILED


@pytest.mark.parametrize("role", ["worker", "producer"])
def test_the_rights_in_the_delivered_file_suffice_and_a_missing_one_is_named(
    look, environment, own_broker, admin, role
):
    [rules] = [
        line.split()[2:]
        for line in (ROOT / "deploy/redis/users.acl").read_text().splitlines()
        if line.startswith(f"user semjpeg-{role} ")
    ]
    password = [f">{SECRET}" if rule.startswith("#") else rule for rule in rules]
    admin.execute_command("ACL", "SETUSER", f"the-{role}", "reset", *password)
    environment(
        BROKER__URL=f"redis://the-{role}:{SECRET.replace('%', '%25')}@{own_broker.rpartition('@')[2]}",
        BROKER__KEY_PREFIX="semjpeg:",
    )
    before = admin.keys("*")
    found = look("broker", role=role)
    assert found["broker", f"rights of a {role}"].status is Status.OK, found["broker", f"rights of a {role}"]
    assert found["broker", "server"].status is Status.WARNING  # INFO is none of these rights
    admin.execute_command("ACL", "SETUSER", f"the-{role}", "-zadd", "-hkeys")
    found = look("broker", role=role)["broker", f"rights of a {role}"]
    assert found.status is Status.FAILED
    assert "HKEYS semjpeg:pace:doctor" in found.message
    assert "ZADD" in found.message
    assert "HGETALL" not in found.message
    assert "ACL SETUSER" in found.mend
    assert admin.keys("*") == before


def test_what_waits_and_what_was_put_aside(servers, look, environment):
    prefix = f"doctor-{uuid4().hex}:"
    environment(BROKER__KEY_PREFIX=prefix)
    client = servers.redis()
    client.lpush(f"{prefix}put-aside", "{}")
    try:
        found = look("queues")
    finally:
        client.delete(f"{prefix}put-aside")
    assert found["queues", "put aside"].status is Status.WARNING
    assert f"LRANGE {prefix}put-aside" in found["queues", "put aside"].mend
    assert keys_in(client, f"{prefix}*") == []


@pytest.mark.parametrize("role", ["worker", "producer"])
def test_a_bucket_that_is_not_there(look, photos, role):
    found = look("source", "output", role=role, pair=Route(source=photos.source, output="s3://no-such-bucket"))
    assert found["source", "GET"].status is Status.OK
    assert found["output", "LIST"].status is Status.FAILED
    assert "Create the bucket" in found["output", "LIST"].mend


def test_a_producer_writes_nothing(look, photos):
    found = look("output", pair=photos)
    assert {name for _, name in found} - {"region"} == {"LIST", "HEAD"}  # not all stores tell the region


def test_an_empty_source_cannot_be_read_from(look, servers, photos):
    servers.client("s3").delete_object(Bucket=photos.source_place.bucket, Key="in/a.jpg")
    assert look("source", pair=photos)["source", "LIST"].status is Status.WARNING


def test_without_credentials(look, photos, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = look("store", "source", pair=photos)
    assert found["store", "credentials"].status is Status.FAILED
    assert "AWS_ACCESS_KEY_ID" in found["store", "credentials"].mend
    assert found["source", "all of it"].status is Status.WARNING


def test_what_was_written_is_removed_when_reading_it_fails(look, servers, photos, monkeypatch):
    def refuse(*_: object, **__: object) -> bytes:
        raise ForbiddenError("no")

    monkeypatch.setattr(S3Store, "get", refuse)
    found = look("output", role="worker", pair=photos)
    assert found["output", "PUT"].status is Status.OK
    assert found["output", "HEAD and GET"].status is Status.FAILED
    assert found["output", "DELETE"].status is Status.OK
    assert keys_of(servers, photos) == []


def test_what_was_written_is_removed_when_reading_it_hangs(servers, photos, monkeypatch):
    seen: list[str] = []

    def hang(*_: object, **__: object) -> bytes:
        seen.extend(keys_of(servers, photos))
        time.sleep(3)
        raise ForbiddenError("no")

    monkeypatch.setattr(S3Store, "get", hang)
    context = Context.make("worker", photos)
    [check] = [check for check in checks_for(context) if check.name.startswith("output")]
    found = list(examine([replace(check, limit_s=1.5)], context))
    assert found[-1].status is Status.FAILED
    assert "no end within 1.5 s" in found[-1].message
    assert [key.rpartition("/")[0] for key in seen] == ["small/.semjpeg/doctor"]
    assert keys_of(servers, photos) == []


def test_of_a_versioned_bucket_no_version_is_left(look, servers, photos):
    servers.client("s3").put_bucket_versioning(
        Bucket=photos.output_place.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    found = look("output", role="worker", pair=photos)
    assert found["output", "versions"].status is Status.OK
    assert found["output", "DELETE"].status is Status.OK
    assert keys_of(servers, photos) == []


def test_folders_of_this_machine(look, environment, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jpg").write_bytes(b"0123")
    pair = Route(source=f"file://{tmp_path}/in", output=f"file://{tmp_path}/out")
    found = look("source", role="worker", pair=pair)
    assert "SEMJPEG_STORAGE__LOCAL_ROOT" in found["source", "opening"].mend
    environment(STORAGE__LOCAL_ROOT=str(tmp_path))
    assert f"mkdir -p {tmp_path}/out" in look("output", role="worker", pair=pair)["output", "LIST"].mend
    (tmp_path / "out").mkdir()
    found = look("source", "output", role="worker", pair=pair)
    assert {each.status for each in found.values()} == {Status.OK}, found
    assert [path for path in (tmp_path / "out").rglob("*") if path.name != "lock" and path.is_file()] == []


def test_a_damaged_network_is_named(look, environment, tmp_path):
    weights = tmp_path / "own.keras"
    content = bytearray(SHIPPED.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    shutil.copy(record_path(SHIPPED), record_path(weights))
    environment(MODEL__PATH=str(weights))
    found = look("model", role="worker")["model", "weights"]
    assert found.status is Status.FAILED
    assert str(weights) in found.message
    assert "SEMJPEG_MODEL__PATH" in found.mend


def test_ways_of_notifications(look, environment, servers, bucket):
    sqs = servers.client("sqs")
    url = sqs.create_queue(QueueName=bucket)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    name = f"doctor-list-{bucket}"
    environment(SQS__QUEUE_URL=url, EVENTS__REDIS_LIST=name)
    servers.redis().set(name, "no list", ex=60)
    found = look("events")
    assert "1 messages wait, 0 are being read" in found["events", "SQS"].message
    assert found["events", "Redis list"].status is Status.FAILED
    environment(SQS__QUEUE_URL=f"{url}-that-is-not-there", EVENTS__TOKEN=SECRET)
    servers.redis().delete(name)
    found = look("events")
    assert found["events", "SQS"].status is Status.FAILED
    assert "Create the queue" in found["events", "SQS"].mend
    assert found["events", "Redis list"].status is Status.OK
    assert "a token is set" in found["events", "webhook"].message


def test_a_producer_needs_no_pixels_and_a_worker_is_told_what_is_missing(photos):
    hidden = ["numpy", "PIL", "tensorflow", "keras", "numba"]
    code = (
        f"import sys\nfor name in {hidden!r}: sys.modules[name] = None\n"
        "from semjpeg.cli import main\nsys.argv = ['semjpeg', *sys.argv[1:]]\nmain()"
    )
    done = run(photos.source, photos.output, "--for", "producer", code=code)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok      source" in done.stdout
    done = run(code=code)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "model" not in done.stdout
    done = run("--for", "worker", code=code)
    assert done.returncode == 1
    assert "failed  model: packages: missing: numpy, keras, tensorflow" in done.stdout
    assert "pip install '.[worker]'" in done.stdout


def test_secrets_are_never_shown(servers, environment, photos, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws-key-secret-77")
    address = servers.broker_url.rpartition("@")[2]
    environment(
        EVENTS__TOKEN=f"webhook-{SECRET}",
        EVENTS__REDIS_LIST="any",
        EVENTS__REDIS_URL=f"redis://user-secret-77:{SECRET}@{address}",
    )
    said = ""
    for url, form in (
        (servers.broker_url, ()),
        (f"redis://:{SECRET}@{address}", ("--json",)),
        (f"redis://{SECRET}@{address}", ()),
        (f"redis:/{SECRET}", ("--json",)),
    ):
        environment(BROKER__URL=url)
        done = run(photos.source, photos.output, "--for", "producer", *form)
        assert done.returncode == 1  # the list's password is wrong in any case
        said += done.stdout + done.stderr
    assert "secret-77" not in said
    assert servers.broker_url.partition(":")[2].partition("@")[0].strip("/:") not in said


def test_settings_that_cannot_be_read_are_a_finding_and_arguments_a_misuse(environment, photos):
    done = run(photos.source)
    assert done.returncode == 2
    done = run(photos.source, f"{photos.source}/below")
    assert done.returncode == 2
    assert "compressed again" in done.stderr
    environment(BROKR__URL="redis://127.0.0.1")
    done = run("--for", "producer", "--json")
    assert done.returncode == 1
    found = {(each["check"], each["name"]): each for each in json.loads(done.stdout)["findings"]}
    assert "SEMJPEG_BROKR__URL" in found["settings", "read"]["message"]
    assert found["machine", "Python"]["status"] == "ok"
    assert found["broker", "all of it"]["status"] == "warning"
