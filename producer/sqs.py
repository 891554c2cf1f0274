"""Notifications from an SQS queue."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from config.errors import BrokerUnavailableError, ConfigurationError, InvalidMessageError, StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from types_boto3_sqs.type_defs import MessageTypeDef

    from config.settings import Settings
    from producer.queue import JobQueue
    from producer.routing import Router

LONG_POLL_S = 20
"""SQS's longest wait for a message, which costs the fewest requests."""
_BATCH = 10
"""SQS's limit on messages in one answer."""
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_FIRST_SERVER_ERROR = 500
_log = structlog.get_logger(__name__)


class SqsPoller:
    """Takes notifications from a queue and enqueues their jobs.

    A notification is deleted after its jobs are queued, so one that a dying poller held comes again. A malformed one
    is logged and deleted: it would come again for ever.
    """

    def __init__(self, settings: Settings, router: Router, queue: JobQueue, *, long_poll_s: int = LONG_POLL_S) -> None:
        if not settings.sqs.queue_url:
            raise ConfigurationError("sqs.queue_url is not set: nothing says where notifications arrive")
        self._url = settings.sqs.queue_url
        self._router = router
        self._queue = queue
        self._long_poll_s = long_poll_s
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

    def run(self, stop: Event) -> None:
        """Poll until `stop` is set. A queue or a broker that is away is asked again, with growing pauses.

        Raises:
            ConfigurationError: The queue does not exist or refuses the credentials.
        """
        pause_s = _FIRST_PAUSE_S
        while not stop.is_set():
            try:
                self.poll_once()
                pause_s = _FIRST_PAUSE_S
            except (BrokerUnavailableError, StorageUnavailableError) as error:
                _log.warning("polling paused", reason=str(error), pause_s=pause_s)
                stop.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def poll_once(self) -> int:
        """Wait for notifications, enqueue their jobs, delete them.

        Returns:
            The number of jobs queued.

        Raises:
            StorageUnavailableError: The queue cannot be reached.
            BrokerUnavailableError: The broker took not all jobs; their notifications come again.
        """
        self._queue.wait_for_room()
        queued = 0
        for message in self._receive():
            try:
                for job in self._router.jobs(message["Body"]):
                    self._queue.enqueue(job)
                    queued += 1
                    _log.info("queued", key=job.key, run=job.run)
            except InvalidMessageError as error:
                _log.error("notification dropped", reason=str(error))
            self._delete(message["ReceiptHandle"])
        return queued

    def _receive(self) -> list[MessageTypeDef]:
        with _translated(self._url):
            answer = self._client.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=self._long_poll_s
            )
        return answer.get("Messages", [])

    def _delete(self, receipt: str) -> None:
        with _translated(self._url):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Raise boto3's errors as ours."""
    try:
        yield
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= _FIRST_SERVER_ERROR:
            raise StorageUnavailableError(f"{url}: {error}") from error
        raise ConfigurationError(f"{url}: {error}") from error
    except (BotoConnectionError, HTTPClientError) as error:
        raise StorageUnavailableError(f"{url}: {error}") from error
    except BotoCoreError as error:
        raise ConfigurationError(f"{url}: {error}") from error
