"""What the demo's server lets in: small bodies, not too often."""

import asyncio

import fastapi
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BODY_SECONDS = 30
_PATIENCE = 4  # times the largest body
_CLOSE = {"Connection": "close"}
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'self'; img-src 'self' data:"),
)


class Limits:
    """Middleware that refuses POST requests: 408, 413 or 429."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, requests_per_minute: int):
        self._app = app
        self._max_bytes = max_bytes
        self._rate = RateLimitItemPerMinute(requests_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, or refuses it before anybody has read its body."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *_HEADERS]
                message = {**message, "headers": headers}
            await send(message)

        if scope["method"] == "POST":
            address = scope["client"][0] if scope["client"] else "unknown"
            if not self._limiter.hit(self._rate, address):
                response = fastapi.responses.JSONResponse(
                    {"error": "Too many requests in a minute. Try again in a moment."},
                    429,
                    {"Retry-After": "10", **_CLOSE},
                )
                return await response(scope, receive, sending)
            receive = self._limited(receive)
        await self._app(scope, receive, sending)

    def _limited(self, receive: Receive) -> Receive:
        """Reads a body of limited size in limited time. What is too large is read for a
        while: a browser that is cut off while it sends shows no answer."""
        deadline = asyncio.get_running_loop().time() + _BODY_SECONDS
        size, ended = 0, False

        async def limited() -> Message:
            nonlocal size, ended
            while True:
                try:
                    async with asyncio.timeout_at(None if ended else deadline):
                        message = await receive()
                except TimeoutError:
                    reason = "The request took too long to arrive."
                    raise fastapi.HTTPException(408, reason, _CLOSE) from None
                size += len(message.get("body", b""))
                ended = not message.get("more_body", False)
                if size <= self._max_bytes:
                    return message
                if ended or size > _PATIENCE * self._max_bytes:
                    limit = f"{self._max_bytes / 2**20:.1f} MB"
                    reason = f"The request is larger than {limit}."
                    raise fastapi.HTTPException(413, reason, _CLOSE)

        return limited
