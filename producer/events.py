"""Notifications from object stores: one parser for what they send."""

from __future__ import annotations

from dataclasses import dataclass

from config.errors import InvalidMessageError
from producer.dialects import ObjectCreated, parse_json, read_record, records


@dataclass(frozen=True, slots=True)
class Notification:
    """What a message said.

    Attributes:
        created: The objects that were created, in the order of the message.
        malformed: Why records could not be read, one reason for each. They do not keep the others from being used.
    """

    created: tuple[ObjectCreated, ...] = ()
    malformed: tuple[str, ...] = ()


def parse_notification(body: str | bytes) -> Notification:
    """Read a notification in any of the forms that `producer.dialects` lists.

    Events other than the creation of an object are passed over; a store's test event yields nothing.

    Raises:
        InvalidMessageError: The body as a whole has none of the forms, or asks to confirm an SNS subscription.
    """
    created: list[ObjectCreated] = []
    malformed: list[str] = []
    for record in list(records(parse_json(body))):
        try:
            event = read_record(record)
        except InvalidMessageError as error:
            malformed.append(str(error))
            continue
        if event is not None:
            created.append(event)
    return Notification(tuple(created), tuple(malformed))
