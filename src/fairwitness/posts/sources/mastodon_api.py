"""The REST side of a Mastodon server: where its stream is, what a break left out, what a no means.

https://docs.joinmastodon.org/methods/instance/#v2, /methods/timelines/#public, /api/rate-limits/.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx2
import msgspec
from msgspec import Raw, Struct

from fairwitness.posts.clock import from_iso
from fairwitness.posts.source import SourceError, SourceLost, SourceRefused
from fairwitness.posts.sources.mastodon_status import Server

PAGE = 40
"""Most statuses that a page may have."""

_MAX_ANSWER_BYTES = 16_000_000
_LONGEST_PAUSE_S = 900.0
_ONLY = {"public:local": {"local": "true"}, "public:remote": {"remote": "true"}}


class _Urls(Struct):
    streaming: str = ""


class _Configuration(Struct):
    urls: _Urls = msgspec.field(default_factory=_Urls)


class _Instance(Struct):
    domain: str = ""
    configuration: _Configuration = msgspec.field(default_factory=_Configuration)


async def discover(client: httpx2.AsyncClient, base: str) -> tuple[Server, str]:
    """Return the server at `base` and the WebSocket URL of its stream, which may be elsewhere.

    A server too old to say (before 4.0) streams where it is. Raises SourceLost or SourceRefused.
    """
    host = urlsplit(base).netloc
    here = f"ws{base.removeprefix('http')}"
    answer = await _get(client, f"{base}/api/v2/instance", {}, absent=b"{}")
    try:
        instance = msgspec.json.decode(answer, type=_Instance)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise SourceLost(f"{base} does not describe itself: {error}") from error
    streaming = instance.configuration.urls.streaming.rstrip("/") or here
    if not streaming.startswith(("ws://", "wss://")) or (
        here.startswith("wss://") and not streaming.startswith("wss://")
    ):
        raise SourceRefused(f"{base} wants its token sent to {streaming[:200]!r}")
    return Server(host, instance.domain or host), streaming


async def newer_than(
    client: httpx2.AsyncClient, base: str, local_id: str, stream: str
) -> list[Raw]:
    """Return the statuses that follow `local_id`, at most `PAGE`, each still in JSON.

    Raises SourceLost (among others when the rate limit is reached) or SourceRefused.
    """
    address = f"{base}/api/v1/timelines/public"
    asked = {"min_id": local_id, "limit": str(PAGE), **_ONLY.get(stream, {})}
    answer = await _get(client, address, asked)
    try:
        return msgspec.json.decode(answer, type=list[Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise SourceLost(f"{address} answers no list: {error}") from error


async def _get(
    client: httpx2.AsyncClient, address: str, asked: dict[str, str], absent: bytes | None = None
) -> bytes:
    """Return the body; `absent` when there is nothing at that address and it is given."""
    try:
        async with client.stream("GET", address, params=asked) as response:
            if response.status_code == 404 and absent is not None:
                return absent
            if response.status_code != 200:
                raise refusal(address, response.status_code, response.headers)
            body = b""
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _MAX_ANSWER_BYTES:
                    raise SourceLost(f"{address} answers more than {_MAX_ANSWER_BYTES} bytes")
            return body
    except httpx2.HTTPError as error:
        raise SourceLost(f"cannot ask {address}: {error!r}") from error


def refusal(address: str, status: int, headers: Mapping[str, str]) -> SourceError:
    """Return what an answer that is not a success says about trying again."""
    if status in (401, 403):
        return SourceRefused(
            f"{address} answers {status}: it needs the token of a user, with read:statuses"
        )
    said = f"{address} answers {status}"
    if status in (408, 425, 429) or status >= 500:
        return SourceLost(said, _pause_s(headers))
    return SourceRefused(said)


def _pause_s(headers: Mapping[str, str]) -> float:
    """Return how long the server asks to wait, by its own clock; 0 when it does not say."""
    asked = headers.get("Retry-After", "")
    if asked.isdigit():
        return min(float(asked), _LONGEST_PAUSE_S)
    try:
        reset_ms = from_iso(headers["X-RateLimit-Reset"])
        now_ms = parsedate_to_datetime(headers["Date"]).timestamp() * 1000
    except (KeyError, ValueError):
        return 0.0
    return min(max(0.0, (reset_ms - now_ms) / 1000), _LONGEST_PAUSE_S)
