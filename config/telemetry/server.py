"""Serves `/metrics` and `/healthz`, in threads of its own."""

from __future__ import annotations

import errno
import json
import socket
import threading
from contextlib import contextmanager
from socketserver import TCPServer
from typing import TYPE_CHECKING, Final
from wsgiref.simple_server import WSGIRequestHandler

import structlog
from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from config.errors import ConfigurationError
from config.settings import SHARED_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

    from config.settings import PrometheusSettings
    from config.telemetry.process import Telemetry

METRICS_PATH: Final = "/metrics"
HEALTH_PATH: Final = "/healthz"

_REQUEST_S: Final = 10
"""A connection that is silent for longer is closed."""

_log = structlog.get_logger(__name__)


@contextmanager
def served(telemetry: Telemetry, settings: PrometheusSettings) -> Iterator[int | None]:
    """Serve the metrics and the health of this process while the block runs, where a port is set.

    A command that somebody runs in a container beside its main process has that one's port as its setting. It does its
    work without metrics, and says so; a port that was chosen for one process alone has to be free.

    Yields:
        The port; None: nothing listens, for none is set, or the containers' own is another process'.

    Raises:
        ConfigurationError: The address is taken, or none of this machine.
    """
    server = None if settings.port is None else _listening(settings.host, settings.port)
    if server is None:
        yield None
        return
    server.set_app(_Application(telemetry))
    thread = threading.Thread(target=server.serve_forever, name="prometheus", daemon=True)
    thread.start()
    _log.info("metrics", host=settings.host, port=server.server_port)
    try:
        yield server.server_port
    finally:
        telemetry.close()
        server.shutdown()
        thread.join()
        server.server_close()


class _Application:
    """The WSGI application."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._metrics = make_wsgi_app(telemetry.registry)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        if environ["PATH_INFO"] == METRICS_PATH:
            answer: list[bytes] = self._metrics(environ, start_response)
            return answer
        if environ["PATH_INFO"] != HEALTH_PATH:
            return _answer(start_response, "404 Not Found", {"paths": [METRICS_PATH, HEALTH_PATH]})
        if reason := self._telemetry.trouble():
            return _answer(start_response, "503 Service Unavailable", {"status": "no progress", "reason": reason})
        return _answer(start_response, "200 OK", {"status": "ok", "in_flight": self._telemetry.progress.in_flight})


def _answer(start_response: StartResponse, status: str, document: dict[str, object]) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(document).encode()]


def _listening(host: str, port: int) -> ThreadingWSGIServer | None:
    """Listen; None: another process of the container does so already.

    Raises:
        ConfigurationError: The address is taken, or none of this machine.
    """
    try:
        return _server(host, port)
    except OSError as error:
        if port == SHARED_PORT and error.errno == errno.EADDRINUSE:
            _log.warning("no metrics of this process", host=host, port=port, reason=str(error))
            return None
        raise ConfigurationError(
            f"prometheus.host {host}, prometheus.port {port}: cannot listen there: {error}"
        ) from error


def _server(host: str, port: int) -> ThreadingWSGIServer:
    """Listen."""

    class Server(ThreadingWSGIServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def server_bind(self) -> None:
            """Bind without asking the name service for this machine's name: it may be slow, or away."""
            TCPServer.server_bind(self)
            self.server_name, self.server_port = host, int(self.server_address[1])
            self.setup_environ()

    return Server((host, port), _Handler)


class _Handler(WSGIRequestHandler):
    """Answers one connection."""

    timeout = _REQUEST_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        """Keep silent: scrapes come every few seconds."""
