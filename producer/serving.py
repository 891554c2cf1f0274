"""Runs a webhook on uvicorn until SIGTERM."""

from __future__ import annotations

import signal
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from config.errors import ConfigurationError
from producer.webhook import BODY_S

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from starlette.applications import Starlette

_MOST_CONNECTIONS = 128
"""More are answered with 503. Times the longest body, it bounds the memory that requests take."""
_MOST_OPEN = 4 * _MOST_CONNECTIONS
"""More are closed unheard: even to be answered with 503, one has to be kept until its request is there."""
_BACKLOG = 1024
_GRACE_S = BODY_S + 10
"""For so long requests in flight may go on after SIGTERM."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Attributes:
        host: An IP address of this machine, or its name.
        port: 0 means one that is free.
        certificate: A PEM file with the certificate and those that vouch for it; None means plain HTTP.
        key: A PEM file with its key; None means that the certificate's file holds it, too.
    """

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine can connect."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class Connection(H11Protocol):
    """A connection that ends where its next request does not come: uvicorn waits for the rest of one for ever."""

    headers_s = 10.0
    """From the beginning, or from the last answer, to the end of a request's headers."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > _MOST_OPEN:
            transport.abort()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Wait no longer once a request is there: then its body has a limit of its own."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._wait_no_longer()

    def on_response_complete(self) -> None:
        """Wait for the next request, which may be there already."""
        self._wait()
        super().on_response_complete()

    def _wait(self) -> None:
        self._wait_no_longer()
        self._timer = self.loop.call_later(self.headers_s, self.transport.abort)

    def _wait_no_longer(self) -> None:
        if self._timer:
            self._timer.cancel()


def check(address: Address, *, has_token: bool) -> None:
    """Refuse an address that would let anyone send.

    Raises:
        ConfigurationError: Other machines can connect, and no token is set; or the files for TLS are not there.
    """
    if not address.is_loopback and not has_token:
        raise ConfigurationError(
            f"events.token is not set, and {address.host} can be reached from other machines: anyone could queue jobs"
        )
    if address.key and not address.certificate:
        raise ConfigurationError(f"the key {address.key} needs its certificate")
    for file in filter(None, (address.certificate, address.key)):
        if not file.is_file():
            raise ConfigurationError(f"{file} is no file")


def serve(application: Starlette, address: Address) -> None:
    """Answer requests until SIGTERM or SIGINT, then finish those in flight.

    Raises:
        ConfigurationError: The certificate and its key cannot be used, or the address is taken or none of this machine.
    """
    config = configuration(application, address)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn has its own while it runs, and raises the signal again after
    with listener(address) as listening:
        _log.info("listening", host=address.host, port=listening.getsockname()[1], tls=bool(address.certificate))
        uvicorn.Server(config).run(sockets=[listening])


def configuration(application: Starlette, address: Address) -> uvicorn.Config:
    """Return what uvicorn has to know.

    Raises:
        ConfigurationError: The certificate and its key cannot be used.
    """
    config = uvicorn.Config(
        application,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(f"TLS with {address.certificate}: {error}") from error
    return config


def listener(address: Address) -> socket.socket:
    """Listen. asyncio sends small answers at once only on sockets that name their protocol: TCP_NODELAY.

    Raises:
        ConfigurationError: The address is taken, or none of this machine.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address.host, address.port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigurationError(f"cannot listen at {address.host}, port {address.port}: {error}") from error
    return listening
