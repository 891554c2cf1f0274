"""What the checks are told: the settings, and what this machine is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, Self

from config.errors import ConfigurationError
from config.settings import Settings
from semjpeg.doctor.secrets import Secrets

if TYPE_CHECKING:
    from config.places import Place
    from config.recipes import Route
    from config.settings import S3Settings

Role = Literal["worker", "producer"]

TIMEOUT_S: Final = 5.0
"""What one request to a server may take: whoever waits for the doctor sits before it."""


def installed(module: str) -> bool:
    """Whether a module of the top level can be imported; it is not."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class Context:
    """What all checks share.

    Attributes:
        loaded: The settings; None where they cannot be read.
        refusal: Why they cannot be read.
        role: What the machine is for; None if that was not said.
        pair: Source and output that were named; None for those of the settings' routes.
        secrets: What must not be shown.
    """

    loaded: Settings | None
    refusal: str
    role: Role | None
    pair: Route | None
    secrets: Secrets = field(repr=False)

    @classmethod
    def make(cls, role: Role | None = None, pair: Route | None = None) -> Self:
        """Read the settings. That they cannot be read is no error here: a check tells it."""
        loaded, refusal = None, ""
        try:
            loaded = Settings.load()
        except ConfigurationError as error:
            refusal = str(error)
        return cls(loaded, refusal, role, pair, Secrets(loaded))

    @property
    def settings(self) -> Settings:
        """The settings.

        Raises:
            ConfigurationError: They cannot be read.
        """
        if self.loaded is None:
            raise ConfigurationError(self.refusal)
        return self.loaded

    @property
    def makes_pictures(self) -> bool:
        """Whether this machine is to do jobs, as far as one can tell."""
        return self.role == "worker" or (self.role is None and installed("tensorflow"))

    @property
    def writes_results(self) -> bool:
        """Whether what a worker may do is to be tried out, and not only what a producer may."""
        return self.role != "producer"

    @property
    def impatient_s3(self) -> S3Settings:
        """The settings of the object store, but one attempt and little time for each request."""
        s3 = self.settings.s3
        limits = {
            "connect_timeout_s": min(s3.connect_timeout_s, TIMEOUT_S),
            "read_timeout_s": min(s3.read_timeout_s, TIMEOUT_S),
            "max_attempts": 1,
        }
        return s3.model_copy(update=limits)

    @property
    def sources(self) -> list[Place]:
        """Where pictures are read, each place once."""
        return list(dict.fromkeys(route.source_place for route in self._routes))

    @property
    def outputs(self) -> list[Place]:
        """Where results are written, each place once."""
        return list(dict.fromkeys(route.output_place for route in self._routes))

    @property
    def _routes(self) -> list[Route]:
        if self.pair is not None:
            return [self.pair]
        return [] if self.loaded is None else list(self.loaded.routes)
