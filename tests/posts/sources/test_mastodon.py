"""Mastodon against a server on loopback: both transports, breaks, refills, consent, refusals."""

import asyncio
import contextlib
import json
import logging
from contextlib import aclosing

import pytest
import servers_mastodon

from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.post import Deleted, Edited, Posted
from fairwitness.posts.source import SourceBatch, SourceLost, SourceRefused
from fairwitness.posts.sources import mastodon
from fairwitness.posts.sources.mastodon import Mastodon

NOW_MS = 1_783_175_890_000
FIRST = 108_914_354_907_984_653
TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "sse"])


def status(n: int, **fields) -> dict:
    account = {"acct": "u@remote.example", "uri": "https://remote.example/users/u"}
    account |= {"indexable": True, "noindex": False} | fields.pop("account", {})
    local_id = str(FIRST + n)
    return {
        "id": local_id,
        "created_at": "2022-08-30T23:12:47.000Z",
        "in_reply_to_id": None,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": f"https://remote.example/users/u/statuses/{n}",
        "url": f"https://remote.example/@u/{n}",
        "edited_at": None,
        "content": f"<p>status number {n}</p>",
        "reblog": None,
        "account": account,
        "mentions": [],
        "tags": [],
    } | fields


class Listener:
    """Listens like the supervisor does, for as long as it is asked to."""

    def __init__(self, server, transport: str = "websocket", **options) -> None:
        self.server = server
        self.source = Mastodon(
            server.url,
            VirtualClock(NOW_MS),
            token=options.pop("token", "user-token"),
            transport=transport,
            **options,
        )
        self.batches: list[SourceBatch] = []
        self.cursor = ""
        self.error: Exception | None = None

    @contextlib.asynccontextmanager
    async def connected(self):
        task = asyncio.create_task(self._listen())
        waiting = asyncio.create_task(self.server.listened_to())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        try:
            yield self
            self.server.hang_up()
            await asyncio.wait_for(task, 5)
        finally:
            task.cancel()
            await asyncio.gather(task, waiting, return_exceptions=True)

    async def _listen(self) -> None:
        try:
            async with aclosing(self.source.batches(self.cursor)) as told:
                async for batch in told:
                    self.batches.append(batch)
                    self.cursor = batch.cursor
        except (SourceLost, SourceRefused) as error:
            self.error = error

    @property
    def events(self) -> list:
        return [event for batch in self.batches for event in batch.events]

    @property
    def numbers(self) -> list[int]:
        posted = (event for event in self.events if isinstance(event, Posted))
        return [int(event.post.id.rsplit(":", 1)[1]) - FIRST for event in posted]

    @property
    def gaps(self) -> list:
        return [gap for batch in self.batches for gap in batch.gaps]

    @property
    def dropped(self) -> int:
        return sum(batch.dropped for batch in self.batches)


@pytest.fixture
def server_of():
    return servers_mastodon.MastodonServer


@TRANSPORTS
def test_posts_edits_and_deletions_are_told(server_of, transport):
    async def main():
        async with server_of() as server:
            async with Listener(server, transport).connected() as listener:
                server.post(status(1))
                server.post(status(2))
                server.edit(status(1, content="<p>edited</p>"))
                server.delete(str(FIRST + 2))
                server.tell("filters_changed", "undefined")
            first, second, edited, deleted = listener.events
            assert isinstance(first, Posted)
            assert first.post.id == f"mastodon:{server.host}:{FIRST + 1}"
            assert isinstance(second, Posted)
            assert isinstance(edited, Edited)
            assert (edited.post.id, edited.post.text) == (first.post.id, "edited")
            assert deleted == Deleted(second.post.id, NOW_MS)
            assert isinstance(listener.error, SourceLost)
            assert not listener.gaps

    asyncio.run(main())


@TRANSPORTS
def test_a_break_is_refilled_without_loss_or_repeat(server_of, transport):
    async def main():
        async with server_of() as server:
            listener = Listener(server, transport)
            async with listener.connected():
                for n in range(0, 200, 2):
                    server.post(status(n))
            for n in range(200, 400):
                server.post(status(n), silently=True)
            # Late from another server: older than the newest that we heard, and not heard.
            server.post(status(151), silently=True)
            # Said while the refill is under way: on the stream and in a page.
            said = iter(range(400, 410))
            server.on_page = lambda: server.post(status(next(said, 400)))
            async with listener.connected():
                await asyncio.sleep(0.2)
                server.post(status(500))
            expected = {*range(0, 200, 2), *range(200, 400), 151, 500}
            expected |= {n for n in range(400, 410) if str(FIRST + n) in server.statuses}
            assert len(listener.numbers) == len(set(listener.numbers))
            assert set(listener.numbers) == expected
            (gap,) = listener.gaps
            assert "edits and deletions" in gap.reason
            assert len(server.timeline_calls) >= 6
            assert all(call["limit"] == "40" for call in server.timeline_calls)

    asyncio.run(main())


def test_a_break_after_every_status_loses_nothing(server_of):
    async def main():
        async with server_of() as server:
            listener = Listener(server)
            for n in range(0, 24, 2):
                async with listener.connected():
                    server.post(status(n))
                server.post(status(n + 1), silently=True)
            async with listener.connected():
                pass
            assert listener.numbers == list(range(24))

    asyncio.run(main())


def test_a_refill_that_does_not_reach_back_says_so(server_of):
    async def main():
        async with server_of() as server:
            listener = Listener(server, refill_pages=2)
            async with listener.connected():
                server.post(status(0))
            for n in range(1, 200):
                server.post(status(n), silently=True)
            async with listener.connected():
                server.post(status(300))
            assert listener.numbers == [*range(81), 300]
            (gap,) = listener.gaps
            assert gap.reason == "more was said during a break than 2 pages hold"

    asyncio.run(main())


def test_a_rate_limit_is_obeyed_and_the_refill_goes_on_later(server_of):
    async def main():
        async with server_of() as server:
            listener = Listener(server)
            async with listener.connected():
                server.post(status(0))
            for n in range(1, 150):
                server.post(status(n), silently=True)
            server.limit_after = 2
            async with listener.connected():
                pass
            assert isinstance(listener.error, SourceLost)
            assert listener.error.retry_after_s == 90.0
            assert not listener.gaps
            server.limit_after = None
            async with listener.connected():
                pass
            assert listener.numbers == list(range(150))
            assert len(listener.gaps) == 1

    asyncio.run(main())


def test_a_cursor_of_another_server_is_a_gap(server_of):
    async def main():
        async with server_of() as one, server_of() as other:
            first = Listener(one)
            async with first.connected():
                one.post(status(1))
            second = Listener(other)
            second.cursor = first.cursor
            async with second.connected():
                other.post(status(2))
            (gap,) = second.gaps
            assert gap.reason == f"the cursor is of another server, {one.host}"
            assert not other.timeline_calls

    asyncio.run(main())


@TRANSPORTS
def test_the_stream_may_be_on_another_host(server_of, transport):
    async def main():
        async with server_of() as api, server_of() as streaming:
            api.streaming = f"ws://{streaming.host}"
            listener = Listener(api, transport)
            listener.server = streaming
            async with listener.connected():
                streaming.post(status(1))
            (event,) = listener.events
            assert event.post.id == f"mastodon:{api.host}:{FIRST + 1}"

    asyncio.run(main())


def test_a_server_that_does_not_describe_itself_streams_where_it_is(server_of):
    async def main():
        async with server_of() as server:
            server.has_instance = False
            async with Listener(server).connected() as listener:
                server.post(status(1))
            assert listener.numbers == [1]

    asyncio.run(main())


@TRANSPORTS
def test_without_a_token_it_is_refused_and_says_what_is_needed(server_of, transport):
    async def main():
        async with server_of() as server:
            listener = Listener(server, transport, token="")
            async with listener.connected():
                pass
            assert isinstance(listener.error, SourceRefused)
            assert "answers 401: it needs the token of a user" in str(listener.error)
            assert str(listener.error).startswith("mastodon: ")

    asyncio.run(main())


def test_an_unknown_stream_is_refused(server_of):
    async def main():
        async with server_of() as server:
            server.stream_error = {"error": "Unknown stream type", "status": 400}
            listener = Listener(server)
            async with listener.connected():
                pass
            assert isinstance(listener.error, SourceRefused)
            assert "400: Unknown stream type" in str(listener.error)
            assert not listener.batches

    asyncio.run(main())


def test_what_its_author_does_not_offer_is_left_out(server_of):
    async def main():
        async with server_of() as server:
            async with Listener(server).connected() as listener:
                server.post(status(1, account={"indexable": False}))
                server.post(status(2, account={"noindex": True}))
                server.post(status(3, account={"indexable": None, "noindex": None}))
                for n, visibility in enumerate(("unlisted", "private", "direct"), 4):
                    server.post(status(n, visibility=visibility))
                server.post(status(7))
                server.edit(status(7, account={"indexable": False}))
            assert listener.numbers == [3, 7]
            assert listener.events[-1] == Deleted(f"mastodon:{server.host}:{FIRST + 7}", NOW_MS)
            assert listener.source.withheld == 5
            assert listener.dropped == 0

            async with Listener(server, need_indexable=False).connected() as listener:
                server.post(status(11, account={"indexable": False}))
                server.post(status(12, account={"indexable": False, "noindex": True}))
            assert listener.numbers == [11]

    asyncio.run(main())


@TRANSPORTS
def test_hostile_events_are_counted_and_skipped(server_of, transport, caplog):
    caplog.set_level(logging.CRITICAL)

    async def main():
        async with server_of() as server:
            async with Listener(server, transport).connected() as listener:
                server.post(status(1))
                hostile = [
                    ("update", "{"),
                    ("update", "null"),
                    ("update", json.dumps(status(2) | {"content": 5})),
                    ("update", json.dumps(status(3) | {"id": "../1"})),
                    ("update", json.dumps(status(4) | {"id": "9" * 5000})),
                    ("update", json.dumps(status(5))[:-1] + ',"x":' + "[" * 100_000),
                    ("delete", ""),
                    ("delete", "1 or 1"),
                ]
                hostile += [("raw", "not json"), ("raw", "[1]")] * (transport == "websocket")
                for event, payload in hostile:
                    server.tell(event, payload)
                server.post(status(6))
            assert listener.numbers == [1, 6]
            assert listener.dropped == len(hostile)
            assert len(listener.cursor) < 200

    asyncio.run(main())


def test_a_silent_stream_tells_that_it_is_heard(server_of, monkeypatch):
    monkeypatch.setattr(mastodon, "_ALIVE_S", 0.05)

    async def main():
        async with server_of() as server:
            async with Listener(server).connected() as listener:
                server.post(status(1))
                await asyncio.sleep(0.25)
            assert listener.numbers == [1]
            assert len(listener.batches) >= 3

    asyncio.run(main())


def test_nobody_there_is_lost():
    async def main():
        source = Mastodon("http://127.0.0.1:9", VirtualClock(NOW_MS))
        with pytest.raises(SourceLost, match="cannot ask"):
            async for _ in source.batches(""):
                pass

    asyncio.run(main())


@pytest.mark.parametrize("url", ["mastodon.social", "https://mastodon.social/about", "ftp://a"])
def test_other_urls_are_no_server(url):
    with pytest.raises(ValueError, match="not the address of a server"):
        Mastodon(url, VirtualClock(NOW_MS))


def test_a_foreign_cursor_is_refused():
    async def main():
        source = Mastodon("http://127.0.0.1:9", VirtualClock(NOW_MS))
        with pytest.raises(SourceRefused, match="not a cursor of Mastodon"):
            async for _ in source.batches("109"):
                pass

    asyncio.run(main())
