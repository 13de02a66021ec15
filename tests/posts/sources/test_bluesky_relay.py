"""The 150 frames of a relay are the 152 events of Jetstream, and we hear them so."""

import asyncio
import json
import struct
from collections import Counter
from contextlib import suppress

import pytest
import relay_frames
import servers_bluesky
import zstandard

from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.post import Deleted
from fairwitness.posts.source import SourceLost
from fairwitness.posts.sources.bluesky import Bluesky

TESTDATA = "data/bluesky-jetstream-frames/internal/corpus/testdata"


@pytest.fixture(scope="module")
def relayed(shared) -> list[dict]:
    packed = (shared / TESTDATA / "frames.bin.zst").read_bytes()
    data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=100_000_000)
    events, at, frames = [], 0, 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        events += relay_frames.events_of(data[at + 4 : at + 4 + length])
        at, frames = at + 4 + length, frames + 1
    assert frames == 150
    return events


def test_every_event_of_the_relay_is_one_of_jetstream(relayed, jetstream_events):
    assert len(relayed) == 152

    def of(event: dict) -> str:
        return json.dumps({k: v for k, v in event.items() if k != "time_us"}, sort_keys=True)

    assert Counter(map(of, relayed)) == Counter(map(of, jetstream_events))


def test_the_relay_is_heard_through_jetstream(relayed, shared):
    """What we make of each event, from the relay's bytes on: 17 posts, 1 deletion, no more."""
    manifest = json.loads((shared / TESTDATA / "manifest.json").read_text())
    kinds = Counter(each.get("commit", {}).get("operation", each["kind"]) for each in relayed)
    assert kinds == {
        "create": manifest["creates"],
        "update": manifest["updates"],
        "delete": manifest["deletes"],
        "identity": manifest["identity"],
        "account": manifest["account"],
    }
    timed = [event | {"time_us": 1_783_175_888_000_000 + n} for n, event in enumerate(relayed)]

    async def main() -> list:
        heard = []
        async with servers_bluesky.JetstreamServer(timed) as server:
            source = Bluesky(server.url(2), VirtualClock(0), zstd=False)
            with suppress(SourceLost):
                async for batch in source.batches(""):
                    heard += batch.events
                    assert batch.dropped == 0
        return heard

    heard = asyncio.run(main())
    wanted = [e for e in relayed if e.get("commit", {}).get("collection") == "app.bsky.feed.post"]
    assert len(heard) == len(wanted) == 18
    for event, said in zip(heard, wanted, strict=True):
        uri = f"at://{said['did']}/app.bsky.feed.post/{said['commit']['rkey']}"
        if said["commit"]["operation"] == "delete":
            assert event == Deleted(uri, 0)
            continue
        assert (event.post.id, event.post.author_id) == (uri, said["did"])
        record = said["commit"]["record"]
        assert event.post.reply_to == record.get("reply", {}).get("parent", {}).get("uri", "")
        if "facets" not in record and "  " not in record["text"]:
            assert event.post.text == record["text"].strip()
