"""What the threads of one worker process share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis

from config.counters import RunCounters
from config.telemetry import WorkerTelemetry
from config.tracing import Tracing
from storage import Stores
from worker.claim import Claims
from worker.company import Company
from worker.drain import Drain
from worker.heartbeat import Heartbeat
from worker.tools import Tools

if TYPE_CHECKING:
    from config.settings import Settings

_ANSWERS_PER_TIMEOUT = 12
"""A beat that hangs is given up in time for the next ones to renew the leases."""


@dataclass(frozen=True, slots=True)
class Node:
    """The tools, the stores and the broker, opened once for a process and used by all of its threads."""

    tools: Tools
    stores: Stores
    redis: redis.Redis
    counters: RunCounters
    heartbeat: Heartbeat
    claims: Claims
    drain: Drain
    telemetry: WorkerTelemetry
    tracing: Tracing

    @classmethod
    def start(cls, settings: Settings) -> Node:
        """Make everything ready for the first image.

        Raises:
            ModelError: The weights are missing or damaged.
            ConfigurationError: An endpoint is malformed.
        """
        tracing = Tracing(settings.tracing)
        tools = Tools.start(settings)
        telemetry = WorkerTelemetry(settings, tools.maps.model.sha256)
        tools.maps.tell = telemetry.batch
        telemetry.watch_memory(lambda: tools.memory.used_bytes)
        broker = settings.broker
        url = broker.url.get_secret_value()
        client = redis.Redis.from_url(url, socket_timeout=20, socket_connect_timeout=5, health_check_interval=15)
        pulse_s = broker.visibility_timeout_s / _ANSWERS_PER_TIMEOUT
        pulse = redis.Redis.from_url(url, socket_timeout=pulse_s, socket_connect_timeout=pulse_s)
        heartbeat = Heartbeat(pulse, broker.key_prefix, broker.visibility_timeout_s)
        return cls(
            tools=tools,
            stores=Stores(settings, max_connections=settings.worker.threads + 2),
            redis=client,
            counters=RunCounters(client, broker.key_prefix),
            heartbeat=heartbeat,
            claims=Claims(client, broker.key_prefix, heartbeat, Company()),
            drain=Drain(heartbeat, settings.worker.drain_s),
            telemetry=telemetry,
            tracing=tracing,
        )

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return self.tools.settings

    @property
    def model_hash(self) -> str:
        """SHA-256 of the network's weights."""
        return self.tools.maps.model.sha256

    def close(self) -> None:
        """Finish the maps that wait, unless their jobs were given back, and close the connections."""
        if not self.drain.gave_back:
            self.tools.close()
        self.heartbeat.close()
        self.telemetry.close()
        self.tracing.close()
        self.redis.close()
