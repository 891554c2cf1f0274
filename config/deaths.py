"""What Redis remembers of the attempts at a job that began and never came to an end, because their workers died."""

from __future__ import annotations

from typing import TYPE_CHECKING

import redis

from config.errors import BrokerUnavailableError

if TYPE_CHECKING:
    from redis import Redis


def begun_key(key_prefix: str, identity: str) -> str:
    """Return the Redis key of the set of a job's attempts that began and never ended."""
    return f"{key_prefix}begun:{identity}"


def forget_deaths(client: Redis, key_prefix: str, identity: str) -> None:
    """Let a job be begun again however many workers died with it.

    Raises:
        BrokerUnavailableError: Redis does not answer.
    """
    try:
        client.delete(begun_key(key_prefix, identity))
    except redis.RedisError as error:
        raise BrokerUnavailableError(f"the broker does not answer: {error}") from error
