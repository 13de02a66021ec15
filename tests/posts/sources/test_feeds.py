"""Feeds over HTTP: polite, bounded, and resumable."""

import asyncio
import gzip
import tracemalloc
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from pathlib import Path

import loopback as http
import msgspec
import pytest

from fairwitness.posts.clock import SystemClock
from fairwitness.posts.post import Posted
from fairwitness.posts.source import SourceBatch, SourceLost, SourceRefused
from fairwitness.posts.sources.feeds import Feeds
from fairwitness.posts.sources.feeds_entries import Known
from fairwitness.posts.sources.feeds_fetch import MAX_BODY_BYTES, retry_after

CLOCK = SystemClock()


def feed(*numbers: int, title: str = "The Daily") -> bytes:
    items = "".join(
        f"<item><guid isPermaLink='false'>g{n}</guid><title>Item number {n}</title></item>"
        for n in numbers
    )
    return f'<rss version="2.0"><channel><title>{title}</title>{items}</channel></rss>'.encode()


async def some(source: Feeds, count: int, cursor: str = "") -> list[SourceBatch]:
    found = []
    stream = source.batches(cursor)
    async with asyncio.timeout(8):
        async for batch in stream:
            found.append(batch)
            if len(found) == count:
                break
    await stream.aclose()
    return found


def texts(batches: list[SourceBatch]) -> list[str]:
    return [e.post.text for b in batches for e in b.events if isinstance(e, Posted)]


def known(batch: SourceBatch) -> dict[str, Known]:
    return msgspec.json.decode(batch.cursor, type=dict[str, Known])


Answer = Callable[[object, asyncio.StreamWriter], Awaitable[None]]


def answering(*answers: tuple[int, bytes, dict[str, str]]) -> Answer:
    """Answer each request with the next of `answers`, and the last for ever."""
    left = list(answers)

    async def answer(request: http.Request, writer: asyncio.StreamWriter) -> None:
        status, body, headers = left.pop(0) if len(left) > 1 else left[0]
        http.respond(writer, status, body, headers)

    return answer


def test_only_what_is_new_comes_and_nothing_is_asked_twice() -> None:
    tags = {"etag": '"v1"', "last-modified": "Wed, 01 May 2013 10:00:00 GMT"}

    async def run() -> None:
        answer = answering((200, feed(2, 1), tags), (304, b"", {}), (200, feed(3, 2), {}))
        async with http.Loopback(answer) as server:
            source = Feeds([f"{server.url}/rss"], CLOCK, interval_s=0.05)
            first, second = await some(source, 2)
            assert texts([first]) == ["Item number 1", "Item number 2"]
            assert texts([second]) == ["Item number 3"]
            asked = [request.headers for request in server.requests]
            assert "if-none-match" not in asked[0]
            for headers in asked[1:3]:
                assert headers["if-none-match"] == '"v1"'
                assert headers["if-modified-since"] == tags["last-modified"]
            assert "fairwitness" in asked[0]["user-agent"]

    asyncio.run(run())


def test_a_cursor_resumes_and_stays_small() -> None:
    async def run() -> None:
        numbers = list(range(300, 0, -1))
        answer = answering((200, feed(*numbers), {}), (200, feed(301, *numbers), {}))
        async with http.Loopback(answer) as server:
            urls = [f"{server.url}/rss"]
            (first,) = await some(Feeds(urls, CLOCK), 1)
            assert len(first.events) == 300
            (second,) = await some(Feeds(urls, CLOCK), 1, first.cursor)
            assert texts([second]) == ["Item number 301"]
            assert len(second.cursor) < 301 * 26

    asyncio.run(run())


def test_a_feed_that_jumped_leaves_a_gap() -> None:
    async def run() -> None:
        async with http.Loopback(answering((200, feed(2, 1), {}), (200, feed(9, 8), {}))) as server:
            first, second = await some(Feeds([server.url], CLOCK, interval_s=0.05), 2)
            assert first.gaps == ()
            (gap,) = second.gaps
            assert gap.from_ms == known(first)[server.url].read_ms < gap.until_ms

    asyncio.run(run())


def test_a_permanent_move_is_remembered_and_a_passing_one_is_not() -> None:
    async def answer(request: http.Request, writer: asyncio.StreamWriter) -> None:
        path = request.path
        if path == "/old":
            http.respond(writer, 301, b"", {"location": "/mid"})
        elif path == "/mid":
            http.respond(writer, 308, b"", {"location": "/new"})
        elif path == "/passing":
            http.respond(writer, 302, b"", {"location": "/new"})
        elif path == "/around":
            http.respond(writer, 301, b"", {"location": "/around"})
        else:
            http.respond(writer, 200, feed(1), {})

    async def run() -> None:
        async with http.Loopback(answer) as server:
            old, passing = f"{server.url}/old", f"{server.url}/passing"
            batches = await some(Feeds([old, passing, f"{server.url}/around"], CLOCK), 2)
            places = {url: each.moved_to for url, each in known(batches[-1]).items()}
            assert (places[old], places[passing]) == (f"{server.url}/new", "")
            posts = [event.post for batch in batches for event in batch.events]  # type: ignore[union-attr]
            assert {post.id for post in posts} == {f"rss:{old}#g1", f"rss:{passing}#g1"}
            server.requests.clear()
            stream = Feeds([old], CLOCK).batches(batches[-1].cursor)
            waiting = asyncio.ensure_future(anext(stream))
            while not server.requests:
                await asyncio.sleep(0.01)
            assert [request.path for request in server.requests] == ["/new"]
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(run())


def test_a_feed_that_is_gone_is_asked_no_more() -> None:
    async def run() -> None:
        async with http.Loopback(answering((410, b"", {}))) as server:
            source = Feeds([server.url], CLOCK, interval_s=0.01)
            stream = source.batches("")
            batch = await anext(stream)
            assert known(batch)[server.url].gone
            with pytest.raises(SourceRefused, match="every feed is gone"):
                await anext(stream)
            with pytest.raises(SourceRefused, match="every feed is gone"):
                await some(Feeds([server.url], CLOCK), 1, batch.cursor)
            assert len(server.requests) == 1

    asyncio.run(run())


def test_a_finished_json_feed_is_asked_no_more() -> None:
    body = b'{"version":"https://jsonfeed.org/version/1.1","expired":true,"items":[{"id":"1","title":"over"}]}'

    async def run() -> None:
        async with http.Loopback(answering((200, body, {}))) as server:
            stream = Feeds([server.url], CLOCK, interval_s=0.01).batches("")
            assert texts([await anext(stream)]) == ["over"]
            with pytest.raises(SourceRefused):
                await anext(stream)

    asyncio.run(run())


@pytest.mark.parametrize("status", [429, 503])
def test_a_feed_that_asks_for_a_pause_gets_it(status: int) -> None:
    async def run() -> None:
        async with http.Loopback(answering((status, b"", {"retry-after": "90"}))) as server:
            with pytest.raises(SourceLost, match="no feed answers") as lost:
                await some(Feeds([server.url], CLOCK, interval_s=0.01), 1)
            assert 85 < lost.value.retry_after_s <= 90

    asyncio.run(run())


def test_one_broken_feed_does_not_stop_the_others() -> None:
    async def answer(request: http.Request, writer: asyncio.StreamWriter) -> None:
        path = request.path
        if path == "/bad":
            http.respond(writer, 200, b"<html>sorry</html>", {})
        elif path == "/down":
            http.respond(writer, 500, b"", {})
        elif path == "/cut":
            http.respond(writer, 200, feed(1)[:50], {"content-length": "5000"})
        else:
            http.respond(writer, 200, feed(len(server.requests)), {})

    async def run() -> None:
        nonlocal server
        async with http.Loopback(answer) as server:
            urls = [f"{server.url}{path}" for path in ("/bad", "/down", "/cut", "/good")]
            # Long enough for pauses to have doubled thrice: after 8 batches they hardly differ yet.
            batches = await some(Feeds(urls, CLOCK, interval_s=0.05), 16)
            assert sum(batch.dropped for batch in batches) >= 1
            assert len(texts(batches)) >= 4
            asked = [request.path for request in server.requests]
            assert asked.count("/good") > 2 * asked.count("/down"), "errors are asked less often"

    server = None
    asyncio.run(run())


def test_bodies_are_bounded_whatever_they_unpack_to() -> None:
    bomb = gzip.compress(b" " * (MAX_BODY_BYTES * 20))
    packed = gzip.compress(feed(7))

    async def answer(request: http.Request, writer: asyncio.StreamWriter) -> None:
        path = request.path
        if path == "/bomb":
            http.respond(writer, 200, bomb, {"content-encoding": "gzip"})
        elif path == "/zstd":
            http.respond(writer, 200, b"(\xb5/\xfd", {"content-encoding": "zstd"})
        elif path == "/torn":
            http.respond(writer, 200, packed[:20] + b"junk" * 9, {"content-encoding": "gzip"})
        elif path == "/endless":
            http.start_chunks(writer)
            for _ in range(MAX_BODY_BYTES // 65_536 + 40):
                await http.chunk(writer, b" " * 65_536)
        else:
            http.respond(writer, 200, packed, {"content-encoding": "gzip"})

    async def run() -> None:
        async with http.Loopback(answer) as server:
            paths = ("/bomb", "/zstd", "/torn", "/endless", "/fine")
            batches = await some(Feeds([f"{server.url}{path}" for path in paths], CLOCK), 5)
            assert sum(batch.dropped for batch in batches) == 4
            assert texts(batches) == ["Item number 7"]

    asyncio.run(run())


def test_a_bomb_is_not_even_unpacked() -> None:
    bomb = gzip.compress(b" " * (MAX_BODY_BYTES * 20))

    async def run() -> None:
        answer = answering((200, bomb, {"content-encoding": "gzip"}))
        async with http.Loopback(answer) as server:
            tracemalloc.start()
            (batch,) = await some(Feeds([server.url], CLOCK), 1)
            _, peak_bytes = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert batch.dropped == 1
            assert peak_bytes < 4 * MAX_BODY_BYTES

    asyncio.run(run())


def test_a_cursor_holds_nothing_that_was_not_yet_told() -> None:
    async def answer(request: http.Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0 if request.path == "/quick" else 0.05)
        http.respond(writer, 200, feed(1), {})

    async def run() -> None:
        async with http.Loopback(answer) as server:
            urls = [f"{server.url}/{name}" for name in ("quick", "slow", "slower")]
            stream = Feeds(urls, CLOCK).batches("")
            first = await anext(stream)
            assert set(known(first)) == {urls[0]}
            await asyncio.sleep(0.3)  # both others have been read by now
            assert len(known(await anext(stream))) == 2
            assert len(known(await anext(stream))) == 3
            await stream.aclose()

    asyncio.run(run())


def test_fixtures_come_the_same_over_http(shared: Path) -> None:
    folder = shared / "data" / "feedparser-fixtures" / "tests" / "wellformed" / "rss"
    names = [f"item_title{part}.xml" for part in ("", "_amp", "_lt", "_entity")]
    files = {f"/{name}": (folder / name) for name in names if (folder / name).is_file()}
    assert files

    async def answer(request: http.Request, writer: asyncio.StreamWriter) -> None:
        body = files[request.path].read_bytes()
        http.respond(writer, 200, body, {"content-type": "application/rss+xml"})

    async def run() -> None:
        async with http.Loopback(answer) as server:
            source = Feeds([f"{server.url}{path}" for path in files], CLOCK)
            assert len(texts(await some(source, len(files)))) == len(files)

    asyncio.run(run())


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="no feed"):
        Feeds([], CLOCK)
    with pytest.raises(SourceRefused, match="not a cursor"):
        asyncio.run(some(Feeds(["http://127.0.0.1:9/"], CLOCK), 1, "17"))


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("120", 0) == 120
    assert retry_after(formatdate(1_700_000_060, usegmt=True), 1_700_000_000) == 60
    assert retry_after(formatdate(1_600_000_000, usegmt=True), 1_700_000_000) == 0
    assert retry_after("soon", 0) == retry_after("", 0) == retry_after("-5", 0) == 0
