"""What to do about a server that does not answer."""

from __future__ import annotations

import socket


def to_reach(host: str, setting: str) -> str | None:
    """Say what to do if nobody knows where a host is.

    Args:
        host: Its name or address.
        setting: The variable that names it.

    Returns:
        None: its address is known, so the trouble lies elsewhere.
    """
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return (
            f"Correct the host in {setting}, or see to this machine's name service: it knows no {host!r}. "
            "Names of containers and pods are known inside of their network alone."
        )
    return None
