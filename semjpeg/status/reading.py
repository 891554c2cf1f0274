"""Reads the state of the system from the broker, and from the workers through it."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import redis
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.broker import make_observer
from config.counters import RunCounters
from config.errors import BrokerUnavailableError, ConfigurationError
from config.queues import QUEUES, queue_key
from semjpeg.status.state import RunState, SystemState, WorkerState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kombu.connection import Connection

    from config.settings import Settings

_CONNECT_TIMEOUT_S = 3.0
_SILENCE_S = 1.0
"""Workers have all answered when none has for so long. They do within 0.1 s, and within 0.5 s where ten programs want
each core."""
_PATIENCE_S = 3.0
"""The same for a worker that is known to be there."""
_MOST_NAMED = 20
"""Known runs in the message about an unknown one."""


class StateReader:
    """Looks at the system, as often as it is asked to."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; nothing connects before the first look."""
        url = settings.broker.url.get_secret_value()
        address = urlsplit(url)
        self._address = f"{address.hostname}:{address.port or 6379}"
        self._app = make_observer(settings)
        self._seen: Counter[str] = Counter()
        self._prefix = settings.broker.key_prefix
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=_CONNECT_TIMEOUT_S,
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._counters = RunCounters(self._redis, self._prefix)

    def system(self, most_runs: int) -> SystemState:
        """Look at everything; at most `most_runs` runs, those that moved last.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with self._translated():
            names = self._counters.runs()
            return self._look(names[:most_runs], other_runs=len(names[most_runs:]))

    def run(self, name: str) -> SystemState:
        """Look at one run, and at queue and workers.

        Raises:
            BrokerUnavailableError: The broker does not answer.
            ConfigurationError: There is no such run; the message names those that there are.
        """
        with self._translated():
            names = self._counters.runs()
            if name not in names:
                known = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
                raise ConfigurationError(f"no run is called {name!r}; there are: {known or 'none'}")
            return self._look([name], other_runs=len(names) - 1)

    def _look(self, names: list[str], other_runs: int) -> SystemState:
        """Read the counters and then ask the workers, who answer at once: so both belong to one moment."""
        with self._redis.pipeline(transaction=False) as together:
            together.time()
            for queue in QUEUES:
                together.llen(queue_key(self._prefix, queue))
            together.hlen(f"{self._prefix}unacked")
            together.llen(f"{self._prefix}put-aside")
            (seconds, microseconds), *waiting, delivered, put_aside = together.execute()
        counted = self._counters.snapshot(names)
        workers = self._workers(delivered)
        in_flight: Counter[str] = sum((Counter(worker.in_flight) for worker in workers), Counter())
        runs = [RunState(counts, in_flight[counts.run]) for counts in counted]
        runs.sort(key=lambda run: run.count("began_ms"), reverse=True)
        return SystemState(
            at=datetime.fromtimestamp(seconds + microseconds / 1e6, UTC),
            runs=tuple(runs),
            other_runs=other_runs,
            waiting=sum(waiting),
            delivered=delivered,
            put_aside=put_aside,
            workers=tuple(workers),
        )

    def _workers(self, delivered: int) -> list[WorkerState]:
        """Ask all workers what they are doing, and those that answered how they are made.

        All are asked once more, with patience, before a worker that answered the last time counts as gone, and before
        nobody is said to be there who might have taken the `delivered` messages.
        """
        with self._app.connection_for_write() as connection:
            active = self._ask(connection, "active", silence_s=_SILENCE_S)
            found = Counter({name: len(answers) for name, answers in active.items()})
            if self._seen - found or (delivered and not found):
                active = self._ask(connection, "active", silence_s=_PATIENCE_S)
                found = Counter({name: len(answers) for name, answers in active.items()})
            self._seen = found
            stats = self._ask(connection, "stats", silence_s=_PATIENCE_S, of=found) if found else {}
        workers = []
        for name in sorted(active):
            answers: Iterator[tuple[Any, Any]] = zip_longest(
                active[name], stats.get(name, [])[: found[name]], fillvalue={}
            )
            workers += [_worker(name, tasks, facts) for tasks, facts in answers]
        return workers

    def _ask(
        self, connection: Connection, question: str, *, silence_s: float, of: Counter[str] | None = None
    ) -> dict[str, list[Any]]:
        """Ask workers, all or those of some names, and sort the answers by name.

        Workers that share a name, as two on one machine may, answer each for itself.
        """
        replies = self._app.control.broadcast(
            question,
            reply=True,
            timeout=silence_s,
            connection=connection,
            destination=list(of) if of else None,
            limit=of.total() if of else None,
        )
        answers: defaultdict[str, list[Any]] = defaultdict(list)
        for reply in replies or []:
            for name, answer in reply.items():
                answers[name].append(answer)
        return answers

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, OperationalError, OSError) as error:
            raise BrokerUnavailableError(f"the broker at {self._address} does not answer: {error}") from error


def _worker(name: str, tasks: Any, facts: Any) -> WorkerState:
    """Read a worker's two answers.

    In place of either it may say that it could not look: its threads began or ended a job at that very moment. It is
    alive all the same.
    """
    pool = facts.get("pool", {})
    runs = [str(task["kwargs"].get("run", "")) for task in tasks] if isinstance(tasks, list) else []
    return WorkerState(
        name=name,
        threads=int(pool.get("max-concurrency", len(runs))),
        in_flight=Counter(runs),
        attempts=sum(facts.get("total", {}).values()),
        uptime_s=float(facts.get("uptime", 0)),
    )
