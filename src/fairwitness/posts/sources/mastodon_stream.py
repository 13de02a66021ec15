"""The streaming API of Mastodon over either of its transports, as one queue of what it tells.

Reading goes on while a refill is under way, so that the stream and the refill overlap instead of
leaving a hole. Silence is watched for by what each transport has: WebSocket pings, and the `:thump`
that Server-Sent Events carry every 15 seconds.

https://docs.joinmastodon.org/methods/streaming/; heartbeats and refused handshakes:
https://github.com/mastodon/mastodon, streaming/index.js.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

import httpx2
import msgspec
import websockets
from websockets.asyncio.client import ClientConnection, connect

from fairwitness.posts.source import SourceError, SourceLost, SourceRefused
from fairwitness.posts.sources.mastodon_api import refusal

Transport = Literal["websocket", "sse"]
Stream = Literal["public", "public:local", "public:remote"]

_WAITING = 4_096
"""Events read ahead of whoever takes them; then the server has to wait."""

_MAX_EVENT_BYTES = 1_000_000
_THUMP_S = 15.0


class Told(NamedTuple):
    """One event of the stream; `name` is empty for a frame that is none."""

    name: str
    payload: str


class _Frame(msgspec.Struct):
    event: str = ""
    payload: str = ""
    error: str = ""
    status: int = 0


_decoder = msgspec.json.Decoder(_Frame)

Heard = asyncio.Queue[Told | SourceError]


@asynccontextmanager
async def opened(
    client: httpx2.AsyncClient, url: str, token: str, transport: Transport, stream: Stream
) -> AsyncGenerator[Heard, None]:
    """Open the stream at `url` (ws or wss) and yield the queue of what it tells.

    The last thing in the queue is the error that ended the stream. Raises SourceLost or
    SourceRefused when it cannot be opened.
    """
    opener = (
        _websocket(url, token, stream) if transport == "websocket" else _sse(client, url, stream)
    )
    async with opener as events:
        queue: Heard = asyncio.Queue(_WAITING)
        reading = asyncio.create_task(_read(events, queue))
        try:
            yield queue
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _read(events: AsyncIterator[Told], queue: Heard) -> None:
    try:
        async for told in events:
            await queue.put(told)
        await queue.put(SourceLost("the server ended the stream"))
    except SourceError as error:
        await queue.put(error)


@asynccontextmanager
async def _websocket(
    url: str, token: str, stream: Stream
) -> AsyncGenerator[AsyncIterator[Told], None]:
    address = f"{url}/api/v1/streaming?stream={stream}"
    try:
        socket = await connect(
            address,
            additional_headers={"Authorization": f"Bearer {token}"} if token else None,
            user_agent_header="fairwitness",
            max_size=_MAX_EVENT_BYTES,
            close_timeout=2,
        )
    except websockets.InvalidStatus as error:
        raise refusal(address, error.response.status_code, error.response.headers) from error
    except (OSError, TimeoutError, websockets.WebSocketException) as error:
        raise SourceLost(f"cannot connect to {address}: {error}") from error
    async with socket:
        yield _websocket_events(socket)


async def _websocket_events(socket: ClientConnection) -> AsyncIterator[Told]:
    while True:
        try:
            frame = _decoder.decode(await socket.recv(decode=False))
        except websockets.ConnectionClosed as closed:
            raise SourceLost(f"connection closed: {closed}") from closed
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            yield Told("", f"not a frame: {error}")
            continue
        if frame.error:
            said = f"the server answers {frame.status}: {frame.error}"
            raise SourceRefused(said) if 400 <= frame.status < 500 else SourceLost(said)
        yield Told(frame.event, frame.payload)


@asynccontextmanager
async def _sse(
    client: httpx2.AsyncClient, url: str, stream: Stream
) -> AsyncGenerator[AsyncIterator[Told], None]:
    address = f"http{url.removeprefix('ws')}/api/v1/streaming/{stream.replace(':', '/')}"
    timeout = httpx2.Timeout(10, read=3 * _THUMP_S)
    try:
        async with client.stream("GET", address, timeout=timeout) as response:
            if response.status_code != 200:
                raise refusal(address, response.status_code, response.headers)
            yield _sse_events(response)
    except httpx2.HTTPError as error:
        raise SourceLost(f"cannot listen to {address}: {error}") from error


async def _sse_events(response: httpx2.Response) -> AsyncIterator[Told]:
    try:
        async for told in httpx2.EventSource(response, max_event_size=_MAX_EVENT_BYTES):
            yield Told(told.event, told.data)
    except httpx2.HTTPError as error:
        raise SourceLost(f"connection closed: {error!r}") from error
