"""The URL of a Redis or Valkey server, in the one form that every client of ours reads alike.

Two libraries read it, redis-py and kombu, and they differ in what they make of other forms. The worst difference:
kombu takes `rediss://` without further options for TLS that verifies nothing. So what is not understood by both is
refused here, and so is everything that would weaken TLS.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import AfterValidator, SecretStr

_FILES = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
"""What may stand behind the question mark: paths of PEM files."""

_FORM = (
    "redis://[user:password@]host[:port][/db], or rediss:// with ?ssl_ca_certs=FILE&ssl_certfile=FILE&ssl_keyfile=FILE"
)
_ENCODED = "special characters of the password stand as %XX"


def uses_tls(url: str) -> bool:
    """Whether a connection to this URL is encrypted, and the server's certificate verified."""
    return url.startswith("rediss://")


def _checked(secret: SecretStr) -> SecretStr:
    """Refuse what is malformed in words that show nothing of it: any part may be one of a password.

    Raises:
        ValueError: It has another form, or a file that it names cannot be found.
    """
    parts = _parts(secret.get_secret_value())
    options = parse_qsl(parts.query, keep_blank_values=True)
    if options and not uses_tls(parts.geturl()):
        raise ValueError("options after the question mark need rediss://")
    for name, value in options:
        if name not in _FILES:
            raise ValueError(f"has an option other than {', '.join(sorted(_FILES))}: certificates are always verified")
        if not Path(value).is_file():
            raise ValueError(f"{name} names no file")
    if {"ssl_certfile", "ssl_keyfile"} & dict(options).keys() == {"ssl_keyfile"}:
        raise ValueError("ssl_keyfile needs ssl_certfile")
    return secret


def _parts(url: str) -> SplitResult:
    form = f"must be {_FORM}; {_ENCODED}"
    try:
        parts = urlsplit(url)
        well_formed = (
            parts.scheme in {"redis", "rediss"}
            and bool(parts.hostname)
            and parts.port != 0
            and re.fullmatch(r"(?:/\d*)?", parts.path)
            and not parts.fragment
            and ";" not in url  # kombu takes it for a list of URLs
            and url == url.strip()
        )
    except ValueError:
        well_formed = False
    if not well_formed:
        raise ValueError(form) from None
    return parts


RedisUrl = Annotated[SecretStr, AfterValidator(_checked)]
"""A `SecretStr` that was checked; its text is for clients alone."""
