"""What the demo's server lets in: few paths, small bodies, not too often."""

import asyncio
import json
import re

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What the page and programs ask for. Gradio has routes that serve, fetch and receive
# files; the page needs none of them, so that no file is within reach.
_PATHS = re.compile(
    r"/|/(healthz|api/draw|api/openapi\.json)"
    r"|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)"
    r"|/(assets|static)(/[\w.@+-]+)+"
    r"|/gradio_api/(queue/(join|data)|heartbeat/\w+|startup-events|info|theme\.css"
    r"|cancel|reset)/?"
)
_BODY_SECONDS = 30
_PATIENCE = 4  # times the largest body
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Limits:
    """Middleware that answers what is refused itself: 404, 408, 413 or 429."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, requests_per_minute: int):
        """Takes the app, the largest body, and the POST requests of one address."""
        self._app = app
        self._max_bytes = max_bytes
        self._rate = RateLimitItemPerMinute(requests_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, or refuses it before anybody has read its body."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        if ".." in scope["path"] or not _PATHS.fullmatch(scope["path"]):
            return await _refuse(send, 404, "There is no such page.")
        send = _with_headers(send)
        if scope["method"] != "POST":
            return await self._app(scope, receive, send)
        address = scope["client"][0] if scope["client"] else "unknown"
        if not self._limiter.hit(self._rate, address):
            return await _refuse(
                send, 429, "Too many requests in a minute. Try again in a moment."
            )
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await self._body(receive)
        except TimeoutError:
            return await _refuse(send, 408, "The request took too long to arrive.")
        if body is None:
            megabytes = self._max_bytes / 2**20
            return await _refuse(
                send, 413, f"The request is larger than {megabytes:.1f} MB."
            )
        return await self._app(scope, _replay(body, receive), send)

    async def _body(self, receive: Receive) -> bytes | None:
        """Reads the body; None if it is too large.

        What is too large is read on for a while, and forgotten: a browser that is cut
        off while it sends shows no answer.
        """
        parts, size, more = [], 0, True
        while more and size <= _PATIENCE * self._max_bytes:
            message = await receive()
            more = message.get("more_body", False)
            size += len(message.get("body", b""))
            if size <= self._max_bytes:
                parts.append(message.get("body", b""))
        return b"".join(parts) if size <= self._max_bytes else None


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def replayed() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replayed


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await send(message)

    return sending


async def _refuse(send: Send, status: int, reason: str) -> None:
    # Gradio's page shows "detail".
    body = json.dumps({"error": reason, "detail": reason}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if status == 429:
        headers.append((b"retry-after", b"10"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
