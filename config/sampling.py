"""Which images belong to a sample: the same ones in every process and on every day."""

from __future__ import annotations

import hashlib

_BYTES = 8
_POSITIONS = 1 << 64


def position(bucket: str, key: str) -> float:
    """Return where an object lies between 0 and 1, by hash of bucket and key.

    The objects below p are a sample of the share p, and every smaller sample is part of it.
    """
    name = f"{bucket}/{key}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(name).digest()[:_BYTES]) / _POSITIONS
