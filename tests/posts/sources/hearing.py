"""Listening to Bluesky, and what a capture of it means."""

from contextlib import aclosing
from datetime import datetime

from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.post import AccountGone, Deleted, Edited, Posted
from fairwitness.posts.source import SourceBatch, SourceLost
from fairwitness.posts.sources.bluesky import Bluesky

NOW_MS = 1_783_175_890_000
POSTS = "app.bsky.feed.post"


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
