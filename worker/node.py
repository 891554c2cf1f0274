"""What the threads of one worker process share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis

import models
from config.counters import RunCounters
from storage import Stores
from worker.claim import Claims
from worker.company import Company
from worker.heartbeat import Heartbeat
from worker.memory import MemoryBudget, give_back_large_blocks
from worker.roi import MapBatcher

if TYPE_CHECKING:
    from config.settings import Settings

_ANSWERS_PER_TIMEOUT = 12
"""A beat that hangs is given up in time for the next ones to renew the leases."""


@dataclass(frozen=True, slots=True)
class Node:
    """The network, the stores and the broker, opened once for a process and used by all of its threads."""

    settings: Settings
    stores: Stores
    maps: MapBatcher
    redis: redis.Redis
    counters: RunCounters
    heartbeat: Heartbeat
    claims: Claims
    memory: MemoryBudget

    @classmethod
    def start(cls, settings: Settings) -> Node:
        """Load the network and compile it, so that the first image is as fast as any.

        Raises:
            ModelError: The weights are missing or damaged.
            ConfigurationError: An endpoint is malformed.
        """
        give_back_large_blocks()
        model = models.load(settings.model.path)
        model.warm_up()
        broker = settings.broker
        url = broker.url.get_secret_value()
        client = redis.Redis.from_url(url, socket_timeout=20, socket_connect_timeout=5, health_check_interval=15)
        pulse_s = broker.visibility_timeout_s / _ANSWERS_PER_TIMEOUT
        pulse = redis.Redis.from_url(url, socket_timeout=pulse_s, socket_connect_timeout=pulse_s)
        heartbeat = Heartbeat(pulse, broker.key_prefix, broker.visibility_timeout_s)
        return cls(
            settings=settings,
            stores=Stores(settings, max_connections=settings.worker.threads + 2),
            maps=MapBatcher(model, batch_size=settings.worker.batch_size, wait_s=settings.worker.batch_wait_s),
            redis=client,
            counters=RunCounters(client, broker.key_prefix),
            heartbeat=heartbeat,
            claims=Claims(client, broker.key_prefix, heartbeat, Company()),
            memory=MemoryBudget(settings.limits.memory_bytes),
        )

    def close(self) -> None:
        """Finish the maps that wait, and close the connections."""
        self.maps.close()
        self.heartbeat.close()
        self.redis.close()
