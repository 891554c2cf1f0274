"""An S3 and SQS server in memory (moto, served by waitress): `python -m semjpeg.demo.s3_server PORT_FILE`.

It listens on a free loopback port and writes the port's number to PORT_FILE.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from waitress.server import create_server

from semjpeg.files import write_file

_THREADS = 8
_MAX_BODY_BYTES = 1 << 30


class _Dispatcher(DomainDispatcherApplication):
    """Remembers which service a host means: moto lists its own folder to find out, a third of a request's time."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._services: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """Return the name of a host's service; None where there is none."""
        if host not in self._services:
            self._services[host] = super().get_backend_for_host(host)
        return self._services[host]


def main() -> None:
    """Serve until killed."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    moto = _Dispatcher()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        # moto looks for the undecoded path, in which a key's question mark is not the query's, under another name
        environ["RAW_URI"] = environ["REQUEST_URI"]
        return moto(environ, start_response)

    server = create_server(
        application,
        host="127.0.0.1",
        port=0,
        threads=_THREADS,
        max_request_body_size=_MAX_BODY_BYTES,
    )
    write_file(Path(sys.argv[1]), str(server.effective_port).encode())
    server.run()


if __name__ == "__main__":
    main()
