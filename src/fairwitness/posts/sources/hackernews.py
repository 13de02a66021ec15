"""Hacker News by its official API: walk new items upward, hear of changed ones from `updates`.

Ids are given in order and never reused, so the cursor is the last id walked, and a walk loses
nothing however long it was interrupted. Edits and deletions that fell into an interruption are lost
to everybody: `updates.json` lists only the latest.

Facts: repository HackerNews/API, README.md (`maxitem`, `updates`, `item/<id>`; no rate limit).
An item that was given an id but is not yet written reads as `null`.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable

import httpx2
import msgspec

from fairwitness.posts.clock import Clock
from fairwitness.posts.compose import compose
from fairwitness.posts.post import Deleted, Edited, Engagement, Event, Posted
from fairwitness.posts.source import SourceBatch, SourceLost, SourceRefused
from fairwitness.posts.sources.feeds_fetch import retry_after
from fairwitness.posts.sources.hackernews_items import Item, post_id, read_item

log = logging.getLogger(__name__)

BASE_URL = "https://hacker-news.firebaseio.com/v0/"

_AT_ONCE = 16
_BLOCK_ITEMS = 200
_TRIES = 4
_FIRST_PAUSE_S = 0.1
_REMEMBERED = 50_000
"""Items whose text and story are remembered, some three days of them."""


class _Updates(msgspec.Struct):
    items: tuple[int, ...] = ()


_number = msgspec.json.Decoder(int).decode
_updates = msgspec.json.Decoder(_Updates).decode
_item_or_null = msgspec.json.Decoder(Item | None).decode


class HackerNews:
    """All stories, comments, jobs and polls; a newcomer begins `newcomer_items` before the newest.

    `poll_s` is the pause between two looks at what is new.
    """

    def __init__(
        self,
        clock: Clock,
        name: str = "hackernews",
        base_url: str = BASE_URL,
        newcomer_items: int = 500,
        poll_s: float = 10.0,
    ) -> None:
        self.name = name
        self._clock = clock
        self._base_url = base_url.rstrip("/") + "/"
        self._newcomer_items = newcomer_items
        self._poll_s = poll_s
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._told: OrderedDict[int, tuple[str, str, Engagement]] = OrderedDict()
        """Item → id of its story, text and engagement as last told; oldest first."""

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield new items in order of their ids, and between them what changed.

        Raises SourceLost when the API fails, SourceRefused when the address is not that API.
        """
        if cursor and not cursor.isdecimal():
            raise SourceRefused(f"{self.name}: not a cursor of Hacker News: {cursor[:60]!r}")
        async with httpx2.AsyncClient(base_url=self._base_url, timeout=20.0) as client:
            newest = await self._newest(client)
            last = int(cursor) if cursor else max(0, newest - self._newcomer_items)
            while True:
                while last < newest:
                    until = min(last + _BLOCK_ITEMS, newest)
                    events, dropped = await self._events(client, range(last + 1, until + 1))
                    last = until
                    yield SourceBatch(events, str(last), dropped=dropped)
                events, dropped = await self._events(client, await self._changed(client, last))
                if events or dropped:
                    yield SourceBatch(events, str(last), dropped=dropped)
                await asyncio.sleep(self._poll_s)
                newest = await self._newest(client)

    async def _newest(self, client: httpx2.AsyncClient) -> int:
        body = await self._get(client, "maxitem.json")
        try:
            return _number(body)
        except msgspec.DecodeError as error:
            raise SourceRefused(f"{self.name}: not the API: {self._base_url}") from error

    async def _changed(self, client: httpx2.AsyncClient, last: int) -> list[int]:
        """Return the items that changed of late, of those already walked."""
        body = await self._get(client, "updates.json")
        try:
            return sorted({item for item in _updates(body).items if 0 < item <= last})
        except msgspec.DecodeError as error:
            raise SourceLost(f"{self.name}: updates cannot be read: {error}") from error

    async def _events(
        self, client: httpx2.AsyncClient, numbers: Iterable[int]
    ) -> tuple[tuple[Event, ...], int]:
        """Return what items `numbers` say by now, in their order, and how many were unreadable."""
        tasks = (self._item(client, number) for number in numbers)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        events, unread = [], 0
        for item in found:
            if isinstance(item, BaseException):
                raise item
            event = self._event(item) if item is not None else None
            unread += item is None
            if event is not None:
                events.append(event)
        return tuple(events), unread

    def _event(self, item: Item) -> Event | None:
        seen_ms = self._clock.now_ms()
        before = self._told.get(item.id)
        above = item.parent or item.poll
        root = self._told[above][0] if above in self._told else "" if above else post_id(item.id)
        parts = read_item(item, seen_ms, root)
        if parts is None:
            self._remember(item.id, (root, "", Engagement()))
            gone = item.deleted or item.dead
            told_so = before is not None and not before[1]
            return Deleted(post_id(item.id), seen_ms) if gone and not told_so else None
        post = compose(parts)
        self._remember(item.id, (root, post.text, post.engagement))
        if before is None:
            return Posted(post)
        if before[1] != post.text:
            return Edited(post)
        return Posted(post) if before[2] != post.engagement else None

    def _remember(self, item: int, told: tuple[str, str, Engagement]) -> None:
        self._told[item] = told
        self._told.move_to_end(item)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)

    async def _item(self, client: httpx2.AsyncClient, number: int) -> Item | None:
        """Return item `number`; None when it stays unwritten or cannot be read, which is logged."""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_FIRST_PAUSE_S * 2**attempt)
            try:
                async with self._places:
                    item: Item | None = _item_or_null(
                        await self._get(client, f"item/{number}.json")
                    )
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                log.warning("%s: left out item %d: %s", self.name, number, error)
                return None
            except SourceLost:
                if attempt == _TRIES - 1:
                    raise
                continue
            if item is not None:
                return item
        log.warning("%s: left out item %d: still not written", self.name, number)
        return None

    async def _get(self, client: httpx2.AsyncClient, path: str) -> bytes:
        try:
            response = await client.get(path)
        except httpx2.HTTPError as error:
            raise SourceLost(f"{self.name}: {path}: {type(error).__name__} {error}") from error
        status = response.status_code
        if status == 200:
            return response.content
        if status == 429 or status >= 500:
            header = response.headers.get("retry-after", "")
            pause_s = retry_after(header, self._clock.now_ms() / 1000)
            raise SourceLost(f"{self.name}: {path}: status {status}", pause_s)
        raise SourceRefused(f"{self.name}: {self._base_url}{path}: status {status}")
