"""
What stands between the network and the front desk's routes: sizes, counts, errors, the access log.

Nothing here writes down a path, a query string, a body, a token or an exception's message: the access log has the
route's template, and a defect is logged by its class and the lines of code it passed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasks.core import policy
from tasks.core.errors import (
    BadInput,
    CertferryError,
    Drifted,
    Forbidden,
    HandOverClosed,
    NotFound,
    NotReady,
    QuotaExceeded,
    Unavailable,
    Who,
)

MAX_BODY_BYTES: Final = 64 * policy.KIB
BODY_TIMEOUT_SECONDS: Final = 20  # for 64 KiB: 26 kbit/s
MOST_CALLERS: Final = 10_000  # remembered by one window, some 10 MB; the longest silent go first
RETRY_SECONDS: Final = 10  # after Unavailable: the retry table's first rows are over by then

access_log: Final = logging.getLogger("certferry.front_desk.access")
log: Final = logging.getLogger("certferry.front_desk")


class TooManyRequests(QuotaExceeded):
    """
    The caller asks too often.

    Attributes:
        retry_seconds: After which the next request passes.
    """

    code = "too-many-requests"
    retry_seconds: int = 60

    @classmethod
    def within(cls, limit: int, retry_seconds: int) -> TooManyRequests:
        """Say that *limit* requests a minute are used up for *retry_seconds*."""
        error = cls(
            "the front desk",
            got=f"more than {limit} requests within a minute",
            wanted="fewer",
            do=f"Try again in {retry_seconds} seconds.",
        )
        error.retry_seconds = retry_seconds
        return error


class Window:
    """
    Counts each caller's requests of the last minute.

    In this process only: two front desks let twice as many through, which bounds a flood all the same.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def check_admits(self, caller: str) -> None:
        """
        Count one request of *caller*.

        Raises:
            TooManyRequests: It has used up its minute. A refused request does not count.
        """
        with self._lock:
            now = self._clock()
            times = self._times.pop(caller, deque())
            while times and times[0] <= now - 60:
                times.popleft()
            self._times[caller] = times  # last in the dictionary: the first is the longest silent
            if len(self._times) > MOST_CALLERS:
                del self._times[next(iter(self._times))]
            if len(times) >= self._limit:
                raise TooManyRequests.within(self._limit, int(times[0] + 60 - now) + 1)
            times.append(now)


def status_of(error: CertferryError) -> int:
    """Give the HTTP status that tells a client what *error* means for it."""
    for kind, status in (
        (TooManyRequests, 429),
        (Forbidden, 403),
        (QuotaExceeded, 403),
        (HandOverClosed, 410),
        (NotFound, 404),
        (NotReady, 409),
        (Unavailable, 503),
        (Drifted, 500),
    ):
        if isinstance(error, kind):
            return status
    return 422


def headers_of(error: CertferryError) -> dict[str, str]:
    """Give the headers that go with *error*."""
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_seconds)}
    if isinstance(error, Unavailable):
        return {"Retry-After": str(RETRY_SECONDS)}
    return {}


class Guard:
    """
    Wraps the whole application.

    Answers 413 to a body over `MAX_BODY_BYTES` before a route sees any of it, answers a defect with a typed 500,
    forbids caches, and writes one access line a request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"cache-control", b"no-store"), _NOSNIFF]
            await send(message)

        try:
            await self._admit(scope, receive, answer)
        finally:
            took = (time.monotonic() - started) * 1000
            route = getattr(scope.get("route"), "path", "(no route)")
            access_log.info("%s %s %d %.0f ms", _method(scope), route, status, took)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
                body = await _read(scope, receive)
        except TimeoutError:
            await _answer(send, 408, _TOO_SLOW)
            return
        if body is None:
            await _answer(send, 413, _TOO_LARGE)
            return
        replay: deque[Message] = deque([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Message:
            return replay.popleft() if replay else await receive()

        try:
            await self._app(scope, again, send)
        except Exception as error:  # noqa: BLE001  # the last line of defence; the message may quote what was sent
            lines = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s in %s\n%s", type(error).__name__, getattr(scope.get("route"), "path", "?"), lines)
            await _answer(send, 500, _DEFECT)


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    """Give the whole body, or None as soon as it is known to be longer than it may be."""
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if announced.isdigit() and int(announced[:20]) > MAX_BODY_BYTES:
        return None
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def _answer(send: Send, status: int, error: CertferryError) -> None:
    body = json.dumps(error.as_dict()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status in (408, 413):
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _method(scope: Scope) -> str:
    """Give the request's method, or a word for one that is not HTTP's."""
    known: Any = ("GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS")
    return scope["method"] if scope["method"] in known else "OTHER"


_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_TOO_LARGE: Final = BadInput(
    "the request",
    got=f"a body over {MAX_BODY_BYTES} bytes",
    wanted="a short JSON document; files go to S3, sealed, by `certferry push`",
    do="Send less.",
    code="too-large",
)
_TOO_SLOW: Final = BadInput(
    "the request", got="a body that did not arrive", wanted="all of it at once", do="Send it again.", code="too-slow"
)
_DEFECT: Final = CertferryError(
    "the front desk",
    got="a defect on our side",
    wanted="an answer",
    do="Tell the platform's operators the time of your request.",
    who=Who.OPERATOR,
    code="defect",
)
