"""One connection to a Jetstream server: what is asked of it, and what it may send."""

import asyncio
import json
import logging
import resource
from contextlib import aclosing

import pytest
import servers_bluesky
import zstandard
from hearing import POSTS, clock, expected, hear, many_posts, told_of, with_record

from fairwitness.posts.source import SourceLost, SourceRefused
from fairwitness.posts.sources import bluesky
from fairwitness.posts.sources.bluesky import Bluesky
from fairwitness.posts.sources.bluesky_frames import Unreadable
from fairwitness.posts.sources.bluesky_wire import Unpacker


def test_the_server_is_asked_for_posts_only(server_of, jetstream_events):
    async def main():
        async with server_of(jetstream_events) as server:
            server.filtered = True
            v1 = await hear(Bluesky(server.url(1), clock(), zstd=False))
            v2 = await hear(Bluesky(server.url(2), clock(), zstd=False))
        assert told_of(v1) == told_of(v2) == expected(jetstream_events)
        assert server.requests == [
            "/subscribe?wantedCollections=app.bsky.feed.post",
            "/xrpc/network.bsky.jetstream.subscribeEvents?collections=app.bsky.feed.post",
        ]

    asyncio.run(main())


def test_a_retired_dictionary_is_replaced(jetstream_events, jetstream_dictionaries):
    samples = [json.dumps(event).encode() for event in jetstream_events]
    newer = zstandard.train_dictionary(4096, samples, dict_id=20270101).as_bytes()

    async def main():
        server = servers_bluesky.JetstreamServer(
            jetstream_events,
            dictionaries=jetstream_dictionaries | {20270101: newer},
            v2_dictionary_id=20270101,
        )
        async with server:
            batches = await hear(Bluesky(server.url(2), clock()))
        assert told_of(batches) == expected(jetstream_events)
        assert [path.split("?")[0].rsplit(".", 1)[1] for path in server.requests] == [
            "subscribeEvents",
            "getZstdDictionary",
            "subscribeEvents",
        ]

    asyncio.run(main())


def test_hostile_frames_are_counted_and_skipped(server_of, jetstream_events, caplog):
    caplog.set_level(logging.CRITICAL)
    post = next(e for e in jetstream_events if e.get("commit", {}).get("collection") == POSTS)
    bomb = zstandard.ZstdCompressor().compress(bytes(50_000_000))
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(50_000_000))
    hostile = [
        json.dumps(post)[:-20],
        b'{"did":"did:plc:\xff\xfe","time_us":1783175888085434,"kind":"commit"}',
        json.dumps({**post, "time_us": "now"}),
        json.dumps({**post, "time_us": 10**18}),
        json.dumps({**post, "kind": "commit", "commit": None}),
        json.dumps(with_record(post, {"text": ["not", "text"]})),
        json.dumps(with_record(post, {"createdAt": "2026-01-01T00:00:00Z"})),
        json.dumps(with_record(post, {"text": "x" * 1_100_000})),
        json.dumps({**post, "did": "did:plc:../../etc"}),
        json.dumps({**post, "commit": {**post["commit"], "operation": "explode"}}),
        '{"did":"did:plc:a","time_us":1783175888085434,"kind":"commit","x":' + "[" * 200_000,
        bomb,
        unsized,
        b"\x28\xb5\x2f\xfd\x00\x00",
        b"",
        "null",
        "[]",
    ]

    async def main():
        async with server_of(jetstream_events, numbered=False) as server:
            server.extra_frames[60] = hostile
            batches = await hear(Bluesky(server.url(1), clock(), zstd=False))
        assert told_of(batches) == expected(jetstream_events)
        assert sum(batch.dropped for batch in batches) == len(hostile)

    asyncio.run(main())


def test_a_bomb_is_not_unpacked(jetstream_dictionaries):
    unpacker = Unpacker(jetstream_dictionaries[1612007021])
    chunk, chunks = bytes(1_000_000), 300
    for named_bytes in (chunks * len(chunk), -1):
        packer = zstandard.ZstdCompressor().compressobj(size=named_bytes)
        bomb = b"".join(packer.compress(chunk) for _ in range(chunks)) + packer.flush()
        assert len(bomb) < 50_000
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(Unreadable):
            unpacker.unpack(bomb)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # kB


def test_an_error_frame_ends_the_stream_after_what_came_before(server_of, jetstream_events):
    async def main():
        async with server_of(jetstream_events) as server:
            server.last_frame = json.dumps(
                {"$type": "error", "error": "ConsumerTooSlow", "message": "too far behind"}
            )
            server.stay_open = True
            source, batches = Bluesky(server.url(2), clock()), []

            async def listen():
                async for batch in source.batches(""):
                    batches.append(batch)

            with pytest.raises(SourceLost, match="ConsumerTooSlow too far behind"):
                await listen()
        assert told_of(batches) == expected(jetstream_events)

    asyncio.run(main())


def test_what_arrives_together_is_one_batch(server_of, jetstream_events):
    many = many_posts(jetstream_events, 1200)

    async def main():
        async with server_of(many) as server:
            batches = await hear(Bluesky(server.url(2), clock()))
        assert told_of(batches) == expected(many)
        assert 3 <= len(batches) <= 30
        assert all(len(batch.events) <= 500 for batch in batches)
        assert all(len(batch.cursor) < 1200 for batch in batches)

    asyncio.run(main())


def test_a_stream_without_posts_still_moves_its_cursor(server_of, jetstream_events, monkeypatch):
    monkeypatch.setattr(bluesky, "_QUIET_S", 0.1)
    others = [e for e in jetstream_events if e["kind"] == "identity"]

    async def main():
        async with server_of(others) as server:
            server.stay_open = True
            async with aclosing(Bluesky(server.url(2), clock()).batches("")) as told:
                moved = await asyncio.wait_for(anext(told), 2)
            server.events = others + jetstream_events[:40]
            server.stay_open = False
            after = await hear(Bluesky(server.url(2), clock()), moved.cursor)
        assert moved.events == ()
        assert told_of(after) == expected(jetstream_events[:40])
        assert server.requests[-1].endswith("&cursor=1000")

    asyncio.run(main())


def test_a_stream_that_hangs_is_given_up(server_of, jetstream_events):
    async def main():
        async with server_of(jetstream_events[:3]) as server:
            server.stay_open = True
            source = Bluesky(server.url(1), clock(), stall_s=0.2)
            with pytest.raises(SourceLost, match=r"nothing heard for 0\.2 s"):
                async for _ in source.batches(""):
                    pass

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "headers", "error", "pause_s"),
    [
        (400, {}, SourceRefused, None),
        (403, {}, SourceRefused, None),
        (429, {"Retry-After": "17"}, SourceLost, 17.0),
        (503, {}, SourceLost, 0.0),
    ],
)
def test_refusals_say_whether_to_come_back(server_of, status, headers, error, pause_s):
    async def main():
        async with server_of([]) as server:
            server.refuse = status, headers, "service says no"
            with pytest.raises(error, match="service says no") as caught:
                async for _ in Bluesky(server.url(1), clock()).batches(""):
                    pass
        if pause_s is not None:
            assert caught.value.retry_after_s == pause_s

    asyncio.run(main())


def test_nobody_there_is_lost():
    async def main():
        source = Bluesky("ws://127.0.0.1:9/subscribe", clock())
        with pytest.raises(SourceLost, match="cannot connect"):
            async for _ in source.batches(""):
                pass

    asyncio.run(main())


def test_a_foreign_cursor_is_refused():
    async def main():
        source = Bluesky("ws://127.0.0.1:9/subscribe", clock())
        with pytest.raises(SourceRefused, match="not a cursor of Jetstream"):
            async for _ in source.batches("12345"):
                pass

    asyncio.run(main())


@pytest.mark.parametrize(
    "url", ["https://jetstream1.us-east.bsky.network/subscribe", "wss://host/firehose", "host"]
)
def test_other_urls_are_no_jetstream(url):
    with pytest.raises(ValueError, match=r"/subscribe|WebSocket"):
        Bluesky(url, clock())
