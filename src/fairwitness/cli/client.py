"""Talk to a running `fairwitness up` on this machine."""

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec

from fairwitness.cli.asking import fail

_TIMEOUT = httpx2.Timeout(10.0, read=600.0)


def get(url: str, path: str, **params: Any) -> Any:
    """Return the JSON of `GET path`."""
    with _errors(url):
        reply = httpx2.get(url + path, params=params, timeout=_TIMEOUT, trust_env=False)
        _check(reply)
        return reply.json()


def post(url: str, path: str, body: object) -> Any:
    """Return the JSON of `POST path`."""
    with _errors(url):
        reply = httpx2.post(url + path, json=body, timeout=_TIMEOUT, trust_env=False)
        _check(reply)
        return reply.json()


def events(url: str, path: str, body: object) -> Iterator[tuple[str, bytes]]:
    """Yield (event, data) of a stream of server-sent events."""
    with _errors(url), _stream(url + path, body) as reply:
        name = "message"
        for line in reply.iter_lines():
            if line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:"):
                yield name, line[5:].strip().encode()
            elif not line:
                name = "message"


def lines(url: str, path: str, body: object) -> Iterator[Any]:
    """Yield the documents of newline-delimited JSON."""
    with _errors(url), _stream(url + path, body) as reply:
        for line in reply.iter_lines():
            if line.strip():
                yield msgspec.json.decode(line.encode())


@contextlib.contextmanager
def _stream(url: str, body: object) -> Iterator[httpx2.Response]:
    with (
        httpx2.Client(timeout=_TIMEOUT, trust_env=False) as client,
        client.stream("POST", url, json=body) as reply,
    ):
        if reply.is_error:
            reply.read()
        _check(reply)
        yield reply


@contextlib.contextmanager
def _errors(url: str) -> Iterator[None]:
    try:
        yield
    except httpx2.HTTPError as error:
        fail(f"lost the server at {url}: {error or type(error).__name__}")


def _check(reply: httpx2.Response) -> None:
    if not reply.is_error:
        return
    try:
        fail(reply.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        fail(f"the server answered {reply.status_code} to {reply.request.url.path}")
