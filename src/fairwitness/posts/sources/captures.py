"""One row of a file, in whichever shape people keep posts, becomes an event.

The names of a row's fields say what it is: each distinct set of names is looked at once and
becomes a `Shape` (which field holds the text, which the time, whose network this looks like);
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

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import xxhash

from fairwitness.posts import clean
from fairwitness.posts.clean import Cleaned, Way
from fairwitness.posts.compose import Parts, events_of
from fairwitness.posts.post import Engagement, Event
from fairwitness.posts.sources.captures_apis import Row, Said, Statement, api_time_of
from fairwitness.posts.sources.captures_shapes import Shape, shape_of
from fairwitness.posts.sources.captures_values import count, first_word, link_of, moment_of, word

_NETWORK_OF_CAPTURE = re.compile(r"(weibo|telegram|reddit|hackernews|mastodon|tweet|twitter|news)")
_AS_KNOWN = {"twitter": "x", "tweet": "x", "tweets": "x", "hacker news": "hackernews"}

_CLEAN: dict[str, Way] = {
    "x": clean.from_escaped,
    "weibo": clean.from_escaped,
    "reddit": clean.from_escaped,
    "hackernews": clean.from_escaped,
    "mastodon": clean.from_html,
    "rss": clean.from_html,
}


@dataclass(frozen=True, slots=True)
class Capture:
    """Where rows come from."""

    name: str
    """Part of the ids of its posts, so it must not change between two readings."""
    network: str = ""
    """The network of rows that do not say; empty: guess."""


def read(row: Row, capture: Capture, seen_ms: int) -> Said:
    """Return what `row` says, seen at `seen_ms`, for `events_in`; None when it says nothing.

    A row of ours (`{"type": "posted", "post": {…}}`, as msgspec writes an `Event`) comes back as it
    was, but for `seen_ms`. Raises ValueError (msgspec.ValidationError is one) when it is broken.
    """
    shape = shape_of(row)
    if shape.reader is not None:
        return shape.reader(row, seen_ms)
    network = _network(row, shape, capture)
    finish = partial(_parts, row, shape, capture, seen_ms, network)
    return Statement(_statement(row, shape), _CLEAN.get(network, clean.from_plain), finish)


def events_in(said: Sequence[Said]) -> list[Event | None]:
    """Return what happened by each of what `read` gave; None where no statement was left."""
    statements = [each for each in said if isinstance(each, Statement)]
    texts = clean.clean_all([s.raw for s in statements], [s.way for s in statements])
    cleaned = iter(texts)
    told = [each.finish(next(cleaned)) if isinstance(each, Statement) else each for each in said]
    events = iter(events_of([each for each in told if each is not None]))
    return [None if each is None else next(events) for each in told]


def time_of(row: Row) -> int | None:
    """Return when `row` says it was made (for a row of ours: seen), Unix ms; None if it does not.

    Reads ISO 8601 (without an offset: UTC), RFC 2822, X's old form and Unix seconds, milli-,
    micro- or nanoseconds, told apart by their size.
    """
    shape = shape_of(row)
    if shape.reader is not None:
        return api_time_of(row, shape.reader)
    return moment_of(row.get(shape.time))


def _network(row: Row, shape: Shape, capture: Capture) -> str:
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


def _parts(
    row: Row, shape: Shape, capture: Capture, seen_ms: int, network: str, cleaned: Cleaned
) -> Parts | None:
    if not cleaned.text:
        return None
    created_ms = moment_of(row.get(shape.time))
    author, author_id = _author(row, shape, network, cleaned.text)
    prefix = f"{network}:" if network in {"x", "hackernews"} else f"capture:{capture.name}:"
    own = _own_id(row, shape, network) or _made_up_id(author, cleaned.text, row, shape)
    url, links = _places(row, shape, network, own)
    return Parts(
        cleaned=cleaned,
        id=_named(prefix, own),
        network=network,
        author=author,
        author_id=author_id,
        created_ms=seen_ms if created_ms is None else created_ms,
        seen_ms=seen_ms,
        url=url,
        claimed_lang=word(row.get(shape.lang)),
        reply_to=_named(prefix, row.get(shape.reply_to)),
        repost_of=_retweeted(cleaned.text) if network == "x" else "",
        thread=_named(prefix, row.get(shape.thread)),
        links=links,
        engagement=_engagement(row, shape) if shape.counts else _NO_ENGAGEMENT,
    )


def _statement(row: Row, shape: Shape) -> str:
    """Return the title, the text, or both with a blank line between them."""
    if len(shape.words) == 1:
        return word(row[shape.words[0]])
    parts = [part for part in (word(row.get(name)) for name in shape.words) if part]
    if len(parts) > 1 and parts[1].startswith(parts[0]):
        parts = parts[1:]
    return "\n\n".join(parts)


def _author(row: Row, shape: Shape, network: str, text: str) -> tuple[str, str]:
    """Return name and id of who said it; the same name twice when the row has no id."""
    said = shape.fixed_author or row.get(shape.author)
    id = word(row.get(shape.author_id))
    if isinstance(said, dict):
        id = id or first_word(said, "id_str", "did", "id", "uri", "url")
        said = first_word(said, "username", "screen_name", "handle", "acct", "name")
    name = word(said)
    if not name and network == "news":  # a headline as Google News shows it: `title - outlet`
        _, dash, outlet = text.rpartition(" - ")
        name = outlet if dash and len(outlet) <= _MAX_OUTLET_CHARS else ""
    return (name or id or "unknown"), (id or name)


def _own_id(row: Row, shape: Shape, network: str) -> str:
    id = word(row.get(shape.id))
    if not id and network == "x" and (tweet := _TWEET_URL.match(word(row.get(shape.url)))):
        return tweet.group(1)
    return id if len(id) <= _MAX_ID_CHARS else xxhash.xxh3_64_hexdigest(id.encode())


def _made_up_id(author: str, text: str, row: Row, shape: Shape) -> str:
    """Return the same id for the same words of the same author on the same day (as written)."""
    said = word(row.get(shape.time))
    day = said[:10] if said[4:5] == "-" else (moment_of(row.get(shape.time)) or 0) // 86_400_000
    return xxhash.xxh3_64_hexdigest(f"{author}\n{day}\n{text}".encode())


def _places(row: Row, shape: Shape, network: str, id: str) -> tuple[str, tuple[str, ...]]:
    """Return where the post can be read, and the links that stand beside its text."""
    listed = row.get(shape.links)
    links = tuple(filter(None, map(link_of, listed))) if isinstance(listed, list) else ()
    if network == "x":
        return f"https://x.com/i/status/{id}", links
    url = html.unescape(word(row.get(shape.url)))
    if network == "hackernews":
        page = f"https://news.ycombinator.com/item?id={id}"
    elif network == "reddit":
        page = f"https://www.reddit.com/comments/{id}"
    else:
        return (url if url.startswith(("http://", "https://")) else ""), links
    return page, (url, *links) if url.startswith(("http://", "https://")) else links


def _named(prefix: str, value: object) -> str:
    id = word(value) if value else ""
    return prefix + id if id and "://" not in id else id


def _retweeted(text: str) -> str:
    match = _RETWEET.match(text) if text.startswith("RT @") else None
    if match is None:
        return ""
    rest = match.group(2).rstrip(" .…")
    return f"x:rt:{match.group(1).lower()}:{xxhash.xxh3_64_hexdigest(rest.encode())}"


def _engagement(row: Row, shape: Shape) -> Engagement:
    return Engagement(
        count(row.get(shape.likes)),
        count(row.get(shape.reposts)),
        count(row.get(shape.replies)),
        count(row.get(shape.views)),
    )
