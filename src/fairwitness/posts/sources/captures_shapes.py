"""Which field of a row holds what, told by the names of its fields.

Rows of one file have few distinct sets of names, so each set is looked at once.
"""

import functools
from dataclasses import dataclass

from fairwitness.posts.sources.captures_apis import API_NAMES, Reader, Row, reader_of

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

_TELLING = frozenset(API_NAMES).union(
    *(choices.split() for choices in _NAMES.values()), *(names for names, _ in _NETWORK_OF_NAMES)
)

_HOT_SEARCH = "weibo hot search"


@dataclass(frozen=True, slots=True)
class Shape:
    """The name of the field that holds each part of a post; empty where none does."""

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
    """The author of every row, where it is no person's."""
    words: tuple[str, ...]
    """The fields of the statement, in order: title, text, more."""
    counts: bool
    """Whether any reactions are counted."""
    reader: Reader | None
    """Reads rows of this shape instead, when they are an API's own objects."""


_KEPT_SHAPES = 1_024
_KEPT_CHARS = 4_096
_shapes: dict[tuple[str, ...], Shape] = {}


def shape_of(row: Row) -> Shape:
    """Return what `row` holds where."""
    names = tuple(row)
    shape = _shapes.get(names)
    if shape is None:
        shape = _shape_of(_TELLING.intersection(names))
        # Within bounds, so that hostile rows cannot fill memory with their names.
        if len(_shapes) < _KEPT_SHAPES and sum(map(len, names)) <= _KEPT_CHARS:
            _shapes[names] = shape
    return shape


@functools.lru_cache(maxsize=_KEPT_SHAPES)
def _shape_of(have: frozenset[str]) -> Shape:
    found = {
        part: next((name for name in choices.split() if name in have), "")
        for part, choices in _NAMES.items()
    }
    network = next((network for needed, network in _NETWORK_OF_NAMES if needed <= have), "")
    if network == "news" and "source" in have:
        found["author"] = "source"
    return Shape(
        **found,
        network=network,
        fixed_author=_HOT_SEARCH if {"hot", "discuss"} <= have else "",
        words=tuple(filter(None, (found["title"], found["text"], found["more"]))),
        counts=any(found[count] for count in ("likes", "reposts", "replies", "views")),
        reader=reader_of(have),
    )
