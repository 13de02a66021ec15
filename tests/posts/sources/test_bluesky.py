"""Bluesky against a Jetstream server: nothing lost, nothing doubled, whatever the server does."""

import asyncio

import pytest
from hearing import POSTS, clock, expected, hear, many_posts, told_of

from fairwitness.posts.sources.bluesky import Bluesky

WIRES = pytest.mark.parametrize(
    ("version", "zstd", "numbered"),
    [(1, False, True), (1, True, True), (1, False, False), (2, False, True), (2, True, True)],
    ids=["v1", "v1-zstd", "v1-unnumbered", "v2", "v2-zstd"],
)


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
