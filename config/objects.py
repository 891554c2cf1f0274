"""What is known of a stored object without reading it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of one object, as a listing, a HEAD request or an event tells.

    Attributes:
        key: The whole key, decoded.
        etag: The entity tag without its quotes.
        size_bytes: Length of the content.
        version: The version id, where the bucket keeps versions.
        modified: When it was written, by the store's clock; an event does not always say.
        metadata: The user metadata, where it was asked for (a listing does not carry it).
    """

    key: str
    etag: str
    size_bytes: int
    version: str | None = None
    modified: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
