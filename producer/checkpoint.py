"""How far a backfill has come, in the broker's Redis: a producer that died goes on from there.

The position moves in the same transaction that queues the jobs before it, so a key is neither passed over nor queued
twice, wherever the producer dies. A checkpoint expires `LIFETIME_S` after its last change, as the run's counters do.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import redis

from config.counters import LIFETIME_S
from config.errors import BrokerUnavailableError, ConfigurationError

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline


@dataclass(frozen=True, slots=True)
class Plan:
    """What a backfill does; one that goes on must have been begun with the same.

    Attributes:
        run: In whose counters the jobs appear.
        source: The source place, as a URL.
        output: The output place, as a URL.
        recipe: The recipe's hash.
        inventory: The manifest that is read in place of a listing, as a URL; empty: the source is listed.
        check: By what results are judged; empty: they are not looked at.
    """

    run: str
    source: str
    output: str
    recipe: str
    inventory: str = ""
    check: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a backfill begins.

    Attributes:
        position: Of the last job that is queued; empty at the very beginning.
        queued: Jobs queued so far.
        finished: Whether there is nothing left to queue.
        note: What was left by one who finished with the same plan.
    """

    position: str = ""
    queued: int = 0
    finished: bool = False
    note: str = ""


class Checkpoint:
    """The position of one run in one source. Whoever begins last holds it; one who held it before is refused."""

    def __init__(self, client: Redis, key_prefix: str, plan: Plan) -> None:
        self._client = client
        self._plan = plan
        kind = "reconcile" if plan.check else ""  # a source ends in a slash, so there is no doubt
        self._key = f"{key_prefix}checkpoint:{plan.run}:{plan.source}{kind}"
        self._owner = uuid4().hex
        self._step = 0

    def begin(self, *, restart: bool = False) -> Start:
        """Take the checkpoint over, or make it.

        Args:
            restart: Forget position and note, and begin anew whatever the run was begun with.

        Raises:
            ConfigurationError: The run was begun with another output, recipe or inventory.
            BrokerUnavailableError: The broker does not answer.
        """
        try:
            with self._client.pipeline(transaction=True) as together:
                together.watch(self._key)  # type: ignore[no-untyped-call]  # redis has no type for it
                start = self._take_over(together, restart=restart)
                together.execute()
        except redis.RedisError as error:
            raise BrokerUnavailableError(
                f"the position of the run {self._plan.run} is out of reach: {error}"
            ) from error
        self._step = 0
        return start

    def watch(self, together: Pipeline) -> bool:
        """Make a transaction fail should another producer take over; to be called before `advance`.

        Returns:
            Whether the step was taken already: the broker's answer to an earlier attempt was lost.

        Raises:
            ConfigurationError: Another producer goes on with this run, or the broker has lost it.
        """
        together.watch(self._key)  # type: ignore[no-untyped-call]  # redis has no type for it
        owner, step = map(_text, together.hmget(self._key, ["owner", "step"]))
        if not owner:
            raise ConfigurationError(f"the broker has lost the run {self._plan.run}; start it again")
        if owner != self._owner:
            raise ConfigurationError(f"another producer has taken over the run {self._plan.run}")
        return int(step) > self._step

    def advance(self, together: Pipeline, position: str, jobs: int) -> None:
        """Add to a transaction that the jobs up to `position` are queued, `jobs` of them in this very transaction."""
        together.hset(self._key, mapping={"position": json.dumps(position), "step": self._step + 1})
        together.hincrby(self._key, "queued", jobs)
        together.expire(self._key, LIFETIME_S)

    def confirm(self) -> None:
        """Take note that the transaction of the last `advance` was done."""
        self._step += 1

    def begin_again(self) -> Start:
        """As `begin`, and from the beginning where the run is finished; its note stays.

        Raises:
            ConfigurationError: As `begin`.
            BrokerUnavailableError: The broker does not answer.
        """
        start = self.begin()
        if not start.finished:
            return start
        try:
            self._client.hset(self._key, mapping={"position": json.dumps(""), "queued": 0, "finished": 0})
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"the run {self._plan.run} cannot begin again: {error}") from error
        return Start(note=start.note)

    def finish(self, note: str = "") -> None:
        """Say that all is queued, and leave a note for those who begin again; an empty one leaves the old one.

        Raises:
            ConfigurationError: Another producer goes on with this run, or the broker has lost it.
            BrokerUnavailableError: The broker does not answer.
        """
        try:
            with self._client.pipeline(transaction=True) as together:
                self.watch(together)
                together.multi()
                together.hset(self._key, mapping={"finished": 1, **({"note": note} if note else {})})
                together.expire(self._key, LIFETIME_S)
                together.execute()
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"the end of the run {self._plan.run} is not noted: {error}") from error

    def _take_over(self, together: Pipeline, *, restart: bool) -> Start:
        """Read what is stored, and become its owner in the same transaction."""
        stored = {_text(name): _text(value) for name, value in together.hgetall(self._key).items()}
        together.multi()
        if restart or not stored:
            together.delete(self._key)
            start = Start()
            together.hset(self._key, mapping={"plan": json.dumps(asdict(self._plan)), "position": json.dumps("")})
            together.hset(self._key, mapping={"queued": 0, "finished": 0})
        else:
            self._compare(json.loads(stored["plan"]))
            start = Start(
                json.loads(stored["position"]), int(stored["queued"]), stored["finished"] == "1", stored.get("note", "")
            )
        together.hset(self._key, mapping={"owner": self._owner, "step": 0})
        together.expire(self._key, LIFETIME_S)
        return start

    def _compare(self, begun: dict[str, str]) -> None:
        other = [
            f"{name} {begun.get(name) or 'none'} instead of {value or 'none'}"
            for name, value in asdict(self._plan).items()
            if begun.get(name, "") != value
        ]
        if other:
            raise ConfigurationError(
                f"the run {self._plan.run} was begun with {' and '.join(other)}; "
                "give it another name with --run, or begin it anew with --restart"
            )


def _text(stored: bytes | str | None) -> str:
    """Read what a client that decodes answers returns, and one that does not."""
    return stored.decode() if isinstance(stored, bytes) else stored or ""
