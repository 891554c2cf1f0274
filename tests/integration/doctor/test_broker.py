"""What `semjpeg doctor` finds about the broker and its queues."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_valkey
from semjpeg.doctor.finding import Status

ROOT = Path(__file__).parents[3]
CLOSED_PORT = 1
SECRET = "pass-word-%2F-secret-77"  # noqa: S105 - recognisable, and nobody's


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


def test_what_waits_and_what_was_put_aside(servers, look, environment, keys_in):
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
