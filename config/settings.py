"""Typed settings from the environment and a TOML file.

The environment wins over the file: `SEMJPEG_BROKER__URL` is `url` in the file's table `[broker]`. The file is the one
that `SEMJPEG_CONFIG` names, else `semjpeg.toml` in the working directory where there is one. S3 credentials are found
the way boto3 always does (`AWS_ACCESS_KEY_ID`, profiles, instance roles) and are no setting of ours.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from config.errors import ConfigurationError
from config.machine import LARGEST_BATCH, images_in_flight, pictures_in_batch, usable_cores, worker_processes
from config.memory import memory_for_pictures
from config.queues import QUEUES, QueueName
from config.recipes import Recipe, Route
from config.redis_url import RedisUrl

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARED_PORT: Final = 9464
"""Of metrics, in our images: every process of a container has it in its environment, and one alone can listen there."""

Positive = Annotated[int, Field(gt=0)]
PositiveSeconds = Annotated[float, Field(gt=0)]


def _without_credentials(url: str) -> str:
    """Refuse a user or a password in a URL: error messages and logs show it.

    Raises:
        ValueError: There is one.
    """
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise ValueError("must hold no user and no password: credentials have places of their own")
    return url


Endpoint = Annotated[str, AfterValidator(_without_credentials)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class BrokerSettings(_Section):
    """The Redis (or Valkey) server that holds the queue and the counters."""

    url: RedisUrl = SecretStr("redis://127.0.0.1:6379/0")
    """`redis://[user:password@]host:port/db`, or `rediss://…` for TLS: the server's certificate is verified, by the
    system's authorities or by those of `?ssl_ca_certs=FILE`; `&ssl_certfile=FILE&ssl_keyfile=FILE` shows one's own."""
    key_prefix: str = "semjpeg:"
    """Stands before every key, so that a server can be shared."""
    visibility_timeout_s: Positive = 60
    """A task of which its worker gave no sign of life for so long is given to another. A worker gives one six times in
    that span, so this bounds how long a dead worker's jobs wait, not how long a job may take."""


class S3Settings(_Section):
    """The object store, for all buckets."""

    endpoint_url: Endpoint | None = None
    """None means AWS."""
    region: str | None = None
    addressing_style: Literal["auto", "path", "virtual"] = "auto"
    checksums: Literal["when_supported", "when_required"] = "when_required"
    """Stores other than AWS may reject the checksums that boto3 sends with `when_supported`."""
    connect_timeout_s: PositiveSeconds = 5
    read_timeout_s: PositiveSeconds = 30
    max_attempts: Positive = 4


class SqsSettings(_Section):
    """The queue to which the object store sends its notifications."""

    queue_url: Endpoint | None = None
    endpoint_url: Endpoint | None = None
    """None means the store's own endpoint_url, else AWS."""


class EventsSettings(_Section):
    """How notifications come in by other ways than SQS."""

    token: Annotated[SecretStr, Field(min_length=16)] | None = None
    """What a store must show to `semjpeg events serve`; without it, only this machine may send."""
    max_body_bytes: Positive = 1024 * 1024
    """Of one request."""
    requests_per_s: Annotated[float, Field(gt=0)] = 200
    """Taken by one process in the long run; `burst` requests may come at once."""
    burst: Positive = 400
    threads: Annotated[int, Field(ge=1, le=64)] = 8
    """Requests whose jobs are queued at the same time."""
    redis_list: str | None = None
    """The list to which a store pushes notifications, as MinIO's `redis` target does. Its whole name."""
    redis_url: RedisUrl | None = None
    """The server that holds the list, as a URL like the broker's; None means the broker."""


class LimitSettings(_Section):
    """What one image may cost. Each limit holds before the memory or the time is spent."""

    max_bytes: Positive = 256 * 1024 * 1024
    max_pixels: Positive = 200_000_000
    deadline_s: PositiveSeconds = 300
    """For one image, less the time for which it waited for memory."""
    memory_bytes: Positive = Field(default_factory=memory_for_pictures)
    """What all images in flight in one process may take together, by estimate; one that needs more runs alone."""


def _share(known: Mapping[str, int]) -> int:
    """Return the cores of one process."""
    return -(-known["cores"] // known["processes"])


class WorkerSettings(_Section):
    """How a worker uses its machine."""

    cores: Positive = Field(default_factory=usable_cores)
    """All that its processes compute on together."""
    processes: Positive = Field(
        default_factory=lambda known: worker_processes(known["cores"], 2 * memory_for_pictures())
    )
    """How many share these cores."""
    threads: Positive = Field(default_factory=lambda known: images_in_flight(_share(known)))
    """Images in flight in one process. As many as it has cores compute at a time; the others are read, written, or
    gathered for a batch of the network."""
    batch_size: Annotated[int, Field(ge=1, le=LARGEST_BATCH)] = Field(
        default_factory=lambda known: pictures_in_batch(_share(known))
    )
    """Most pictures that go through the network together."""
    batch_wait_s: Annotated[float, Field(ge=0, le=5)] = 1.0
    """How long the first picture of a batch waits for others at most, while all cores are busy; as soon as one has
    nothing else to do, the batch goes as it is."""
    queues: Annotated[tuple[QueueName, ...], Field(min_length=1)] = QUEUES
    """Where jobs are taken from; one that stands before another is emptied first."""
    max_retries: Annotated[int, Field(ge=0)] = 8
    drain_s: Annotated[float, Field(ge=0)] = 25
    """How long a worker that is told to stop goes on with what it has begun; what is not finished then goes back to its
    queue. Below the grace period after which it would be killed: 30 s where Kubernetes is told nothing else."""

    @property
    def cores_of_process(self) -> int:
        """The share of one process; of cores that cannot be shared evenly, a larger one."""
        return _share({"cores": self.cores, "processes": self.processes})


class MetricsSettings(_Section):
    """How closely results are looked at. What takes longer than encoding is measured on a share of them alone."""

    full_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Which share of the images has all measures, chosen by hash of the key: the same ones whenever they are done."""
    full_max_pixels: Annotated[int, Field(ge=4096)] = 1_000_000
    """Of a larger picture these measures look at so many pixels in its middle: their memory and time grow with them."""


class PrometheusSettings(_Section):
    """Where a long-running process serves its metrics and its health."""

    host: str = "127.0.0.1"
    """An IP address of this machine, or its name. The metrics are no secret, and tell nothing of keys or contents."""
    port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """None: nothing is served; 0: one that is free, which the log names. Any other must be free, but for `SHARED_PORT`:
    whoever finds that taken does without."""


class TracingSettings(_Section):
    """Where traces are sent."""

    endpoint: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """An OpenTelemetry collector's address for traces, by HTTP: `http://collector:4318/v1/traces`. None: no traces."""


class ProducerSettings(_Section):
    """Back-pressure: a scan stops at `high_water` queued jobs and goes on at `low_water`."""

    high_water: Positive = 20_000
    low_water: Positive = 10_000

    def model_post_init(self, _context: object, /) -> None:
        """Refuse marks that would never let a scan go on."""
        if self.low_water >= self.high_water:
            raise ConfigurationError("producer.low_water must be below producer.high_water")


class StorageSettings(_Section):
    """What a worker may touch besides S3."""

    local_root: Path | None = None
    """`file://` places must lie in this folder; without it there are none."""


class ModelSettings(_Section):
    """The network that makes the importance maps."""

    path: Path | None = None
    """A weights file made by `semjpeg train`; None means the weights that ship with semjpeg."""


class Settings(BaseSettings):
    """All settings. `Settings.load()` is the way to read them."""

    model_config = SettingsConfigDict(
        env_prefix="SEMJPEG_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    broker: BrokerSettings = BrokerSettings()
    s3: S3Settings = S3Settings()
    sqs: SqsSettings = SqsSettings()
    events: EventsSettings = EventsSettings()
    limits: LimitSettings = LimitSettings()
    worker: WorkerSettings = WorkerSettings()
    metrics: MetricsSettings = MetricsSettings()
    prometheus: PrometheusSettings = PrometheusSettings()
    tracing: TracingSettings = TracingSettings()
    producer: ProducerSettings = ProducerSettings()
    storage: StorageSettings = StorageSettings()
    model: ModelSettings = ModelSettings()
    recipes: dict[str, Recipe] = {}
    routes: tuple[Route, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _settings_file())

    @classmethod
    def load(cls) -> Settings:
        """Read the environment and the file.

        Raises:
            ConfigurationError: The file cannot be read, or a setting is unknown or malformed; each one is named.
        """
        known = {"CONFIG", *map(str.upper, cls.model_fields)}
        for variable in os.environ:
            section = variable.removeprefix("SEMJPEG_").partition("__")[0]
            if variable.startswith("SEMJPEG_") and section not in known:
                raise ConfigurationError(f"settings: the environment variable {variable} is none of ours")
        try:
            return cls()
        except ValidationError as error:
            reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ConfigurationError(f"settings: {reasons}") from error
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"settings: {error}") from error

    @property
    def memory_of_process(self) -> int:
        """Bytes that the images in flight in one worker process may take: its part, where nobody has said how many."""
        said = "memory_bytes" in self.limits.model_fields_set
        return self.limits.memory_bytes if said else self.limits.memory_bytes // self.worker.processes

    def recipe(self, name: str) -> Recipe:
        """Return the recipe called `name`; `default` exists without being configured.

        Raises:
            ConfigurationError: There is none of that name.
        """
        if name in self.recipes:
            return self.recipes[name].model_copy(update={"name": name})
        if name == "default":
            return Recipe()
        known = ", ".join(sorted({"default", *self.recipes}))
        raise ConfigurationError(f"no recipe is called {name!r}; there are: {known}")


def _settings_file() -> Path | None:
    if named := os.environ.get("SEMJPEG_CONFIG"):
        if not Path(named).is_file():
            raise ConfigurationError(f"SEMJPEG_CONFIG names {named!r}, which is no file")
        return Path(named)
    here = Path("semjpeg.toml")
    return here if here.is_file() else None
