"""Getting a feed's document politely: only when it changed, never more than we can hold.

RFC 9110: conditional requests (section 13), redirects (15.4), Retry-After (10.2.3).
"""

import asyncio
import zlib
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx2

from fairwitness.posts.sources.feeds_document import FeedError

MAX_BODY_BYTES = 8 << 20
MAX_REDIRECTS = 5
TIMEOUT_S = 20.0
TOTAL_TIMEOUT_S = 60.0

_HEADERS = {
    "user-agent": "fairwitness (feed reader; +https://github.com/fairwitness/fairwitness)",
    "accept": "application/atom+xml, application/rss+xml, application/feed+json, application/xml, "
    "text/xml, application/json;q=0.9, */*;q=0.5",
    "accept-encoding": "gzip, deflate",
}


class Unavailable(Exception):
    """The address gave no document this time; `retry_after_s` is what it asked for, else 0."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Gone(Exception):
    """The address will never give a document again (410)."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, or the news that it did not change (`body` is None)."""

    body: bytes | None
    content_type: str
    etag: str
    modified: str
    url: str
    """Where it was found in the end."""
    moved: bool
    """Whether every step from the asked address to `url` was permanent (301, 308)."""


def new_client() -> httpx2.AsyncClient:
    """Return a client for `fetch`; cookies and redirects are not followed by itself."""
    return httpx2.AsyncClient(headers=_HEADERS, timeout=TIMEOUT_S, follow_redirects=False)


async def fetch(
    client: httpx2.AsyncClient, url: str, etag: str, modified: str, now_s: float
) -> Fetched:
    """Return what `url` holds now.

    `etag` and `modified` are what it said last time; `now_s` is Unix seconds, to read dates by.
    Raises Unavailable, Gone, or FeedError when the document is too large or wrongly packed.
    """
    try:
        async with asyncio.timeout(TOTAL_TIMEOUT_S):
            return await _follow(client, url, etag, modified, now_s)
    except TimeoutError as error:
        raise Unavailable(f"no whole answer in {TOTAL_TIMEOUT_S:g} s: {url}") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        raise Unavailable(f"{type(error).__name__} {error}: {url}") from error


async def _follow(
    client: httpx2.AsyncClient, asked: str, etag: str, modified: str, now_s: float
) -> Fetched:
    url, moved = asked, True
    conditions = {"if-none-match": etag, "if-modified-since": modified}
    headers = {name: value for name, value in conditions.items() if value}
    for _ in range(MAX_REDIRECTS + 1):
        async with client.stream("GET", url, headers=headers) as response:
            if not response.has_redirect_location:
                return await _answer(response, asked, url, moved and url != asked, now_s)
            moved = moved and response.status_code in {301, 308}
            target = response.url.join(response.headers["location"])
        if target.scheme not in {"http", "https"}:
            raise Unavailable(f"redirects to {target.scheme}: {asked}")
        url = str(target)
    raise Unavailable(f"redirects more than {MAX_REDIRECTS} times: {asked}")


async def _answer(
    response: httpx2.Response, asked: str, url: str, moved: bool, now_s: float
) -> Fetched:
    status, headers = response.status_code, response.headers
    if status == 410:
        raise Gone(f"gone for good: {asked}")
    if status not in {200, 304}:
        retry_after_s = retry_after(headers.get("retry-after", ""), now_s)
        raise Unavailable(f"status {status}: {asked}", retry_after_s)
    body = await _body(response, asked) if status == 200 else None
    return Fetched(
        body=body,
        content_type=headers.get("content-type", ""),
        etag=headers.get("etag", ""),
        modified=headers.get("last-modified", ""),
        url=url,
        moved=moved,
    )


async def _body(response: httpx2.Response, asked: str) -> bytes:
    """Return the unpacked body; unpacks it itself, to stop a small answer from growing huge."""
    packing = response.headers.get("content-encoding", "identity").lower().strip()
    if packing not in {"identity", "", "gzip", "x-gzip", "deflate"}:
        raise FeedError(f"packed as {packing[:20]!r}, which was not asked for: {asked}")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32) if packing not in {"identity", ""} else None
    body = bytearray()
    async for chunk in response.aiter_raw():
        left_bytes = MAX_BODY_BYTES - len(body) + 1
        try:
            body += unpacker.decompress(chunk, left_bytes) if unpacker else chunk[:left_bytes]
        except zlib.error as error:
            raise FeedError(f"broken packing ({error}): {asked}") from error
        if len(body) > MAX_BODY_BYTES:
            raise FeedError(f"larger than {MAX_BODY_BYTES} bytes: {asked}")
    return bytes(body)


def retry_after(header: str, now_s: float) -> float:
    """Return how many seconds a Retry-After asks for, 0 when it asks for none."""
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - now_s)
