"""A small HTTP/1.1 server on the loopback whose every byte the test decides."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Loopback:
    """Answers each request with `answer(request, writer)`; one request a connection."""

    def __init__(self, answer: Callable[[Request, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.requests: list[Request] = []
        self._answer = answer

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await self._read(reader)
            self.requests.append(request)
            await self._answer(request, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is allowed to leave
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        pairs = (line.split(":", 1) for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        parts = urlsplit(target)
        return Request(method, parts.path, parse_qs(parts.query), headers, body)


def respond(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> None:
    """Write one whole answer."""
    all_headers = {"content-length": str(len(body)), "connection": "close"} | (headers or {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
    writer.write(f"HTTP/1.1 {status} As Asked\r\n{lines}\r\n".encode() + body)


def start_chunks(writer: asyncio.StreamWriter, headers: dict[str, str] | None = None) -> None:
    """Write the head of an answer that comes in chunks."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    writer.write(f"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{lines}\r\n".encode())


async def chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write one chunk, and let it leave; an empty one ends the answer."""
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()
