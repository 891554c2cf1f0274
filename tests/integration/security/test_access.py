"""Who may do what at the broker, and how a server shows who it is."""

from __future__ import annotations

import json
import re

import pytest
import redis

from config.queues import BULK

USERS = ("worker", "producer", "reader")


def test_with_its_own_user_every_part_does_its_work(story):
    results = {o["Key"] for o in story.s3().list_objects_v2(Bucket="photos-small")["Contents"]}
    names = ("0", "1", "2", "bad", "by-webhook", "by-list")
    assert {key for key in results if key.endswith(".jpg")} == {f"out/{name}.png.jpg" for name in names}
    assert {key for key in results if "/failed/" in key} == {"out/.semjpeg/failed/worse.png.json"}
    detail, failures, report = story.told
    assert json.loads(detail)["done"] == 3
    assert "in/worse.png: not-an-image" in failures
    assert "report.html" in report


def test_nobody_was_refused_anything(story):
    assert story.denied == []


@pytest.mark.parametrize("user", USERS)
def test_what_no_user_may(story, user):
    broker, admin = story.connect(user), story.admin()
    admin.set("foreign", "1")
    refused = ["flushall", "flushdb", "shutdown", "monitor", "keys *", "scan 0", "config get *", "acl list", "info"]
    refused += ["script flush", "client list", "eval return 0", "get foreign", "del foreign", "publish foreign 1"]
    refused += ["hgetall foreign", "smembers foreign"]
    for command in refused:
        with pytest.raises(redis.exceptions.NoPermissionError):
            broker.execute_command(*command.split())
    assert admin.get("foreign") == "1"
    rights = admin.acl_getuser(f"semjpeg-{user}")
    granted = {right.removeprefix("+") for right in rights["commands"] if right.startswith("+")}
    assert "ping" in granted
    assert granted.isdisjoint(admin.acl_cat("dangerous"))
    assert rights["categories"] == ["-@all"]


def test_what_only_some_users_may(story):
    admin = story.admin()
    admin.set("semjpeg:claim:a", "somebody")
    queue = f"semjpeg:{BULK}"
    reader = ("lpush", queue, "a"), ("brpop", queue, 1), ("del", "semjpeg:run:one"), ("set", "semjpeg:claim:a", 1)
    reader += ("zadd", "semjpeg:unacked_index", 0, "a"), ("sadd", "semjpeg:places:one", "a")
    producer = ("rpop", queue), ("brpop", queue, 1), ("get", "semjpeg:claim:a"), ("hgetall", "semjpeg:unacked")
    producer += ("del", "semjpeg:unacked"), ("publish", "semjpeg:/0.celery.pidbox", "{}")
    worker = ("lmove", queue, "semjpeg:a", "LEFT", "LEFT"), ("lrem", queue, 0, "a"), ("keys", "semjpeg:*")
    for user, commands in (("reader", reader), ("producer", producer), ("worker", worker)):
        for command in commands:
            with pytest.raises(redis.exceptions.NoPermissionError):
                story.connect(user).execute_command(*command)
    write = story.connect("reader").register_script("return redis.call('SET', KEYS[1], 'mine')")
    with pytest.raises(redis.ResponseError, match=r"(?i)permission"):
        write(keys=["semjpeg:claim:a"])
    assert admin.get("semjpeg:claim:a") == "somebody"


def test_the_broker_asks_for_a_name_and_a_password(story):
    for wrong in ({}, {"username": "semjpeg-worker", "password": "wrong"}, {"password": story.password("worker")}):
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=story.port, **wrong).ping()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda url: url.partition("?")[0], "(?i)certificate verify failed"),
        (lambda url: url.replace("127.0.0.1", "localhost"), "(?i)mismatch"),
        (lambda url: url.replace("rediss:", "redis:").partition("?")[0], "broker"),
    ],
    ids=["unknown authority", "other host", "no TLS"],
)
def test_a_server_that_cannot_show_who_it_is_gets_no_password(story, change, reason):
    url = change(story.url("reader"))
    story.run("reader", "status", expected=1, SEMJPEG_BROKER__URL=url)
    assert re.search(reason, story.said[-1])
