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


def main() -> None:
    """Serve until killed."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    moto = DomainDispatcherApplication(create_backend_app)

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
