"""Keeps secrets out of what is shown, should an error of some library hold one."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from config.settings import Settings

_VARIABLES: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "SEMJPEG_EVENTS__TOKEN")
_URLS: Final = ("SEMJPEG_BROKER__URL", "SEMJPEG_EVENTS__REDIS_URL")
_SHORTEST: Final = 8
"""Shorter ones may be words, and the gaps would tell them."""


class Secrets:
    """The secrets that are known so far."""

    def __init__(self, settings: Settings | None) -> None:
        """Collect those of the environment and, where they could be read, of the settings."""
        self._known: set[str] = set()
        for variable in _VARIABLES:
            self.add(os.environ.get(variable))
        for variable in _URLS:
            self._add_url(os.environ.get(variable, ""))
        if settings is not None:
            self._add_url(settings.broker.url.get_secret_value())
            if settings.events.redis_url:
                self._add_url(settings.events.redis_url.get_secret_value())
            if settings.events.token:
                self.add(settings.events.token.get_secret_value())

    def add(self, secret: str | None) -> None:
        """Keep one more out."""
        if secret and len(secret) >= _SHORTEST:
            self._known.add(secret)

    def hidden(self, text: str) -> str:
        """Return a text on one line and without the secrets."""
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, "***")
        return re.sub(r"\s+", " ", text).strip()

    def _add_url(self, url: str) -> None:
        """Keep out what stands before the `@`: the user, too, for a password is easily put in its place."""
        for part in url.partition("://")[2].rpartition("@")[0].split(":", 1):
            self.add(part)
            self.add(unquote(part))
