"""What the threads of one worker process share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis

import models
from config.counters import RunCounters
from storage import Stores
from worker.roi import MapBatcher

if TYPE_CHECKING:
    from config.settings import Settings


@dataclass(frozen=True, slots=True)
class Node:
    """The network, the stores and the broker, opened once for a process and used by all of its threads."""

    settings: Settings
    stores: Stores
    maps: MapBatcher
    redis: redis.Redis
    counters: RunCounters

    @classmethod
    def start(cls, settings: Settings) -> Node:
        """Load the network and compile it, so that the first image is as fast as any.

        Raises:
            ModelError: The weights are missing or damaged.
            ConfigurationError: An endpoint is malformed.
        """
        model = models.load(settings.model.path)
        model.warm_up()
        broker = settings.broker
        client = redis.Redis.from_url(
            broker.url.get_secret_value(), socket_timeout=20, socket_connect_timeout=5, health_check_interval=15
        )
        return cls(
            settings=settings,
            stores=Stores(settings, max_connections=settings.worker.threads + 2),
            maps=MapBatcher(model, batch_size=settings.worker.batch_size, wait_s=settings.worker.batch_wait_s),
            redis=client,
            counters=RunCounters(client, broker.key_prefix),
        )

    def close(self) -> None:
        """Finish the maps that wait, and close the connections."""
        self.maps.close()
        self.redis.close()
