"""What the broker holds, read when somebody asks: queue lengths, jobs that are taken, messages put aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import redis
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.queues import QUEUES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from prometheus_client.core import Metric

    from config.settings import BrokerSettings

_ANSWER_S: Final = 1.0
"""To connect, and for each answer. A scrape must be through before Prometheus gives up, after ten seconds mostly."""


@dataclass(frozen=True, slots=True)
class BrokerState:
    """What a look at the broker showed. What this process' user may not read is missing, or None.

    Attributes:
        queue_lengths: Jobs that nobody has taken, by queue.
        unacknowledged: Jobs that a worker took and has not finished, and those that wait to be tried again.
        put_aside: Messages that no worker could do anything with.
    """

    queue_lengths: Mapping[str, int]
    unacknowledged: int | None
    put_aside: int | None

    def waiting(self, queues: Sequence[str]) -> int:
        """Return how many jobs nobody has taken from some of the queues."""
        return sum(self.queue_lengths.get(queue, 0) for queue in queues)


class BrokerWatch:
    """Looks at the broker within a short time limit."""

    def __init__(self, settings: BrokerSettings) -> None:
        """Prepare; nothing connects before the first look."""
        self._prefix = settings.key_prefix
        self._redis = redis.Redis.from_url(
            settings.url.get_secret_value(),
            socket_timeout=_ANSWER_S,
            socket_connect_timeout=_ANSWER_S,
            retry=Retry(NoBackoff(), 0),
        )

    def look(self) -> BrokerState | None:
        """Look once; None: the broker does not answer."""
        try:
            with self._redis.pipeline(transaction=False) as together:
                for queue in QUEUES:
                    together.llen(f"{self._prefix}{queue}")
                together.hlen(f"{self._prefix}unacked")
                together.llen(f"{self._prefix}put-aside")
                *lengths, unacknowledged, put_aside = map(_number, together.execute(raise_on_error=False))
        except (redis.RedisError, OSError):
            return None
        known: dict[str, int] = {
            queue: length for queue, length in zip(QUEUES, lengths, strict=True) if length is not None
        }
        return BrokerState(known, unacknowledged, put_aside)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


def _number(answer: Any) -> int | None:
    """Read one answer; a refusal, as for a key that another user may read, is none."""
    return answer if isinstance(answer, int) else None


class BrokerCollector(Collector):
    """Makes metrics of what a look at the broker shows."""

    def __init__(self, look: Callable[[], BrokerState | None]) -> None:
        self._look = look

    def describe(self) -> Iterable[Metric]:
        """Name the metrics without asking the broker."""
        return _families()

    def collect(self) -> Iterable[Metric]:
        """Look, and tell; of a broker that is away there is nothing to tell but that."""
        up, length, unacknowledged, put_aside = families = _families()
        state = self._look()
        up.add_metric([], float(state is not None))
        if state:
            for queue, jobs in state.queue_lengths.items():
                length.add_metric([queue], jobs)
            for family, amount in ((unacknowledged, state.unacknowledged), (put_aside, state.put_aside)):
                if amount is not None:
                    family.add_metric([], amount)
        return families


def _families() -> tuple[GaugeMetricFamily, ...]:
    return (
        GaugeMetricFamily("semjpeg_broker_up", "Whether the broker answered at this scrape.", labels=[]),
        GaugeMetricFamily("semjpeg_queue_length", "Jobs that no worker has taken.", labels=["queue"]),
        GaugeMetricFamily("semjpeg_unacknowledged", "Jobs that are taken or wait to be tried again.", labels=[]),
        GaugeMetricFamily("semjpeg_put_aside", "Messages that no worker could do anything with.", labels=[]),
    )
