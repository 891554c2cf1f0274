"""What an image needs between download and upload: the network, cores, and memory. No broker and no store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import models
from worker.cores import Cores
from worker.memory import MemoryBudget, share_memory
from worker.roi import MapBatcher

if TYPE_CHECKING:
    from config.settings import Settings

_CORES_PER_NETWORK_THREAD: Final = 4
"""On processors the network takes up to a quarter of an image's time: it gets a thread for so many cores."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The network, the cores and the memory of a process, used by all of its threads."""

    settings: Settings
    maps: MapBatcher
    cores: Cores
    memory: MemoryBudget

    @classmethod
    def start(cls, settings: Settings) -> Tools:
        """Load the network and compile it, so that the first image is as fast as any.

        Raises:
            ModelError: The weights are missing or damaged.
        """
        share_memory()
        cores = Cores(settings.worker.cores_of_process)
        model = models.load(settings.model.path, threads=-(-cores.count // _CORES_PER_NETWORK_THREAD))
        model.warm_up(settings.worker.batch_size)
        maps = MapBatcher(model, cores, batch_size=settings.worker.batch_size, wait_s=settings.worker.batch_wait_s)
        return cls(settings, maps, cores, MemoryBudget(settings.limits.memory_bytes))

    def close(self) -> None:
        """Finish the maps that wait."""
        self.maps.close()
