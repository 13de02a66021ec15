"""One item of Hacker News, as its API gives it, becomes a post.

Shapes and meanings: repository HackerNews/API, README.md. `title` and `text` are HTML.
"""

import re

import msgspec

from fairwitness.posts import clean
from fairwitness.posts.compose import Parts
from fairwitness.posts.post import Engagement

# The site shows long links cut short; the address in full stands in `href`.
_LINK = re.compile(r'<a href="([^"<>]+)"[^<>]*>[^<]*</a>')


class Item(msgspec.Struct, frozen=True):
    """A story, comment, job, poll or part of a poll."""

    id: int
    type: str = ""
    by: str = ""
    time: int = 0
    """Unix seconds."""
    title: str = ""
    text: str = ""
    url: str = ""
    parent: int = 0
    poll: int = 0
    kids: tuple[int, ...] = ()
    score: int = -1
    descendants: int = -1
    deleted: bool = False
    dead: bool = False


def post_id(item: int) -> str:
    """Return the id of the post that item number `item` is."""
    return f"hackernews:{item}"


def read_item(item: Item, seen_ms: int, thread: str = "") -> Parts | None:
    """Return the parts of the post that `item` is, None when it says nothing or was taken down.

    `thread` is the id of the story that a comment hangs under, where it is known.
    """
    if item.deleted or item.dead:
        return None
    parts = (f"<p>{part}</p>" for part in (item.title, item.text) if part)
    cleaned = clean.from_html(_LINK.sub(r"\1", "".join(parts)))
    if not cleaned.text:
        return None
    above = item.parent or item.poll
    return Parts(
        cleaned=cleaned,
        id=post_id(item.id),
        network="hackernews",
        author=item.by or "unknown",
        author_id=item.by,
        created_ms=item.time * 1000,
        seen_ms=seen_ms,
        url=f"https://news.ycombinator.com/item?id={item.id}",
        reply_to=post_id(above) if above else "",
        thread=thread or ("" if above else post_id(item.id)),
        links=(item.url,) if item.url.startswith(("http://", "https://")) else (),
        engagement=Engagement(
            likes=item.score,
            replies=len(item.kids) if item.type == "comment" else item.descendants,
        ),
    )
