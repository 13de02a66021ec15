"""News sites and blogs: their feeds, polled politely; each entry is a post of its outlet.

A feed is a window on what an outlet published. What is new in the window is posted, what changed
under the same id is edited; what leaves it is merely old. When a window shows nothing that the last
one did, something may have passed between the two, and the batch says so.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import httpx2
import msgspec

from fairwitness.posts.clock import Clock
from fairwitness.posts.post import Event
from fairwitness.posts.source import Gap, SourceBatch, SourceLost, SourceRefused
from fairwitness.posts.sources.feeds_document import Document, FeedError, read_document
from fairwitness.posts.sources.feeds_entries import Known, changes
from fairwitness.posts.sources.feeds_fetch import Fetched, Gone, Unavailable, fetch, new_client

log = logging.getLogger(__name__)

MAX_PAUSE_S = 6 * 3600.0
"""A feed that fails is asked ever less often, down to this."""

MAX_RETRY_AFTER_S = 24 * 3600.0

_AT_ONCE = 8


@dataclass
class _Feed:
    """One feed as its watch sees it: ahead of the cursor by what was not yet taken."""

    url: str
    known: Known = field(default_factory=Known)
    failures: int = 0
    due_s: float = 0.0
    """On the clock of the event loop."""


@dataclass(frozen=True, slots=True)
class _Poll:
    """What one poll of one feed brought."""

    url: str
    known: Known
    events: tuple[Event, ...] = ()
    gaps: tuple[Gap, ...] = ()
    dropped: int = 0
    error: str = ""
    retry_after_s: float = 0.0


class Feeds:
    """RSS, Atom, RDF and JSON feeds, each asked about every `interval_s` seconds.

    Ids are `rss:<address as configured>#<the entry's own id>`; the author's id is the outlet's
    address, for the outlet is the witness. A feed that answers 410 is asked no more.
    """

    def __init__(
        self, urls: Sequence[str], clock: Clock, interval_s: float = 300.0, name: str = "feeds"
    ) -> None:
        if not urls:
            raise ValueError("no feed addresses")
        self.name = name
        self._clock = clock
        self._interval_s = interval_s
        self._feeds = {url: _Feed(url) for url in urls}

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield a batch for each document that came.

        Raises SourceLost when no feed at all answers, SourceRefused when all are gone.
        """
        told = self._remembered(cursor)
        for url, feed in self._feeds.items():
            feed.known = told.get(url, Known())
        polls: asyncio.Queue[_Poll] = asyncio.Queue()
        places = asyncio.Semaphore(_AT_ONCE)
        async with new_client() as client:
            watches = [
                asyncio.create_task(self._watch(feed, client, places, polls))
                for feed in self._feeds.values()
            ]
            try:
                while True:
                    self._check_alive()
                    poll = await polls.get()
                    told[poll.url] = poll.known
                    if poll.events or poll.gaps or poll.dropped or poll.known.gone:
                        text = msgspec.json.encode(told).decode()
                        yield SourceBatch(poll.events, text, poll.gaps, poll.dropped)
            finally:
                for watch in watches:
                    watch.cancel()
                await asyncio.gather(*watches, return_exceptions=True)

    def _remembered(self, cursor: str) -> dict[str, Known]:
        try:
            found = msgspec.json.decode(cursor or "{}", type=dict[str, Known])
        except msgspec.DecodeError as error:
            raise SourceRefused(f"{self.name}: not a cursor of feeds: {cursor[:60]!r}") from error
        return {url: known for url, known in found.items() if url in self._feeds}

    def _check_alive(self) -> None:
        alive = [feed for feed in self._feeds.values() if not feed.known.gone]
        if not alive:
            raise SourceRefused(f"{self.name}: every feed is gone: {', '.join(self._feeds)[:200]}")
        wait_s = min(feed.due_s for feed in alive) - asyncio.get_running_loop().time()
        if all(feed.failures for feed in alive) and wait_s > 0:
            raise SourceLost(f"{self.name}: no feed answers", retry_after_s=wait_s)

    async def _watch(
        self,
        feed: _Feed,
        client: httpx2.AsyncClient,
        places: asyncio.Semaphore,
        polls: asyncio.Queue[_Poll],
    ) -> None:
        """Poll one feed whenever it is due, until it is gone."""
        now_s = asyncio.get_running_loop().time
        while not feed.known.gone:
            await asyncio.sleep(feed.due_s - now_s())
            async with places:
                poll = await self._poll(feed, client)
            if poll.error:
                log.warning("%s: %s", self.name, poll.error)
            feed.failures = feed.failures + 1 if poll.error else 0
            feed.due_s = now_s() + self._pause_s(feed.failures, poll.retry_after_s)
            feed.known = poll.known
            await polls.put(poll)

    def _pause_s(self, failures: int, retry_after_s: float) -> float:
        # Jittered, so that not all readers of a site ask in the same second.
        pause_s = self._interval_s * random.uniform(0.9, 1.1)
        if failures:
            pause_s = min(pause_s * 2 ** min(failures, 16), max(MAX_PAUSE_S, self._interval_s))
        return max(pause_s, min(retry_after_s, MAX_RETRY_AFTER_S))

    async def _poll(self, feed: _Feed, client: httpx2.AsyncClient) -> _Poll:
        url, known = feed.url, feed.known
        try:
            fetched = await fetch(
                client,
                known.moved_to or url,
                known.etag,
                known.modified,
                self._clock.now_ms() / 1000,
            )
            return await asyncio.to_thread(self._read, url, known, fetched)
        except Gone as error:
            log.warning("%s: %s", self.name, error)
            return _Poll(url, msgspec.structs.replace(known, gone=True))
        except Unavailable as error:
            return _Poll(url, known, error=str(error), retry_after_s=error.retry_after_s)
        except FeedError as error:
            return _Poll(url, known, dropped=1, error=str(error))

    def _read(self, url: str, known: Known, fetched: Fetched) -> _Poll:
        """Return what `fetched` says; off the event loop, for a large feed takes a second."""
        now_ms = self._clock.now_ms()
        if fetched.body is None:
            return _Poll(url, msgspec.structs.replace(known, read_ms=now_ms))
        document = read_document(fetched.body, url, fetched.content_type)
        events, entries, jumped = changes(document, known, url, now_ms)
        gap = Gap(known.read_ms, now_ms, f"{url} shows nothing that it did before")
        return _Poll(
            url,
            _known(known, fetched, document, entries, now_ms),
            events,
            gaps=(gap,) if jumped else (),
        )


def _known(
    before: Known, fetched: Fetched, document: Document, entries: dict[str, str], now_ms: int
) -> Known:
    return Known(
        etag=fetched.etag,
        modified=fetched.modified,
        moved_to=fetched.url if fetched.moved else before.moved_to,
        read_ms=now_ms,
        gone=document.finished,
        entries=entries,
    )
