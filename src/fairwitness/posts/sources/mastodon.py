"""A Mastodon server, live: its public timeline by the streaming API, gaps refilled by REST.

The stream has no cursor. So it is opened first, and then what a break left out is fetched page by
page, oldest first, until the two overlap. New posts are found that way; edits and deletions of the
time of the break are told by nobody, and that is recorded as a gap.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2

from fairwitness.posts.clock import Clock
from fairwitness.posts.compose import Parts, events_of
from fairwitness.posts.post import Deleted, Event
from fairwitness.posts.source import Gap, SourceBatch, SourceError, SourceLost, SourceRefused
from fairwitness.posts.sources import mastodon_api
from fairwitness.posts.sources.mastodon_cursor import Heard, sortable
from fairwitness.posts.sources.mastodon_status import (
    Server,
    Status,
    Unreadable,
    is_offered,
    read_status,
    to_parts,
)
from fairwitness.posts.sources.mastodon_stream import Stream, Told, Transport, opened

_GATHER_S = 0.05
_GATHER_EVENTS = 500
_ALIVE_S = 30.0
"""How often a stream that says nothing still tells that it is heard."""

_log = logging.getLogger(__name__)


@dataclass
class _Taken:
    """What became of some of what the stream told."""

    said: list[Parts | Event] = field(default_factory=list)
    dropped: int = 0
    ended: SourceError | None = None

    def batch(self, cursor: str) -> SourceBatch:
        """Return it as a batch, with the cursor after it."""
        return SourceBatch(tuple(events_of(self.said)), cursor, dropped=self.dropped)


class Mastodon:
    """A Source over the public timeline of the server at `url` (https://mastodon.social).

    `token` is a user's: servers since 4.2 let nobody else listen. `transport` is `websocket` or
    `sse`. Statuses of accounts that did not opt in to search are left out unless `need_indexable`
    is False (mastodon_status says which those are). `refill_pages` bounds what is fetched after a
    break, at 40 statuses a page; a server allows 300 in five minutes.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        name: str = "mastodon",
        *,
        token: str = "",
        transport: Transport = "websocket",
        stream: Stream = "public",
        need_indexable: bool = True,
        refill_pages: int = 100,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
            raise ValueError(f"not the address of a server: {url!r}")
        self.name = name
        self.withheld = 0
        """Statuses left out since the start because their author does not offer them."""
        self._base = f"{parts.scheme}://{parts.netloc}"
        self._clock = clock
        self._token = token
        self._transport = transport
        self._stream = stream
        self._need_indexable = need_indexable
        self._refill_pages = refill_pages

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield what was said after `cursor`; without one, from now on."""
        try:
            heard = Heard(urlsplit(self._base).netloc, cursor)
        except ValueError as error:
            raise SourceRefused(f"{self.name}: {error}") from error
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        headers["User-Agent"] = "fairwitness"
        try:
            async with httpx2.AsyncClient(headers=headers, timeout=20) as client:
                server, url = await mastodon_api.discover(client, self._base)
                async with opened(client, url, self._token, self._transport, self._stream) as queue:
                    async with aclosing(self._refill(client, server, heard)) as missed:
                        async for batch in missed:
                            yield batch
                    async with aclosing(self._follow(queue, server, heard)) as told:
                        async for batch in told:
                            yield batch
        except SourceLost as error:
            raise SourceLost(f"{self.name}: {error}", error.retry_after_s) from error
        except SourceRefused as error:
            raise SourceRefused(f"{self.name}: {error}") from error

    async def _refill(
        self, client: httpx2.AsyncClient, server: Server, heard: Heard
    ) -> AsyncGenerator[SourceBatch, None]:
        """Yield the statuses of the break, oldest first, and the gap that remains."""
        if not heard.missing_since_ms:
            return
        since_ms, position, pages = heard.missing_since_ms, heard.floor, 0
        missing = "edits and deletions during a break are not told again"
        if heard.elsewhere:
            missing = f"the cursor is of another server, {heard.elsewhere}"
        while position:
            page = await mastodon_api.newer_than(client, self._base, position, self._stream)
            taken, newest = self._take_page(page, server, heard)
            if newest <= sortable(position):
                break
            position, pages = newest[1], pages + 1
            yield taken.batch(heard.cursor(since_ms))
            if pages == self._refill_pages:
                missing = f"more was said during a break than {pages} pages hold"
                break
        now_ms = self._clock.now_ms()
        yield SourceBatch((), heard.cursor(now_ms), (Gap(since_ms, now_ms, missing),))

    def _take_page(
        self, page: Iterable[bytes], server: Server, heard: Heard
    ) -> tuple[_Taken, tuple[int, str]]:
        """Return what became of the page, and its newest id."""
        taken = _Taken()
        statuses: list[Status] = []
        for payload in page:
            try:
                statuses.append(read_status(payload))
            except Unreadable as reason:
                self._drop(taken, reason)
        # Pages come newest first.
        statuses.sort(key=lambda each: sortable(each.id))
        for status in statuses:
            self._take("update", status, server, heard, taken)
        return taken, sortable(statuses[-1].id if statuses else "")

    async def _follow(
        self, queue: asyncio.Queue[Told | SourceError], server: Server, heard: Heard
    ) -> AsyncGenerator[SourceBatch, None]:
        while True:
            taken = _Taken()
            for told in await _gather(queue):
                if isinstance(told, SourceError):
                    taken.ended = told
                    break
                self._take_told(told, server, heard, taken)
            if taken.said or taken.dropped or not taken.ended:
                yield taken.batch(heard.cursor(self._clock.now_ms()))
            if taken.ended:
                raise taken.ended

    def _take_told(self, told: Told, server: Server, heard: Heard, taken: _Taken) -> None:
        try:
            if told.name == "delete":
                local_id = told.payload.strip().strip('"')
                taken.said.append(Deleted(server.post_id(local_id), self._clock.now_ms()))
            elif told.name in ("update", "status.update"):
                self._take(told.name, read_status(told.payload), server, heard, taken)
            elif not told.name:
                raise Unreadable(told.payload)
        except Unreadable as reason:
            self._drop(taken, reason)

    def _take(self, name: str, status: Status, server: Server, heard: Heard, taken: _Taken) -> None:
        seen_ms = self._clock.now_ms()
        try:
            post_id = server.post_id(status.id)
            is_edit = name == "status.update"
            if not is_edit and not heard.is_new(status.id):
                return
            if is_offered(status, self._need_indexable):
                taken.said.append(to_parts(status, server, seen_ms, is_edit=is_edit))
            elif is_edit:
                # We may hold it from before its author withdrew the offer.
                taken.said.append(Deleted(post_id, seen_ms))
            else:
                self.withheld += 1
        except Unreadable as reason:
            self._drop(taken, reason)

    def _drop(self, taken: _Taken, reason: Unreadable) -> None:
        taken.dropped += 1
        _log.info("%s: dropped: %s", self.name, reason)


async def _gather(queue: asyncio.Queue[Told | SourceError]) -> list[Told | SourceError]:
    """Return what is told together; nothing when nothing is for `_ALIVE_S`."""
    try:
        async with asyncio.timeout(_ALIVE_S):
            gathered = [await queue.get()]
    except TimeoutError:
        return []
    await asyncio.sleep(_GATHER_S)
    while not queue.empty() and len(gathered) < _GATHER_EVENTS:
        gathered.append(queue.get_nowait())
    return gathered
