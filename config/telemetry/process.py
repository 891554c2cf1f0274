"""What every long-running process tells of itself, whatever its work is."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Info, ProcessCollector, disable_created_metrics

from config.queues import QUEUES
from config.telemetry.broker import BrokerCollector, BrokerWatch
from config.telemetry.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.settings import Settings
    from config.telemetry.broker import BrokerState

_BEYOND_THE_DEADLINE_S: Final = 60.0
"""An image ends by itself at its deadline, but only between two stages."""


class Telemetry:
    """One for each process, with a registry of its own. Thread-safe.

    Labels have values of closed sets only, and every series that can be named beforehand is there from the start: so a
    first failure shows as an increase from nought.
    """

    def __init__(
        self, settings: Settings, *, model: str = "", threads: int = 0, queues: Sequence[str] = QUEUES
    ) -> None:
        """Prepare; nothing connects and nothing listens yet.

        Args:
            settings: Of this process.
            model: The hash of the network's weights, where there is one.
            threads: Images that may be in flight; 0 for a process that takes no jobs.
            queues: Those from which this process takes jobs.
        """
        # they double the number of series and tell nothing that a counter's reset does not
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.progress = Progress(threads, settings.limits.deadline_s + _BEYOND_THE_DEADLINE_S)
        self._queues = queues
        self._watch = BrokerWatch(settings.broker)
        ProcessCollector(registry=self.registry)
        build = Info("semjpeg_build", "What runs here.", registry=self.registry)
        build.info({"version": version("semjpeg"), "model": model[:12]})
        self.registry.register(BrokerCollector(self._look))

    def trouble(self) -> str | None:
        """Look at the broker and say why there is no progress; None where all is well."""
        self._look()
        return self.progress.trouble()

    def close(self) -> None:
        """Close the connections to the broker."""
        self._watch.close()

    def _look(self) -> BrokerState | None:
        state = self._watch.look()
        self.progress.looked(state.waiting(self._queues) if state else None)
        return state
