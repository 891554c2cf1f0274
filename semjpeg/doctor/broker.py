"""Check: the broker, and whether it is set up so that no job gets lost."""

from __future__ import annotations

import ssl
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from config.redis_url import uses_tls
from semjpeg.doctor.clock import compared
from semjpeg.doctor.context import TIMEOUT_S
from semjpeg.doctor.finding import BrokenOffError, Finding
from semjpeg.doctor.reaching import to_reach
from semjpeg.doctor.rights import look_at_rights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from semjpeg.doctor.context import Context

_OLDEST_VERSION: Final = (6, 2)
_NEARLY_FULL: Final = 0.8
_FULL: Final = 0.95


def look_at_broker(context: Context) -> Iterator[Finding]:
    """See that the broker answers, keeps what it is given, and lets this user do what is needed."""
    url = context.settings.broker.url.get_secret_value()
    with connected(url) as client:
        yield Finding.ok("connection", reached(client, url, "SEMJPEG_BROKER__URL"))
        yield encryption(url)
        seconds, microseconds = client.time()
        yield compared(time.time(), seconds + microseconds / 1e6)
        try:
            facts: dict[str, Any] = client.info()
        except NoPermissionError:
            mend = (
                "Let the user run INFO (ACL SETUSER … +info), or see to version, maxmemory-policy and appendonly there."
            )
            yield Finding.warning("server", "this user may not ask how the server is set up", mend)
        else:
            yield from server(facts)
        yield from look_at_rights(client, context)


def connected(url: str) -> redis.Redis:
    """Return a client that gives up soon."""
    return redis.Redis.from_url(
        url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    )


def reached(client: redis.Redis, url: str, setting: str) -> str:
    """Connect, and say whereto.

    Raises:
        BrokenOffError: It cannot be reached, or refuses the password.
    """
    parts = urlsplit(url)
    address = f"{parts.hostname}:{parts.port or 6379}"
    try:
        client.ping()
    except redis.AuthenticationError as error:
        mend = (
            f"Put the right user and password into {setting}: redis://user:password@host:port/db, special characters "
            "as %XX; the server shows its users to an administrator by ACL LIST."
        )
        raise BrokenOffError(Finding.failed("connection", f"{address} refuses the login: {error}", mend)) from error
    except NoPermissionError as error:
        mend = "Let the user run PING: ACL SETUSER … +ping (deploy/redis/users.acl has all that is needed)."
        raise BrokenOffError(Finding.failed("connection", f"{address}: {error}", mend)) from error
    except redis.ResponseError as error:
        mend = f"Correct the number of the database, the last part of {setting}, or mend what the server complains of."
        raise BrokenOffError(Finding.failed("connection", f"{address} refuses: {error}", mend)) from error
    except (redis.RedisError, OSError) as error:
        mend = to_reach(parts.hostname or "", setting) or _way_back(error, url, setting, address)
        raise BrokenOffError(Finding.failed("connection", f"{address} does not answer: {error}", mend)) from error
    return f"{address} answers and takes the login"


def _way_back(error: Exception, url: str, setting: str, address: str) -> str:
    if isinstance(error.__cause__ or error.__context__, ssl.SSLError) or "CERTIFICATE" in str(error):
        return f"Name the authority of the server's certificate in {setting}: rediss://…?ssl_ca_certs=FILE."
    scheme = "redis:// if it speaks no TLS" if uses_tls(url) else "rediss:// if it speaks TLS alone"
    return f"Start the broker, set {setting} to where it is ({scheme}), and see that no firewall closes {address}."


def encryption(url: str) -> Finding:
    """Judge whether others may listen."""
    host = urlsplit(url).hostname or ""
    if uses_tls(url):
        return Finding.ok("encryption", "TLS, with the server's certificate verified")
    return Finding.judged(
        "encryption",
        "none: the server is on this machine" if is_loopback(host) else "none: password and keys cross the network",
        "Have the server speak TLS and write rediss:// in place of redis://.",
        good=is_loopback(host),
    )


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def server(facts: Mapping[str, Any]) -> Iterator[Finding]:
    """Judge what the server says of itself (`INFO`)."""
    name = str(facts.get("server_name", "redis"))
    version = str(facts.get("redis_version", "0"))
    numbers = tuple(int(part) if part.isdecimal() else 0 for part in version.split(".")[:2])
    message = f"{name} {facts.get('valkey_version', version)}"
    if numbers < _OLDEST_VERSION:
        yield Finding.failed("version", f"{message} is too old", "Install Valkey, or Redis 6.2 or later.")
    else:
        yield Finding.ok("version", message)
    if facts.get("cluster_enabled"):
        yield Finding.failed("cluster", "is a node of a cluster", "Use a server without cluster mode for the queue.")
    if facts.get("role") in {"slave", "replica"}:
        mend = "Set SEMJPEG_BROKER__URL to the primary server."
        yield Finding.failed("role", "is a replica, which takes no writes", mend)
    yield _policy(str(facts.get("maxmemory_policy", "unknown")))
    yield _persistence(facts)
    yield _memory(int(facts.get("used_memory", 0)), int(facts.get("maxmemory", 0)))


def _policy(policy: str) -> Finding:
    if policy == "noeviction":
        return Finding.ok("maxmemory-policy", policy)
    mend = "CONFIG SET maxmemory-policy noeviction, and the same line in the server's configuration."
    return Finding.failed("maxmemory-policy", f"{policy}: a full server throws jobs away", mend)


def _persistence(facts: Mapping[str, Any]) -> Finding:
    if not facts.get("aof_enabled"):
        mend = "CONFIG SET appendonly yes, and the same line in the server's configuration."
        return Finding.warning("appendonly", "no: a restart loses the jobs of the last minutes, or all", mend)
    if facts.get("aof_last_write_status", "ok") != "ok":
        return Finding.failed("appendonly", "the last write failed", "Make room on the server's disk.")
    return Finding.ok("appendonly", "yes")


def _memory(used: int, most: int) -> Finding:
    if not most:
        return Finding.ok("memory", f"{used / 1e6:.1f} MB used, no limit set")
    message = f"{used / 1e6:.1f} of {most / 1e6:.1f} MB used"
    mend = "Raise maxmemory, lower SEMJPEG_PRODUCER__HIGH_WATER, or start more workers."
    if used >= most * _FULL:
        return Finding.failed("memory", f"{message}: no more jobs are taken", mend)
    return Finding.judged("memory", message, mend, good=used < most * _NEARLY_FULL)
