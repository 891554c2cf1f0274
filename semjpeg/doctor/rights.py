"""What the broker's user may do, tried out without doing it.

A server checks the rights of a command already when it puts it into a transaction. So every command that is needed
goes, with a key that it is needed for, into a transaction that is then thrown away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import redis
from redis.exceptions import NoPermissionError

from config.queues import QUEUES, queue_key
from semjpeg.doctor.finding import BrokenOffError, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from semjpeg.doctor.context import Context

_COUNTING: Final = (
    "hincrby run:doctor done 1",
    "hsetnx run:doctor began_ms 1",
    "hgetall run:doctor",
    "expire run:doctor 60",
    "zadd runs 1 doctor",
    "zremrangebyrank runs 0 0",
    "sadd places:doctor x",
    "hincrby pace:doctor x 1",
    "hkeys pace:doctor",
    "hdel pace:doctor x",
)
"""Command, key without the prefix, further arguments."""

_OF_A_WORKER: Final = (
    *_COUNTING,
    "get claim:doctor",
    "set claim:doctor x px 1000",
    "pexpire claim:doctor 1000",
    "del claim:doctor",
    "scard begun:doctor",
    "sadd begun:doctor x",
    "srem begun:doctor x",
    "hset unacked x y",
    "hget unacked x",
    "hdel unacked x",
    "zadd unacked_index 1 x",
    "zrem unacked_index x",
    "zrangebyscore unacked_index 0 1",
    "lpush put-aside x",
    "ltrim put-aside 0 9",
)
_OF_A_PRODUCER: Final = (
    *_COUNTING,
    "hset checkpoint:doctor x y",
    "hgetall checkpoint:doctor",
    "del checkpoint:doctor",
    "zadd listing:doctor 1 x",
    "zrem listing:doctor x",
    "del begun:doctor",
)
_ON_QUEUES_BY_WORKER: Final = ("lpush", "brpop", "rpush", "llen")
_ON_QUEUES_BY_PRODUCER: Final = ("lpush", "llen")
_ARGUMENTS: Final = {"lpush": ["x"], "rpush": ["x"], "brpop": ["1"], "llen": []}
_WITHOUT_KEY: Final = (["time"], ["script", "load", "return 1"], ["evalsha", "0" * 40, "0"])
_MOST_NAMED: Final = 8


def look_at_rights(client: redis.Redis, context: Context) -> Iterator[Finding]:
    """Try out what a worker or a producer does, or both; nothing is changed."""
    prefix = context.settings.broker.key_prefix
    channel = f"{prefix}/{client.get_connection_kwargs().get('db', 0)}.celery.pidbox"
    for role, commands, on_queues in (
        ("worker", _OF_A_WORKER, _ON_QUEUES_BY_WORKER),
        ("producer", _OF_A_PRODUCER, _ON_QUEUES_BY_PRODUCER),
    ):
        if context.role not in {None, role}:
            continue
        needed = [[verb, f"{prefix}{key}", *rest] for verb, key, *rest in map(str.split, commands)]
        needed += [[verb, queue_key(prefix, queue), *_ARGUMENTS[verb]] for queue in QUEUES for verb in on_queues]
        if role == "worker":
            needed += [["psubscribe", channel], ["publish", channel, "x"]]
        refused = _refused(client, [*_WITHOUT_KEY, *needed])
        mend = f"Give the user the rights of the {role} in deploy/redis/users.acl: ACL SETUSER name +command ~key."
        message = f"not allowed: {', '.join(refused[:_MOST_NAMED])}{', …' if len(refused) > _MOST_NAMED else ''}"
        # whoever did not say what the machine is for may well be the other
        made = Finding.failed if context.role or role == _likely(context) else Finding.warning
        yield (
            made(f"rights of a {role}", message, mend)
            if refused
            else Finding.ok(f"rights of a {role}", f"all {len(needed)} commands that it needs")
        )


def _likely(context: Context) -> str:
    return "worker" if context.makes_pictures else "producer"


def _refused(client: redis.Redis, needed: list[list[str]]) -> list[str]:
    """Return which commands the server refuses, with their keys.

    Raises:
        BrokenOffError: It refuses transactions, without which nothing goes, or writes by anybody.
    """
    connection: Any = client.connection_pool.get_connection()
    refused = []
    try:
        connection.send_command("MULTI")
        connection.read_response()
        for command in needed:
            connection.send_command(*command)
            try:
                connection.read_response()
            except NoPermissionError:
                refused.append(_named(command))
        connection.send_command("DISCARD")
        connection.read_response()
    except NoPermissionError as error:
        mend = "Let the user run MULTI, EXEC and DISCARD: ACL SETUSER … +multi +exec +discard."
        raise BrokenOffError(Finding.failed("rights", f"transactions are refused: {error}", mend)) from error
    except redis.ResponseError as error:  # a replica, no memory left, a disk that is full
        mend = "See to what the server's message says: as it is, it takes no jobs."
        raise BrokenOffError(Finding.failed("writing", f"is refused: {error}", mend)) from error
    finally:
        connection.disconnect()
        client.connection_pool.release(connection)
    return refused


def _named(command: list[str]) -> str:
    verb, first = command[0].upper(), command[1:2]
    return verb if command[0] == "evalsha" else " ".join([verb, *first])
