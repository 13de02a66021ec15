"""Hacker News: a server with the API's own shapes, items that appear, change and go."""

import asyncio
import json

import loopback as http
import pytest

from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.compose import compose
from fairwitness.posts.post import Deleted, Edited, Engagement, Event, Posted
from fairwitness.posts.source import SourceBatch, SourceLost, SourceRefused
from fairwitness.posts.sources.hackernews import HackerNews
from fairwitness.posts.sources.hackernews_items import Item, read_item

CLOCK = VirtualClock(5_000)


class News:
    """The state of a small Hacker News, and the API over it."""

    def __init__(self, count: int) -> None:
        self.items: dict[int, dict[str, object]] = {}
        self.changed: list[int] = []
        self.null_answers: dict[int, int] = {}
        self.not_text: set[int] = set()
        self.failing = ""
        self.at_once = self.most_at_once = 0
        for _ in range(count):
            self.write(type="story", title="A tale", score=1, descendants=0)

    def write(self, **fields: object) -> int:
        number = len(self.items) + 1
        self.items[number] = {"id": number, "by": "ann", "time": 1_700_000_000} | fields
        return number

    def change(self, number: int, **fields: object) -> None:
        self.items[number] |= fields
        self.changed.append(number)

    async def answer(self, request: http.Request, writer: asyncio.StreamWriter) -> None:
        path = request.path.removeprefix("/v0/")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        if self.failing and self.failing in path:
            http.respond(writer, 503, b"busy", {"retry-after": "7"})
        elif path == "maxitem.json":
            http.respond(writer, 200, str(len(self.items)).encode())
        elif path == "updates.json":
            body = {"items": self.changed, "profiles": ["ann"]}
            http.respond(writer, 200, json.dumps(body).encode())
        elif path.startswith("item/"):
            number = int(path[5:-5])
            item: dict[str, object] | None = self.items[number]
            if self.null_answers.get(number, 0):
                self.null_answers[number] -= 1
                item = None
            body = b"\xff" if number in self.not_text else b""
            http.respond(writer, 200, json.dumps(item).encode().replace(b"tale", b"tale" + body))
        else:
            http.respond(writer, 401, b'{"error" : "Permission denied"}')


def source(server: object, **options: object) -> HackerNews:
    url = f"{server.url}/v0/"
    return HackerNews(CLOCK, base_url=url, poll_s=0.02, **options)  # type: ignore[arg-type]


def ids(batch: SourceBatch) -> list[str]:
    return [e.id if isinstance(e, Deleted) else e.post.id for e in batch.events]  # type: ignore[union-attr]


def test_a_newcomer_begins_near_the_end_and_a_cursor_where_it_was() -> None:
    async def run() -> None:
        news = News(450)
        async with http.Loopback(news.answer) as server:
            stream = source(server, newcomer_items=250).batches("")
            first, second = await anext(stream), await anext(stream)
            await stream.aclose()
            assert ids(first) + ids(second) == [f"hackernews:{n}" for n in range(201, 451)]
            assert second.cursor == "450"
            assert news.most_at_once <= 16
            stream = source(server).batches(first.cursor)
            assert ids(await anext(stream)) == ids(second)
            await stream.aclose()

    asyncio.run(run())


def test_new_changed_and_deleted_items_are_events() -> None:
    async def run() -> list[Event]:
        news = News(1)
        events: list[Event] = []
        async with http.Loopback(news.answer) as server:
            stream = source(server).batches("")

            async def next_events() -> None:
                async with asyncio.timeout(5):
                    events.extend((await anext(stream)).events)

            await next_events()
            news.write(type="comment", parent=1, text="so it is")
            await next_events()
            news.change(1, score=9)
            await next_events()
            news.change(2, text="so it was")
            await next_events()
            news.change(2, deleted=True)
            await next_events()
            news.write(type="comment", parent=2, dead=True, text="spam")
            await next_events()
            await stream.aclose()
        return events

    story, comment, voted, edited, deleted, dead = asyncio.run(run())
    assert isinstance(story, Posted)
    assert story.post.engagement == Engagement(likes=1, replies=0)
    assert isinstance(comment, Posted)
    assert (comment.post.reply_to, comment.post.thread) == ("hackernews:1", "hackernews:1")
    assert isinstance(voted, Posted)
    assert voted.post.engagement.likes == 9
    assert isinstance(edited, Edited)
    assert edited.post.text == "so it was"
    assert deleted == Deleted("hackernews:2", 5_000)
    assert dead == Deleted("hackernews:3", 5_000)


def test_items_not_yet_written_are_waited_for_but_not_for_ever() -> None:
    async def run() -> None:
        news = News(3)
        news.null_answers = {2: 2, 3: 99}
        async with http.Loopback(news.answer) as server:
            batch = await anext(source(server).batches(""))
            assert ids(batch) == ["hackernews:1", "hackernews:2"]
            assert (batch.dropped, batch.cursor) == (1, "3")

    asyncio.run(run())


def test_an_item_out_of_shape_is_left_out() -> None:
    async def run() -> None:
        news = News(3)
        news.items[1] = {"id": "one", "kids": 3}
        news.not_text.add(3)
        async with http.Loopback(news.answer) as server:
            batch = await anext(source(server).batches(""))
            assert (ids(batch), batch.dropped) == (["hackernews:2"], 2)

    asyncio.run(run())


@pytest.mark.parametrize("failing", ["maxitem", "item/", "updates"])
def test_a_failing_api_is_lost_with_the_pause_it_asks_for(failing: str) -> None:
    async def run() -> None:
        news = News(3)
        news.failing = failing
        async with http.Loopback(news.answer) as server:
            with pytest.raises(SourceLost, match="status 503") as lost:
                async for _ in source(server).batches(""):
                    pass
            assert lost.value.retry_after_s == 7

    asyncio.run(run())


def test_no_server_is_lost_and_a_wrong_address_is_refused() -> None:
    async def run() -> None:
        async with http.Loopback(News(1).answer) as server:
            url = server.url
            with pytest.raises(SourceRefused, match="status 401"):
                await anext(HackerNews(CLOCK, base_url=f"{url}/v9").batches(""))
        with pytest.raises(SourceLost):
            await anext(HackerNews(CLOCK, base_url=url).batches(""))
        with pytest.raises(SourceRefused, match="not a cursor"):
            await anext(HackerNews(CLOCK, base_url=url).batches("abc"))

    asyncio.run(run())


def test_markup_and_shortened_links_become_text() -> None:
    item = Item(
        id=8,
        type="story",
        by="ann",
        time=7,
        title="Using &lt;details&gt; &amp; more",
        text='See <a href="https:&#x2F;&#x2F;a.example&#x2F;a-long-path" rel="nofollow">'
        "https:&#x2F;&#x2F;a.example&#x2F;a-l...</a><p><i>really</i>"
        "<p><pre><code>x &lt; 1</code></pre>",
        url="https://b.example/",
        score=3,
        descendants=2,
    )
    parts = read_item(item, 5)
    assert parts is not None
    post = compose(parts)
    assert post.text.startswith(
        "Using <details> & more\n\nSee https://a.example/a-long-path\n\nreally"
    )
    assert "x < 1" in post.text
    assert post.links == ("https://b.example/", "https://a.example/a-long-path")
    assert (post.url, post.created_ms) == ("https://news.ycombinator.com/item?id=8", 7_000)
    assert post.thread == "hackernews:8"
    assert post.engagement == Engagement(likes=3, replies=2)


def test_parts_of_polls_hang_under_their_poll() -> None:
    parts = read_item(Item(id=9, type="pollopt", poll=8, text="Yes", score=3), 5)
    assert parts is not None
    post = compose(parts)
    assert (post.reply_to, post.author, post.author_id) == ("hackernews:8", "unknown", "")
    assert read_item(Item(id=9, type="comment"), 5) is None
