"""Notifications from an SQS queue."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from config.errors import ConfigurationError, InvalidMessageError, SemjpegError, StorageUnavailableError
from producer.polling import meanwhile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_sqs.type_defs import MessageTypeDef

    from config.settings import Settings
    from producer.intake import Intake

LONG_POLL_S = 20
"""SQS's longest wait for a message, which costs the fewest requests."""
VISIBILITY_S = 60
"""For so long a message that was taken is hidden from other pollers; asked for with each request, whatever the queue's
own setting, and extended while the message is being worked on."""
_BATCH = 10
"""SQS's limit on messages in one answer."""
_FIRST_SERVER_ERROR = 500
_THROTTLED = frozenset({"RequestThrottled", "Throttling", "ThrottlingException", "TooManyRequestsException"})
_RECEIPT_OUT_OF_DATE = frozenset({"InvalidParameterValue", "ReceiptHandleIsInvalid"})
"""Answers to a deletion after the message has come to another poller."""
_log = structlog.get_logger(__name__)


class SqsPoller:
    """Takes notifications from a queue and has their jobs queued.

    A notification is deleted after its jobs are queued, so one that a dying poller held comes again. A malformed one
    is logged and deleted: it would come again for ever.
    """

    def __init__(
        self, settings: Settings, intake: Intake, *, long_poll_s: int = LONG_POLL_S, visibility_s: int = VISIBILITY_S
    ) -> None:
        """Connect.

        Args:
            settings: Names the queue and says how to reach it.
            intake: Queues the jobs.
            long_poll_s: How long one request waits for messages.
            visibility_s: For how long a message that was taken is hidden, before it is extended.

        Raises:
            ConfigurationError: No queue is named, or the endpoint is no URL.
        """
        if not settings.sqs.queue_url:
            raise ConfigurationError("sqs.queue_url is not set: nothing says where notifications arrive")
        self._url = settings.sqs.queue_url
        self._intake = intake
        self._long_poll_s = long_poll_s
        self._visibility_s = visibility_s
        try:
            self._client = boto3.client(
                "sqs",
                endpoint_url=settings.sqs.endpoint_url or settings.s3.endpoint_url,
                region_name=settings.s3.region,
                config=Config(
                    connect_timeout=settings.s3.connect_timeout_s,
                    read_timeout=LONG_POLL_S + settings.s3.read_timeout_s,
                    retries={"mode": "standard", "total_max_attempts": settings.s3.max_attempts},
                ),
            )
        except (BotoCoreError, ValueError) as error:
            raise ConfigurationError(f"sqs: {error}") from error

    def poll_once(self) -> int:
        """Wait for notifications, have their jobs queued, delete them.

        Returns:
            The number of jobs queued.

        Raises:
            ConfigurationError: The queue does not exist or refuses the credentials.
            StorageUnavailableError: The queue, or a store that had to be asked, cannot be reached.
            BrokerUnavailableError: The broker took not all jobs; their notifications come again.
        """
        held = {message["ReceiptHandle"]: message["Body"] for message in self._receive()}
        if not held:
            return 0
        queued = 0
        with meanwhile(lambda: self._extend(list(held)), self._visibility_s / 3):
            for receipt, body in list(held.items()):
                try:
                    queued += self._intake.take(body).queued
                except InvalidMessageError as error:
                    _log.error("notification dropped", reason=str(error))
                del held[receipt]
                self._delete(receipt)
        return queued

    def _receive(self) -> list[MessageTypeDef]:
        with self._translated():
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_BATCH,
                WaitTimeSeconds=self._long_poll_s,
                VisibilityTimeout=self._visibility_s,
            )
        return answer.get("Messages", [])

    def _extend(self, receipts: list[str]) -> None:
        """Hide messages for another while. One that comes to a second poller does no harm, so failure is only told."""
        if not receipts:
            return
        try:
            with self._translated():
                answer = self._client.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": self._visibility_s}
                        for number, receipt in enumerate(receipts)
                    ],
                )
        except SemjpegError as error:
            _log.warning("visibility not extended", reason=str(error))
            return
        for failure in answer.get("Failed", []):
            _log.warning("visibility not extended", reason=failure.get("Message", failure["Code"]))

    def _delete(self, receipt: str) -> None:
        with self._translated():
            try:
                self._client.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in _RECEIPT_OUT_OF_DATE:
                    raise
                _log.warning("notification comes again", reason=str(error))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise boto3's errors as ours."""
        try:
            yield
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status >= _FIRST_SERVER_ERROR or error.response.get("Error", {}).get("Code") in _THROTTLED:
                raise StorageUnavailableError(f"{self._url}: {error}") from error
            raise ConfigurationError(f"{self._url}: {error}") from error
        except (BotoConnectionError, HTTPClientError) as error:
            raise StorageUnavailableError(f"{self._url}: {error}") from error
        except BotoCoreError as error:
            raise ConfigurationError(f"{self._url}: {error}") from error
