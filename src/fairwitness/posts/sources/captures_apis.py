"""Rows that are objects of an API, or events of our own: each kind has one reader."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from fairwitness.posts import clean
from fairwitness.posts.clean import Cleaned, Way
from fairwitness.posts.compose import Parts
from fairwitness.posts.post import (
    AccountGone,
    Deleted,
    Edited,
    Engagement,
    Event,
    Posted,
)
from fairwitness.posts.post import seen_ms as seen_ms_of
from fairwitness.posts.sources.captures_values import count, first_word, moment_of, word
from fairwitness.posts.sources.hackernews_items import Item, post_id, read_item
from fairwitness.posts.sources.x_posts import Message, StreamLine, read_post

_stream_line = msgspec.json.Decoder(StreamLine).decode

Row = Mapping[str, Any]
"""One decoded JSON object."""


class Statement(msgspec.Struct, frozen=True, gc=False):
    """A row that was read as far as one can before its text is clean."""

    raw: str
    way: Way
    finish: Callable[[Cleaned], Parts | Event | None]
    """From the clean text to what happened; None when nothing is left of it."""


Said = Statement | Parts | Event | None
"""What a row says, as far as it was read; None when it is nothing."""

Reader = Callable[[Row, int], Said]
"""From a row and when it was seen to what it says.

Raises ValueError (msgspec.ValidationError is one) when the row is broken.
"""


API_NAMES = (
    "type post id seen_ms network author_id edit_history_tweet_ids public_metrics data "
    "matching_rules by time uri record author"
).split()
"""The names by which `reader_of` tells its rows."""


def reader_of(names: frozenset[str]) -> Reader | None:
    """Return the reader for rows with fields of these names, None when they are no API's."""
    if {"type", "post"} <= names or {"type", "id", "seen_ms"} <= names:
        return _ours
    if {"type", "network", "author_id", "seen_ms"} <= names:
        return _ours
    if names & {"edit_history_tweet_ids", "public_metrics"} or {"data", "matching_rules"} <= names:
        return _x
    if {"by", "id", "time", "type"} <= names:
        return _hackernews
    return _bluesky if {"uri", "record", "author"} <= names else None


def api_time_of(row: Row, reader: Reader) -> int | None:
    """Return when an object of an API says it was made; for an event of ours, when it was seen."""
    if reader is _ours:
        return seen_ms_of(_converted(row))
    if reader is _hackernews:
        return moment_of(row["time"])
    part = row.get("data", row) if reader is _x else row["record"]
    return moment_of(part.get("created_at") or part.get("createdAt")) if _is_row(part) else None


def _is_row(value: object) -> bool:
    return isinstance(value, Mapping)


def _converted(row: Row) -> Event:
    event: Event = msgspec.convert(dict(row), Event)
    return event


def _ours(row: Row, seen_ms: int) -> Statement | Event:
    """Return the event as written; its text is cleaned again, since anyone can write such a row."""
    event = _converted(row)
    match event:
        case Posted(post) | Edited(post):
            return Statement(post.text, clean.from_plain, partial(_said_again, event, seen_ms))
        case Deleted() | AccountGone():
            return msgspec.structs.replace(event, seen_ms=seen_ms)


def _said_again(event: Posted | Edited, seen_ms: int, cleaned: Cleaned) -> Event:
    post = event.post
    cuts = post.cuts + cleaned.cuts
    return type(event)(msgspec.structs.replace(post, seen_ms=seen_ms, text=cleaned.text, cuts=cuts))


def _x(row: Row, seen_ms: int) -> Statement | None:
    """Read a post object of X's API v2, alone or as a line of a stream."""
    return _x_statement(
        msgspec.convert(dict(row) if "data" in row else {"data": dict(row)}, Message), seen_ms
    )


def _x_statement(message: Message, seen_ms: int) -> Statement | None:
    if message.data is None:
        return None
    finish = partial(read_post, message.data, message.includes.users, seen_ms)
    return Statement(message.data.raw, clean.from_escaped, finish)


def is_stream_line(row: Row) -> bool:
    """Return whether `row` is a message of X's stream, so that those behind it may be, too."""
    return "matching_rules" in row and "data" in row and "type" not in row


def stream_line(data: bytes, seen_ms: int) -> Statement | None:
    """Read a line of X's stream three times as fast; None when it has to be read as any other."""
    try:
        message = _stream_line(data)
    except (ValueError, RecursionError):
        return None
    return None if message.type else _x_statement(message, seen_ms)


def _hackernews(row: Row, seen_ms: int) -> Parts | Deleted | None:
    """Read an item of Hacker News's API."""
    item = msgspec.convert(dict(row), Item)
    if item.deleted or item.dead:
        return Deleted(post_id(item.id), seen_ms)
    return read_item(item, seen_ms)


def _bluesky(row: Row, seen_ms: int) -> Statement | None:
    """Read an `app.bsky.feed.defs#postView`, as the public API of Bluesky returns them."""
    record, author = row["record"], row["author"]
    if not isinstance(record, Mapping) or not isinstance(author, Mapping) or not word(row["uri"]):
        return None
    return Statement(
        word(record.get("text")), clean.from_plain, partial(_bluesky_parts, row, seen_ms)
    )


def _bluesky_parts(row: Row, seen_ms: int, cleaned: Cleaned) -> Parts | None:
    if not cleaned.text:
        return None
    record, author, uri = row["record"], row["author"], word(row["uri"])
    langs = record.get("langs")
    created_ms = moment_of(record.get("createdAt"))
    did = word(author.get("did"))
    counts = (row.get(f"{what}Count") for what in ("like", "repost", "reply"))
    return Parts(
        cleaned=cleaned,
        id=uri,
        network="bluesky",
        author=first_word(author, "handle", "displayName") or did or "unknown",
        author_id=did,
        created_ms=seen_ms if created_ms is None else created_ms,
        seen_ms=seen_ms,
        url=_bluesky_page(uri),
        claimed_lang=word(langs[0]) if isinstance(langs, list) and langs else "",
        reply_to=_bluesky_reply(record, "parent"),
        thread=_bluesky_reply(record, "root"),
        engagement=Engagement(*map(count, counts)),
    )


def _bluesky_page(uri: str) -> str:
    match = re.fullmatch(r"at://([^/]+)/app\.bsky\.feed\.post/([^/]+)", uri)
    return f"https://bsky.app/profile/{match[1]}/post/{match[2]}" if match else ""


def _bluesky_reply(record: Row, which: str) -> str:
    reply = record.get("reply")
    post = reply.get(which) if isinstance(reply, Mapping) else None
    return word(post.get("uri")) if isinstance(post, Mapping) else ""
