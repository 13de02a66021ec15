"""One row of a file, in whichever shape people keep posts, becomes an event.

The names of a row's fields say what it is: each distinct set of names is looked at once and
becomes a `_Shape` (which field holds the text, which the time, whose network this looks like);
after that a row costs a few lookups. Rules, in order:

- network: the row's own `network`, else what the caller says, else the names of the fields, else
  the form of the id or url (15-20 digits or x.com: X; `-100…/7`: Telegram), else a network's name
  in the name of the capture, else `file`.
- id: posts of X and Hacker News have the network's id (`x:20`, `hackernews:8863`), an id that is a
  URI is global as it stands, all others are `capture:<capture>:<id>`. A row without an id is known
  by its author, text and day, so a topic or headline that is listed every hour is one post whose
  engagement changes.
- a row whose author is missing has author `unknown` and an empty `author_id`.
- `RT @name: text` keeps its text whole and has repost_of `x:rt:<name>:<hash of text>`: the id of
  the original is not in such a row, but all its copies share this one.
"""

import functools
import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import xxhash

from fairwitness.posts import clean
from fairwitness.posts.clean import Cleaned
from fairwitness.posts.compose import compose
from fairwitness.posts.post import AccountGone, Deleted, Edited, Engagement, Event, Posted, seen_ms
from fairwitness.posts.sources.captures_values import count, first_word, link_of, moment_of, word
from fairwitness.posts.sources.hackernews_items import Item, post_id, read_item
from fairwitness.posts.sources.x_posts import Message, read_post

Row = Mapping[str, Any]
"""One decoded JSON object."""


@dataclass(frozen=True, slots=True)
class Capture:
    """Where rows come from."""

    name: str
    """Part of the ids of its posts, so it must not change between two readings."""
    network: str = ""
    """The network of rows that do not say; empty: guess."""


def read(row: Row, capture: Capture, seen_ms: int) -> Event | None:
    """Return what happened in `row`, seen at `seen_ms`; None when it holds no statement.

    A row of ours (`{"type": "posted", "post": {…}}`, as msgspec writes an `Event`) comes back as it
    was, but for `seen_ms`. Raises ValueError (msgspec.ValidationError is one) when it is broken.
    """
    shape = _shape_of(tuple(row))
    if shape.reader is not None:
        return shape.reader(row, capture, seen_ms)
    network = _network(row, shape, capture)
    cleaned = _CLEAN.get(network, clean.from_plain)(_statement(row, shape))
    if not cleaned.text:
        return None
    return _posted(row, shape, capture, seen_ms, network, cleaned)


def time_of(row: Row) -> int | None:
    """Return when `row` says it was made (for a row of ours: seen), Unix ms; None if it does not.

    Reads ISO 8601 (without an offset: UTC), RFC 2822, X's old form and Unix seconds, milli-,
    micro- or nanoseconds, told apart by their size.
    """
    shape = _shape_of(tuple(row))
    if shape.reader is _x_api and isinstance(row.get("data"), Mapping):
        return moment_of(row["data"].get("created_at"))
    if shape.reader is _ours:
        event = _converted(row)
        return seen_ms(event)
    return moment_of(row.get(shape.time))


# --- shapes -----------------------------------------------------------------------------------

_NAMES = {
    "id": "uri id_str id tweet_id post_id",
    "text": "full_text text content body message",
    "title": "title headline",
    "more": "selftext",
    "time": "created_at createdAt ts created_utc timestamp date published published_at time",
    "author": "author user account username user_name screen_name handle by channel",
    "author_id": "author_id user_id",
    "lang": "lang language",
    "url": "url permalink link",
    "links": "urls links",
    "reply_to": "in_reply_to_status_id_str in_reply_to_id reply_to parent_id",
    "thread": "conversation_id conversation_id_str thread thread_id root",
    "likes": "likes like_count favorite_count favourites_count favorites score points_last points",
    "reposts": "reposts repost_count retweet_count reblogs_count retweets shares",
    "replies": "replies reply_count replies_count comments_last comments num_comments discuss",
    "views": "views view_count impression_count read",
}
"""The names under which people keep each thing, best first."""

_NETWORK_OF_NAMES = (
    ({"subreddit"}, "reddit"),
    ({"title", "best_rank"}, "hackernews"),
    ({"title", "points"}, "hackernews"),
    ({"title", "hot", "read", "discuss"}, "weibo"),
    ({"text", "pics", "reposts"}, "weibo"),
    ({"title", "source", "category"}, "news"),
    ({"title", "section"}, "news"),
    ({"account", "content", "uri"}, "mastodon"),
    ({"full_text", "retweet_count"}, "x"),
)
"""Field names that only rows of one network have."""

_NETWORK_OF_CAPTURE = re.compile(r"(weibo|telegram|reddit|hackernews|mastodon|tweet|twitter|news)")
_AS_KNOWN = {"twitter": "x", "tweet": "x", "tweets": "x", "hacker news": "hackernews"}

_CLEAN: dict[str, Callable[[str], Cleaned]] = {
    "x": clean.from_escaped,
    "weibo": clean.from_escaped,
    "reddit": clean.from_escaped,
    "hackernews": clean.from_escaped,
    "mastodon": clean.from_html,
    "rss": clean.from_html,
}

_HOT_SEARCH = "weibo hot search"


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which field of a row holds what; empty where none does."""

    id: str
    text: str
    title: str
    more: str
    time: str
    author: str
    author_id: str
    lang: str
    url: str
    links: str
    reply_to: str
    thread: str
    likes: str
    reposts: str
    replies: str
    views: str
    network: str
    fixed_author: str
    counts: bool
    reader: Callable[[Row, Capture, int], Event | None] | None


@functools.lru_cache(maxsize=1024)
def _shape_of(names: tuple[str, ...]) -> _Shape:
    have = set(names)
    found = {
        part: next((name for name in choices.split() if name in have), "")
        for part, choices in _NAMES.items()
    }
    network = next((network for needed, network in _NETWORK_OF_NAMES if needed <= have), "")
    if network == "news" and "source" in have:
        found["author"] = "source"
    return _Shape(
        **found,
        network=network,
        fixed_author=_HOT_SEARCH if {"hot", "discuss"} <= have else "",
        counts=any(found[count] for count in ("likes", "reposts", "replies", "views")),
        reader=_reader_of(have),
    )


def _reader_of(have: set[str]) -> Callable[[Row, Capture, int], Event | None] | None:
    if {"type", "post"} <= have or {"type", "id", "seen_ms"} <= have:
        return _ours
    if {"type", "network", "author_id", "seen_ms"} <= have:
        return _ours
    if have & {"edit_history_tweet_ids", "public_metrics"} or {"data", "matching_rules"} <= have:
        return _x_api
    if {"by", "id", "time", "type"} <= have:
        return _hackernews_api
    return _bluesky if {"uri", "record", "author"} <= have else None


def _network(row: Row, shape: _Shape, capture: Capture) -> str:
    said = row.get("network") or capture.network or shape.network
    if said:
        name = str(said).lower()
        return _AS_KNOWN.get(name, name)
    id = word(row.get(shape.id))
    if id.isdigit() and 15 <= len(id) <= 20:
        return "x"
    if id.startswith("-100") and "/" in id:
        return "telegram"
    if _TWEET_URL.match(word(row.get(shape.url))):
        return "x"
    in_name = _NETWORK_OF_CAPTURE.search(capture.name.lower())
    return _AS_KNOWN.get(in_name.group(), in_name.group()) if in_name else "file"


# --- one post ---------------------------------------------------------------------------------

_TWEET_URL = re.compile(r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/\w+/status/(\d+)")
_RETWEET = re.compile(r"RT @(\w{1,30}):? (.+)", re.DOTALL)
_MAX_OUTLET_CHARS = 40
_NO_ENGAGEMENT = Engagement()
_MAX_ID_CHARS = 200


def _posted(
    row: Row, shape: _Shape, capture: Capture, seen_ms: int, network: str, cleaned: Cleaned
) -> Posted:
    created_ms = moment_of(row.get(shape.time))
    author, author_id = _author(row, shape, network, cleaned.text)
    at_ms = seen_ms if created_ms is None else created_ms
    prefix = f"{network}:" if network in {"x", "hackernews"} else f"capture:{capture.name}:"
    own = _own_id(row, shape, network) or _made_up_id(author, cleaned.text, row, shape)
    url, links = _places(row, shape, network, own)
    return Posted(
        compose(
            cleaned,
            id=_named(prefix, own),
            network=network,
            author=author,
            author_id=author_id,
            created_ms=at_ms,
            seen_ms=seen_ms,
            url=url,
            claimed_lang=word(row.get(shape.lang)),
            reply_to=_named(prefix, row.get(shape.reply_to)),
            repost_of=_retweeted(cleaned.text) if network == "x" else "",
            thread=_named(prefix, row.get(shape.thread)),
            links=links,
            engagement=_engagement(row, shape) if shape.counts else _NO_ENGAGEMENT,
        )
    )


def _statement(row: Row, shape: _Shape) -> str:
    """Return the title, the text, or both with a blank line between them."""
    parts = [word(row.get(name)) for name in (shape.title, shape.text, shape.more) if name]
    parts = [part for part in parts if part]
    if len(parts) > 1 and parts[1].startswith(parts[0]):
        parts = parts[1:]
    return "\n\n".join(parts)


def _author(row: Row, shape: _Shape, network: str, text: str) -> tuple[str, str]:
    """Return name and id of who said it; the same name twice when the row has no id."""
    said = shape.fixed_author or row.get(shape.author)
    id = word(row.get(shape.author_id))
    if isinstance(said, Mapping):
        id = id or first_word(said, "id_str", "did", "id", "uri", "url")
        said = first_word(said, "username", "screen_name", "handle", "acct", "name")
    name = word(said)
    if not name and network == "news":  # a headline as Google News shows it: `title - outlet`
        _, dash, outlet = text.rpartition(" - ")
        name = outlet if dash and len(outlet) <= _MAX_OUTLET_CHARS else ""
    return (name or id or "unknown"), (id or name)


def _own_id(row: Row, shape: _Shape, network: str) -> str:
    id = word(row.get(shape.id))
    if not id and network == "x" and (tweet := _TWEET_URL.match(word(row.get(shape.url)))):
        return tweet.group(1)
    return id if len(id) <= _MAX_ID_CHARS else xxhash.xxh3_64_hexdigest(id.encode())


def _made_up_id(author: str, text: str, row: Row, shape: _Shape) -> str:
    """Return the same id for the same words of the same author on the same day (as written)."""
    said = word(row.get(shape.time))
    day = said[:10] if said[4:5] == "-" else (moment_of(row.get(shape.time)) or 0) // 86_400_000
    return xxhash.xxh3_64_hexdigest(f"{author}\n{day}\n{text}".encode())


def _places(row: Row, shape: _Shape, network: str, id: str) -> tuple[str, tuple[str, ...]]:
    """Return where the post can be read, and the links that stand beside its text."""
    url = html.unescape(word(row.get(shape.url)))
    listed = row.get(shape.links)
    links = tuple(link_of(each) for each in listed) if isinstance(listed, list) else ()
    links = tuple(filter(None, links))
    if network == "x":
        return f"https://x.com/i/status/{id}", links
    if network == "hackernews":
        page = f"https://news.ycombinator.com/item?id={id}"
    elif network == "reddit":
        page = f"https://www.reddit.com/comments/{id}"
    else:
        return (url if url.startswith(("http://", "https://")) else ""), links
    return page, (url, *links) if url.startswith(("http://", "https://")) else links


def _named(prefix: str, value: object) -> str:
    id = word(value)
    return prefix + id if id and "://" not in id else id


def _retweeted(text: str) -> str:
    match = _RETWEET.match(text) if text.startswith("RT @") else None
    if match is None:
        return ""
    rest = match.group(2).rstrip(" .…")
    return f"x:rt:{match.group(1).lower()}:{xxhash.xxh3_64_hexdigest(rest.encode())}"


def _engagement(row: Row, shape: _Shape) -> Engagement:
    return Engagement(
        count(row.get(shape.likes)),
        count(row.get(shape.reposts)),
        count(row.get(shape.replies)),
        count(row.get(shape.views)),
    )


# --- shapes with a nesting of their own -------------------------------------------------------


def _converted(row: Row) -> Event:
    event: Event = msgspec.convert(dict(row), Event)
    return event


def _ours(row: Row, capture: Capture, seen_ms: int) -> Event:
    """Return the event as written; its text is cleaned again, since anyone can write such a row."""
    event = _converted(row)
    match event:
        case Posted(post) | Edited(post):
            cleaned = clean.from_plain(post.text)
            post = msgspec.structs.replace(
                post, seen_ms=seen_ms, text=cleaned.text, cuts=post.cuts + cleaned.cuts
            )
            return type(event)(post)
        case Deleted() | AccountGone():
            return msgspec.structs.replace(event, seen_ms=seen_ms)


def _x_api(row: Row, capture: Capture, seen_ms: int) -> Event | None:
    """Read a post object of X's API v2, alone or as a line of a stream."""
    message = row if "data" in row else {"data": dict(row)}
    read_message = msgspec.convert(dict(message), Message)
    if read_message.data is None:
        return None
    return read_post(read_message.data, read_message.includes.users, seen_ms)


def _hackernews_api(row: Row, capture: Capture, seen_ms: int) -> Event | None:
    """Read an item of Hacker News's API."""
    item = msgspec.convert(dict(row), Item)
    if item.deleted or item.dead:
        return Deleted(post_id(item.id), seen_ms)
    post = read_item(item, seen_ms)
    return Posted(post) if post else None


def _bluesky(row: Row, capture: Capture, seen_ms: int) -> Event | None:
    """Read a `app.bsky.feed.defs#postView`, as the public API of Bluesky returns them."""
    record = row["record"]
    if not isinstance(record, Mapping):
        return None
    langs = record.get("langs")
    flat = {
        "network": "bluesky",
        "uri": row["uri"],
        "text": record.get("text"),
        "created_at": record.get("createdAt"),
        "author": row["author"],
        "lang": langs[0] if isinstance(langs, list) and langs else None,
        "url": _bluesky_page(word(row["uri"])),
        "like_count": row.get("likeCount"),
        "repost_count": row.get("repostCount"),
        "reply_count": row.get("replyCount"),
    }
    return read(flat, capture, seen_ms)


def _bluesky_page(uri: str) -> str:
    match = re.fullmatch(r"at://([^/]+)/app\.bsky\.feed\.post/([^/]+)", uri)
    return f"https://bsky.app/profile/{match[1]}/post/{match[2]}" if match else ""
