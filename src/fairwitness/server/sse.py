"""Server-sent events: lines of text that a browser, `curl` and OpenAI's clients all read.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html. The data of every event is
one line of JSON, which has no line breaks of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec
from starlette.responses import StreamingResponse

T = TypeVar("T")

KEEP_ALIVE_S = 10.0
"""A comment this often keeps proxies from closing a stream in which nothing happens."""

SILENCE = b": still here\n\n"
DONE = b"data: [DONE]\n\n"


def event(name: str, value: object) -> bytes:
    """Return an event called `name`; without a name it is only data."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + msgspec.json.encode(value) + b"\n\n"


def stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    """Return `events` as a response that no proxy keeps back."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")


async def with_silences(
    running: AsyncIterator[T], silence_s: float = KEEP_ALIVE_S
) -> AsyncIterator[T | None]:
    """Yield what `running` yields, and None whenever nothing came for so long; a wait of it may be
    given up and begun again."""
    while True:
        try:
            yield await asyncio.wait_for(anext(running), silence_s)
        except TimeoutError:
            yield None
        except StopAsyncIteration:
            return
