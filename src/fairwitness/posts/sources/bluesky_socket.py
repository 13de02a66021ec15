"""Connecting to a Jetstream server, and what its refusals mean.

v2 refuses with an XRPC error that has a name, v1 in plain words. A name that we can do something
about (a cursor that is too old, a dictionary that was retired) is not an error of the source.
"""

import asyncio
from collections.abc import Sequence

import httpx2
import msgspec
import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.http11 import Response

from fairwitness.posts.source import SourceError, SourceLost, SourceRefused
from fairwitness.posts.sources.bluesky_cursor import SeqUnusable
from fairwitness.posts.sources.bluesky_wire import V2_SUBPROTOCOL, Endpoint, Unpacker

_SOCKET_FRAME_BYTES = 16_000_000
"""A frame above this breaks the connection; below it, one that is too long is only skipped."""

_MAX_DICTIONARY_BYTES = 4_000_000
_GATHER_S = 0.05
_GATHER_FRAMES = 500


class DictionaryRetired(Exception):
    """The server no longer compresses with the dictionary that we hold."""


class _Refusal(msgspec.Struct):
    """Body of an HTTP error of v2: https://atproto.com/specs/xrpc#error-responses."""

    error: str = ""
    message: str = ""


async def connected(endpoint: Endpoint, start: str, dictionary_id: int) -> ClientConnection:
    """Return an open connection.

    Raises SourceLost, SourceRefused, SeqUnusable (the cursor is older than what the server keeps)
    or DictionaryRetired.
    """
    try:
        return await connect(
            endpoint.address(start, dictionary_id),
            subprotocols=[websockets.Subprotocol(V2_SUBPROTOCOL)]
            if endpoint.version == 2
            else None,
            # v1 refuses two compressions at once, v2 never takes this one.
            compression=None,
            user_agent_header="fairwitness",
            max_size=_SOCKET_FRAME_BYTES,
            max_queue=_GATHER_FRAMES,
            close_timeout=2,
        )
    except websockets.InvalidStatus as error:
        raise _meaning(endpoint.url, error.response) from error
    except (OSError, TimeoutError, websockets.WebSocketException) as error:
        raise SourceLost(f"cannot connect to {endpoint.url}: {error}") from error


async def gather(
    socket: ClientConnection, wait_s: float
) -> tuple[Sequence[bytes], websockets.ConnectionClosed | None]:
    """Return the frames that arrive together, none after `wait_s`, and how the connection ended.

    Frames stay bytes, so that one that is not UTF-8 is a bad frame and not a broken connection.
    """
    frames: list[bytes] = []
    try:
        async with asyncio.timeout(wait_s):
            frames.append(await socket.recv(decode=False))
        async with asyncio.timeout(_GATHER_S):
            while len(frames) < _GATHER_FRAMES:
                frames.append(await socket.recv(decode=False))
    except TimeoutError:
        pass
    except websockets.ConnectionClosed as closed:
        return frames, closed
    return frames, None


async def current_dictionary(endpoint: Endpoint) -> Unpacker:
    """Return what opens the frames that the server sends now. Raises SourceLost."""
    address = endpoint.dictionary_address()
    try:
        async with (
            httpx2.AsyncClient(timeout=10) as client,
            client.stream("GET", address) as response,
        ):
            response.raise_for_status()
            dictionary = b""
            async for piece in response.aiter_bytes():
                dictionary += piece
                if len(dictionary) > _MAX_DICTIONARY_BYTES:
                    raise SourceLost(
                        f"dictionary at {address} is over {_MAX_DICTIONARY_BYTES} bytes"
                    )
        return Unpacker(dictionary)
    except (httpx2.HTTPError, ValueError) as error:
        raise SourceLost(f"no dictionary from {address}: {error}") from error


def _meaning(url: str, response: Response) -> SourceError | SeqUnusable | DictionaryRetired:
    """Return what a refused handshake says about trying again."""
    body = response.body or b""
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        refusal = _Refusal(message=body[:200].decode(errors="replace").strip())
    if refusal.error == "CursorTooOld":
        return SeqUnusable(refusal.message or refusal.error)
    if refusal.error == "UnknownZstdDictionary":
        return DictionaryRetired(refusal.message)
    said = f"{url} answers {response.status_code}: {refusal.error} {refusal.message}".strip()
    if response.status_code in (408, 425, 429) or response.status_code >= 500:
        asked = response.headers.get("Retry-After", "")
        return SourceLost(said, float(asked) if asked.isdigit() else 0.0)
    return SourceRefused(said)
