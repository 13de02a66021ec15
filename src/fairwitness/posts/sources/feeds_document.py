"""What a feed says: RSS, Atom, RDF and CDF by `feedparser`, JSON Feed by our own structs.

feedparser's cleaning of markup is off: ours drops all markup anyway, and its regular expressions
take time quadratic in the size of hostile markup. It does keep out external entities and bounds
those that multiply (expat's amplification limit).
"""

import calendar
import html
import io
import re
import time
from dataclasses import dataclass
from typing import Any

import feedparser
import msgspec
import xxhash

from fairwitness.posts.sources.captures_values import moment_of

MAX_ENTRIES = 1000
"""Entries beyond are old: feeds begin with the newest."""

_MAX_KEY_CHARS = 200

# Ours, because feedparser's idea of an address ends after three letters of a top-level domain.
_ADDRESS_FIRST = re.compile(r"[^\s@]+@\S+\s+\((?P<name>[^()]+)\)")
_NAME_FIRST = re.compile(r"(?P<name>[^()<>]+?)\s+[(<][^\s@]+@[^\s@]+[)>]")


class FeedError(Exception):
    """What a feed's address gave is not a feed; the message names the address."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a feed. `title` and `body` are HTML, whatever they were."""

    key: str
    """The item's own id, or a hash of its link, or of its words; unique within the feed."""
    title: str
    body: str
    link: str = ""
    author: str = ""
    outlet: str = ""
    """Address of who published it first, where an aggregator says so."""
    created_ms: int | None = None
    lang: str = ""
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A feed as it was at one moment; entries in its own order."""

    title: str
    link: str
    lang: str
    entries: tuple[Entry, ...]
    finished: bool = False
    """The publisher says that it will never change again."""


def read_document(body: bytes, url: str, content_type: str = "") -> Document:
    """Return the feed that `body` is; raises FeedError naming `url` when it is none.

    `url` is the address as configured, not where a redirect led: ids that are relative addresses
    are resolved against it, and must not change when a feed moves.
    `content_type` is what the server says; its charset counts as RFC 7303 and feedparser decide.
    """
    start = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        raise FeedError(f"not a feed, empty: {url}")
    return _read_json(body, url) if start.startswith(b"{") else _read_xml(body, url, content_type)


def _read_xml(body: bytes, url: str, content_type: str) -> Document:
    headers = {"content-location": url, "content-type": content_type or "application/xml"}
    try:
        # A file object: given bytes, feedparser would try them as an address or a file name first.
        found = feedparser.parse(
            io.BytesIO(body),
            response_headers=headers,
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # whatever a foreign document made it do
        raise FeedError(f"not a feed, {type(error).__name__}: {url}") from error
    if not found.get("version") and not found.entries:
        reason = str(found.get("bozo_exception") or "no such root element known")[:120]
        raise FeedError(f"not a feed, {reason}: {url}")
    feed = found.feed
    return Document(
        title=_string(feed, "title"),
        link=_http(_string(feed, "link")),
        lang=_string(feed, "language"),
        entries=tuple(_entry(entry) for entry in found.entries[:MAX_ENTRIES]),
    )


def _entry(entry: dict[str, Any]) -> Entry:
    contents = [part for part in _list(entry, "content") if isinstance(part, dict)]
    body = contents[0] if contents else _dict(entry, "summary_detail")
    title = _dict(entry, "title_detail")
    source = _dict(entry, "source")
    link = _http(_string(entry, "link"))
    words = _as_html(title), _as_html(body)
    return Entry(
        key=_key(_string(entry, "id"), link, words),
        title=words[0],
        body=words[1],
        link=link,
        author=_string(source, "title") or _name_in(_string(entry, "author")),
        outlet=_http(_string(source, "href") or _string(source, "link")),
        created_ms=_first_moment(entry),
        lang=_string(body, "language") or _string(title, "language"),
    )


def _name_in(author: str) -> str:
    """Return the name in `name`, `name (address)` or `address (name)`, as RSS has it."""
    match = _ADDRESS_FIRST.fullmatch(author) or _NAME_FIRST.fullmatch(author)
    return match.group("name") if match else author


def _as_html(part: dict[str, Any]) -> str:
    value = _string(part, "value")
    return html.escape(value, quote=False) if part.get("type") == "text/plain" else value


def _first_moment(entry: dict[str, Any]) -> int | None:
    for name in ("published_parsed", "updated_parsed", "created_parsed"):
        # `dict.get`: feedparser's own warns when one of these stands in for another.
        moment = dict.get(entry, name)
        if isinstance(moment, time.struct_time):
            try:
                return calendar.timegm(moment) * 1000
            except (ValueError, OverflowError):
                continue
    return None


def _key(id: str, link: str, words: tuple[str, str]) -> str:
    if id and len(id) <= _MAX_KEY_CHARS:
        return id
    return xxhash.xxh3_64_hexdigest((id or link or "\n".join(words)).encode("utf-8", "replace"))


def _string(part: dict[str, Any], name: str) -> str:
    value = part.get(name)
    return value.strip() if isinstance(value, str) else ""


def _dict(part: dict[str, Any], name: str) -> dict[str, Any]:
    value = part.get(name)
    return value if isinstance(value, dict) else {}


def _list(part: dict[str, Any], name: str) -> list[Any]:
    value = part.get(name)
    return value if isinstance(value, list) else []


def _http(url: str) -> str:
    return url if url.startswith(("http://", "https://")) else ""


# --- JSON Feed 1.0 and 1.1 (jsonfeed.org/version/1.1; repository manton/JSONFeed) --------------


class _Author(msgspec.Struct):
    name: str | None = None


class _Item(msgspec.Struct):
    # 1.0 let ids be numbers, "to be coerced to strings".
    id: str | int | float | None = None
    url: str | None = None
    external_url: str | None = None
    title: str | None = None
    content_html: str | None = None
    content_text: str | None = None
    summary: str | None = None
    date_published: str | None = None
    date_modified: str | None = None
    author: _Author | None = None
    authors: list[_Author] | None = None
    language: str | None = None


class _JsonFeed(msgspec.Struct):
    version: str
    title: str | None = None
    home_page_url: str | None = None
    author: _Author | None = None
    authors: list[_Author] | None = None
    language: str | None = None
    expired: object = None
    items: list[msgspec.Raw] = []


def _read_json(body: bytes, url: str) -> Document:
    try:
        feed = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"), type=_JsonFeed)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"not a feed, {str(error)[:120]}: {url}") from error
    if "jsonfeed.org/version/" not in feed.version:
        raise FeedError(f"not a feed, version {feed.version[:60]!r}: {url}")
    items = (_item(raw) for raw in feed.items[:MAX_ENTRIES])
    default = _names(feed.authors, feed.author)
    return Document(
        title=(feed.title or "").strip(),
        link=_http(feed.home_page_url or ""),
        lang=feed.language or "",
        entries=tuple(_json_entry(item, default) for item in items if item is not None),
        finished=feed.expired is True,
    )


def _item(raw: msgspec.Raw) -> _Item | None:
    """Return an item, or None for one that breaks the format: the others still count."""
    try:
        return msgspec.json.decode(raw, type=_Item)
    except (ValueError, RecursionError):
        return None


def _json_entry(item: _Item, default_author: str) -> Entry:
    link = _http(item.url or "")
    title = html.escape(item.title or "", quote=False)
    plain = html.escape(item.content_text or item.summary or "", quote=False)
    body = item.content_html or plain
    published = moment_of(item.date_published)
    elsewhere = _http(item.external_url or "")
    return Entry(
        key=_key("" if item.id is None else str(item.id), link, (title, body)),
        title=title,
        body=body,
        link=link or elsewhere,
        author=_names(item.authors, item.author) or default_author,
        created_ms=moment_of(item.date_modified) if published is None else published,
        lang=item.language or "",
        links=(elsewhere,) if elsewhere else (),
    )


def _names(authors: list[_Author] | None, author: _Author | None) -> str:
    """Return who wrote it; `authors` of 1.1 is preferred to `author` of 1.0."""
    listed = authors or ([author] if author else [])
    return ", ".join(each.name for each in listed if each.name)
