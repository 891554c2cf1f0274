"""Check: what waits, what is held, what was put aside, and who works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.errors import BrokerUnavailableError
from semjpeg.doctor.finding import BrokenOffError, Finding
from semjpeg.status.reading import StateReader
from semjpeg.status.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from semjpeg.doctor.context import Context
    from semjpeg.status.state import SystemState


def look_at_queues(context: Context) -> Iterator[Finding]:
    """Look as `semjpeg status` does."""
    try:
        state = StateReader(context.settings).system(0)
    except BrokerUnavailableError as error:
        mend = "Let the user do what the reader in deploy/redis/users.acl may, or look as another: semjpeg status."
        raise BrokenOffError(Finding.warning("state", f"cannot be read: {error}", mend)) from error
    yield from judged(state, context.settings.broker.key_prefix)


def judged(state: SystemState, key_prefix: str) -> Iterator[Finding]:
    """Judge a state of the system."""
    workers = len(state.workers)
    yield Finding.judged(
        "workers",
        f"{plural(workers, 'worker')} answered" if workers else "no worker answered",
        "Start one: semjpeg worker.",
        good=bool(workers) or not state.waiting,
    )
    yield Finding.ok("waiting", plural(state.waiting, "job"))
    yield Finding.judged(
        "unacknowledged",
        f"{plural(state.delivered, 'job')} taken, {state.held:,} of them not worked at",
        "Start a worker: it takes over what dead ones held when the visibility timeout has passed.",
        good=not state.held or bool(workers),
    )
    yield Finding.judged(
        "put aside",
        f"{plural(state.put_aside, 'message')} that no worker could do anything with",
        f'Look at them: redis-cli -u "$SEMJPEG_BROKER__URL" LRANGE {key_prefix}put-aside 0 9; then DEL the list.',
        good=not state.put_aside,
    )
