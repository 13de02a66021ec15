"""Bluesky against a Jetstream server: nothing lost, nothing doubled, whatever the server does."""

import asyncio
import json
import logging
import resource
from contextlib import aclosing

import pytest
import zstandard

from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.post import AccountGone, Deleted, Edited, Posted
from fairwitness.posts.source import SourceBatch, SourceLost, SourceRefused
from fairwitness.posts.sources import bluesky
from fairwitness.posts.sources.bluesky import Bluesky
from fairwitness.posts.sources.bluesky_frames import Unreadable
from fairwitness.posts.sources.bluesky_wire import Unpacker

NOW_MS = 1_783_175_890_000
POSTS = "app.bsky.feed.post"
WIRES = pytest.mark.parametrize(
    ("version", "zstd", "numbered"),
    [(1, False, True), (1, True, True), (1, False, False), (2, False, True), (2, True, True)],
    ids=["v1", "v1-zstd", "v1-unnumbered", "v2", "v2-zstd"],
)


@pytest.fixture
def server_of(bluesky_servers, jetstream_dictionaries):
    def make(events, **options):
        return bluesky_servers.JetstreamServer(
            events, dictionaries=jetstream_dictionaries, **options
        )

    return make


def clock() -> VirtualClock:
    return VirtualClock(NOW_MS)


async def hear(source: Bluesky, cursor: str = "", until=lambda: True) -> list[SourceBatch]:
    """Listen, coming back with the last cursor, until the connection ends and `until` holds."""
    batches: list[SourceBatch] = []
    for _ in range(500):
        try:
            async with aclosing(source.batches(cursor)) as told:
                async for batch in told:
                    batches.append(batch)
                    cursor = batch.cursor
        except SourceLost:
            if until():
                return batches
    raise AssertionError("500 connections and no end")


def told_of(batches: list[SourceBatch]) -> list[str]:
    return [meaning(event) for batch in batches for event in batch.events]


def meaning(event) -> str:
    match event:
        case Posted(post):
            return f"posted {post.id} {post.created_ms}"
        case Edited(post):
            return f"edited {post.id} {post.created_ms}"
        case Deleted():
            return f"deleted {event.id}"
        case AccountGone():
            return f"gone {event.author_id}"


def expected(events: list[dict]) -> list[str]:
    """What the capture means, said without any code of ours but the clock's."""
    from datetime import datetime

    found = []
    for event in events:
        if event["kind"] == "account" and not event["account"]["active"]:
            found.append(f"gone {event['did']}")
        commit = event.get("commit", {})
        if commit.get("collection") != POSTS:
            continue
        uri = f"at://{event['did']}/{POSTS}/{commit['rkey']}"
        if commit["operation"] == "delete":
            found.append(f"deleted {uri}")
            continue
        created = datetime.fromisoformat(commit["record"]["createdAt"]).timestamp()
        verb = {"create": "posted", "update": "edited"}[commit["operation"]]
        found.append(f"{verb} {uri} {round(created * 1000)}")
    return found


@WIRES
def test_the_capture_is_told_as_it_was(server_of, jetstream_events, version, zstd, numbered):
    async def main():
        async with server_of(jetstream_events, numbered=numbered) as server:
            batches = await hear(Bluesky(server.url(version), clock(), zstd=zstd))
        assert told_of(batches) == expected(jetstream_events)
        assert len(told_of(batches)) == 18
        assert sum(batch.dropped for batch in batches) == 0
        assert not any(batch.gaps for batch in batches)
        assert server.handshakes[0].get("Sec-WebSocket-Protocol") == (
            "xrpc.v1.json" if version == 2 else None
        )

    asyncio.run(main())


def test_the_capture_holds_all_kinds(jetstream_events):
    """152 events: those of other collections, identities and living accounts mean nothing to us."""
    commits = [e["commit"] for e in jetstream_events if e["kind"] == "commit"]
    assert len(jetstream_events) == 152
    assert len(commits) == 150
    assert sum(c["collection"] == POSTS for c in commits) == 18
    assert [e["account"]["active"] for e in jetstream_events if e["kind"] == "account"] == [True]


@WIRES
def test_a_break_after_any_event_loses_and_doubles_nothing(
    server_of, jetstream_events, version, zstd, numbered
):
    async def main():
        # An unnumbered server orders its replay by time, so only then is its order our order.
        events = jetstream_events
        if not numbered:
            events = sorted(events, key=lambda event: event["time_us"])
        async with server_of(events, numbered=numbered) as server:
            # Numbered: the repeated event and one more. Unnumbered: the whole trail is repeated.
            source = Bluesky(server.url(version), clock(), zstd=zstd)
            if numbered:
                server.cut_after = 2
                batches = await hear(source, until=lambda: server.finished)
                assert len(server.handshakes) > 150
            else:
                batches, cursor = [], ""
                for sent in range(1, len(events) + 1):
                    server.cut_after = sent
                    part = await hear(source, cursor)
                    batches += part
                    cursor = part[-1].cursor if part else cursor
        assert told_of(batches) == expected(events)
        assert not any(batch.gaps for batch in batches)

    asyncio.run(main())


def test_events_out_of_order_in_time_survive_a_break(server_of, jetstream_events):
    """The capture is up to 33 ms out of order, and an unnumbered server resumes by time alone."""
    many = many_posts(jetstream_events, 400)
    for at in range(0, 400, 4):  # neighbours change places
        many[at], many[at + 3] = many[at + 3], many[at]

    async def main():
        async with server_of(many, numbered=False) as server:
            source, cursor, batches = Bluesky(server.url(1), clock()), "", []
            # Live order first, then a break in the middle of a disordered stretch.
            server.cut_after = 302
            batches += await hear(source, cursor)
            server.cut_after = None
            batches += await hear(source, batches[-1].cursor)
        assert sorted(told_of(batches)) == sorted(expected(many))
        replayed = server.requests[-1]
        assert "cursor=" in replayed

    asyncio.run(main())


@pytest.mark.parametrize("version", [1, 2])
def test_another_server_goes_on_where_the_first_stopped(server_of, jetstream_events, version):
    many = many_posts(jetstream_events, 600)

    async def main():
        async with server_of(many) as first, server_of(many, first_seq=77) as second:
            first.cut_after = 450
            before = await hear(Bluesky(first.url(version), clock()))
            after = await hear(Bluesky(second.url(version), clock()), before[-1].cursor)
        assert told_of(before) + told_of(after) == expected(many)
        assert not any(batch.gaps for batch in after)
        assert int(second.requests[0].split("cursor=")[1]) >= 10**15

    asyncio.run(main())


def test_a_server_that_was_rebuilt_behind_the_same_host_is_noticed(server_of, jetstream_events):
    many = many_posts(jetstream_events, 300)

    async def main():
        async with server_of(many) as server:
            server.cut_after = 200
            source = Bluesky(server.url(2), clock())
            before = await hear(source)
            server.cut_after, server.first_seq = None, 1050  # every event has another number now
            after = await hear(source, before[-1].cursor)
        assert told_of(before) + told_of(after) == expected(many)
        assert len(server.handshakes) == 3  # by number, found out, by time

    asyncio.run(main())


def test_a_number_that_is_too_old_becomes_a_gap(server_of, jetstream_events):
    many = many_posts(jetstream_events, 50)

    async def main():
        async with server_of(many) as server:
            server.cut_after = 10
            source = Bluesky(server.url(2), clock())
            before = await hear(source)
            server.cut_after, server.floor = None, 30
            after = await hear(source, before[-1].cursor)
        assert told_of(after) == expected(many[30:])
        (gap,) = [gap for batch in after for gap in batch.gaps]
        assert gap.from_ms == many[9]["time_us"] // 1000
        assert gap.until_ms == many[30]["time_us"] // 1000
        assert gap.reason == "too old"

    asyncio.run(main())


@pytest.mark.parametrize("numbered", [True, False])
def test_a_silent_clamp_becomes_a_gap(server_of, jetstream_events, numbered):
    many = many_posts(jetstream_events, 50)
    for event in many[30:]:
        event["time_us"] += 40 * 3600 * 1_000_000

    async def main():
        async with server_of(many, numbered=numbered) as server:
            server.cut_after = 10
            source = Bluesky(server.url(1), clock())
            before = await hear(source)
            server.cut_after, server.floor = None, 30
            after = await hear(source, before[-1].cursor)
        assert told_of(after) == expected(many[30:])
        (gap,) = [gap for batch in after for gap in batch.gaps]
        assert (gap.from_ms, gap.until_ms) == (
            many[9]["time_us"] // 1000,
            many[30]["time_us"] // 1000,
        )

    asyncio.run(main())


def test_a_long_silence_of_the_network_is_no_gap(server_of, jetstream_events):
    """The last event is repeated, so nothing was left out, however late the next one is."""
    many = many_posts(jetstream_events, 20)
    for event in many[10:]:
        event["time_us"] += 3600 * 1_000_000

    async def main():
        async with server_of(many) as server:
            server.cut_after = 10
            source = Bluesky(server.url(2), clock())
            before = await hear(source)
            server.cut_after = None
            after = await hear(source, before[-1].cursor)
        assert told_of(before) + told_of(after) == expected(many)
        assert not any(batch.gaps for batch in after)

    asyncio.run(main())


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


def test_a_retired_dictionary_is_replaced(
    bluesky_servers, jetstream_events, jetstream_dictionaries
):
    samples = [json.dumps(event).encode() for event in jetstream_events]
    newer = zstandard.train_dictionary(4096, samples, dict_id=20270101).as_bytes()

    async def main():
        server = bluesky_servers.JetstreamServer(
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


def with_record(event: dict, record: dict) -> dict:
    return {**event, "commit": {**event["commit"], "record": record}}


def many_posts(events: list[dict], count: int) -> list[dict]:
    """The posts of the capture over and over, a fortieth of a second apart."""
    posts = [e for e in events if e.get("commit", {}).get("collection") == POSTS]
    return [
        {
            **posts[i % len(posts)],
            "time_us": 1_783_175_888_000_000 + i * 25_000,
            "commit": {**posts[i % len(posts)]["commit"], "rkey": f"3mpt{i:06d}"},
        }
        for i in range(count)
    ]
