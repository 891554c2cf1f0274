"""Notifications over HTTP: an ASGI application that answers 200 only after the jobs are queued.

| answer | when |
| --- | --- |
| 200 | the jobs are queued; `{"queued": 0}` where no route wants the object |
| 400 | the notification is malformed |
| 401 | the token is missing or wrong |
| 405 | another path than the one configured, or another method |
| 408, 413 | the body took too long or is too long |
| 429 | too many requests |
| 503 | the queue is full, or the broker or a store that had to be asked is away; the store has to send again |
"""

from __future__ import annotations

import asyncio
import hmac
import math
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from config.errors import InvalidMessageError, RetryableError
from producer.limits import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.settings import EventsSettings
    from producer.intake import Intake, Taken

HEALTH_PATH = "/healthz"
_ANY_PATH = "/{path:path}"
BODY_S = 20
"""For so long a request's body may be on its way, in seconds."""
_AWAY_S = 5
"""After so long a store should try again when the broker is away."""
_FULL_S = 30
"""The same when the queue is full, which takes longer to pass."""
_log = structlog.get_logger(__name__)


class _RefusedError(Exception):
    """The request gets this answer and nothing else happens."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.response = JSONResponse({"error": reason}, status, headers)

    def detail(self) -> str:
        """Return the reason for the log: it may name machines, which are none of the sender's business."""
        return str(self.__cause__ or "") or str(self)


class Webhook:
    """Takes notifications from stores."""

    def __init__(
        self, settings: EventsSettings, intake: Intake, is_full: Callable[[], bool], *, body_s: float = BODY_S
    ) -> None:
        """Prepare.

        Args:
            settings: Token and limits.
            intake: Queues the jobs.
            is_full: Whether the queue takes no more jobs; may raise `BrokerUnavailableError`.
            body_s: For so long a request's body may be on its way.
        """
        self._token = settings.token.get_secret_value().encode() if settings.token else None
        self._body_s = body_s
        self._max_body_bytes = settings.max_body_bytes
        self._intake = intake
        self._is_full = is_full
        self._bucket = TokenBucket(settings.requests_per_s, settings.burst)
        self._threads = ThreadPoolExecutor(settings.threads, "webhook")

    def application(self, path: str | None = None) -> Starlette:
        """Return the ASGI application.

        Args:
            path: The only one that notifications are taken at; None takes them at any.
        """
        return Starlette(
            routes=[
                Route(HEALTH_PATH, _health, methods=["GET", "HEAD"]),
                Route(path or _ANY_PATH, self._answer, methods=["POST"]),
                Route(_ANY_PATH, _present, methods=["HEAD"]),
            ],
        )

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._accept(request)
        except _RefusedError as error:
            client = request.client.host if request.client else None
            _log.warning("refused", status=error.response.status_code, reason=error.detail(), client=client)
            if error.response.status_code != HTTPStatus.BAD_REQUEST:  # which was counted as malformed
                self._intake.refuse()
            return error.response
        except ClientDisconnect:  # nobody hears the answer
            return Response(status_code=400)

    async def _accept(self, request: Request) -> Response:
        self._authorise(request)
        if wait_s := self._bucket.wait_s():
            raise _RefusedError(429, "too many requests", {"Retry-After": str(math.ceil(wait_s))})
        body = await self._body(request)
        try:
            taken = await asyncio.get_running_loop().run_in_executor(self._threads, self._take, body)
        except InvalidMessageError as error:
            raise _RefusedError(400, str(error)) from error
        except RetryableError as error:
            raise _RefusedError(503, "try again later", {"Retry-After": str(_AWAY_S)}) from error
        if taken.malformed and not taken.queued:
            raise _RefusedError(400, "; ".join(taken.malformed))
        return JSONResponse({"queued": taken.queued})

    def _authorise(self, request: Request) -> None:
        """Compare the token: as `Bearer`, or as the password of `Basic`, which is what a URL can carry."""
        if self._token is None:
            return
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        shown = credentials.strip().encode()
        if scheme.lower() == "basic":
            try:
                shown = b64decode(shown, validate=True).partition(b":")[2]
            except ValueError:
                shown = b""
        elif scheme.lower() != "bearer":
            shown = b""
        if not hmac.compare_digest(shown, self._token):
            raise _RefusedError(401, "wrong token", {"WWW-Authenticate": 'Basic realm="semjpeg", Bearer'})

    async def _body(self, request: Request) -> bytes:
        """Read the body, and not a chunk more than is allowed, whatever the headers promise."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_s):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._max_body_bytes:
                        reason = f"the body is longer than {self._max_body_bytes} bytes"
                        raise _RefusedError(413, reason, {"Connection": "close"})
        except TimeoutError as error:
            raise _RefusedError(408, "the body took too long", {"Connection": "close"}) from error
        return bytes(body)

    def _take(self, body: bytes) -> Taken:
        if self._is_full():
            raise _RefusedError(503, "the queue is full", {"Retry-After": str(_FULL_S)})
        return self._intake.take(body)


async def _present(request: Request) -> Response:
    """Answer a store that asks whether anyone is there; RustFS asks at `/`, whatever path its events go to."""
    del request
    return Response()


async def _health(request: Request) -> Response:
    """Say that the process lives. Whether the broker does shows in the answers to notifications."""
    del request
    return JSONResponse({"status": "ok"})
