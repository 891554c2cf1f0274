"""What Celery would discard stays to be looked at: messages that are no task of ours, or that it cannot read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis
from celery.worker.consumer import Consumer
from celery.worker.control import Panel
from kombu.exceptions import OperationalError

from config.errors import InvalidMessageError
from config.jobs import TASK_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.message import Message

_ANSWERED = frozenset({"active", "ping", "stats"})
"""The questions that `semjpeg status` asks. The others change a worker: they revoke tasks, add queues, shut it down."""

_MOST_SHOWN = 10_000
"""Characters of a body that are kept: a job has fewer."""


def answer_questions_alone() -> None:
    """Forget Celery's remote commands other than those that only look."""
    for name in Panel.data.keys() - _ANSWERED:
        del Panel.data[name]


def keeping_consumer(put_aside: Callable[[dict[str, Any], Exception], None]) -> type[Consumer]:
    """Make a consumer that hands what is no task of ours to `put_aside`, with the reason.

    Without it Celery discards such a message with a line in the log, or ends; and a message that ends each worker that
    takes it goes back to the queue for the next one.
    """

    def keep(message: Message, reason: Exception) -> None:
        if not isinstance(reason, InvalidMessageError):
            reason = InvalidMessageError(f"the message cannot be read: {type(reason).__name__}: {reason}")
        put_aside({"headers": message.headers, "body": _text(message.body)}, reason)

    class KeepingConsumer(Consumer):  # type: ignore[misc]  # celery has no types
        def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Message], None]:
            handle = super().create_task_handler(*args, **options)

            def receive(message: Message) -> None:
                try:
                    _check(message)
                    handle(message)
                except (redis.RedisError, OperationalError, OSError):
                    raise
                except Exception as error:  # noqa: BLE001 - one message must not end a worker
                    keep(message, error)
                    message.reject()  # type: ignore[no-untyped-call]  # kombu has no type for it

            return receive

        def on_invalid_task(self, body: object, message: Message, exc: Exception) -> None:
            keep(message, exc)
            super().on_invalid_task(body, message, exc)

    return KeepingConsumer


def _check(message: Message) -> None:
    """See that a message calls our task with the fields of a job; the fields themselves are looked at by the task.

    Raises:
        InvalidMessageError: It does not.
        Exception: As the decoder of its content raises; nothing but JSON is decoded.
    """
    task = (message.headers or {}).get("task")
    if task != TASK_NAME:
        raise InvalidMessageError(f"the message calls {task!r}, not {TASK_NAME!r}")
    match message.payload:
        case [[], dict(), _]:
            return
        case _:
            raise InvalidMessageError("the body of the message is not that of a task with named arguments alone")


def _text(body: object) -> str:
    text = body.decode("utf-8", "backslashreplace") if isinstance(body, bytes) else str(body)
    return text[:_MOST_SHOWN]
