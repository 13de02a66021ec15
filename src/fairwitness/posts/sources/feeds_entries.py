"""What is new or changed in a feed's document, compared with what we remember of it."""

import msgspec
import xxhash

from fairwitness.posts import clean
from fairwitness.posts.clean import Cleaned
from fairwitness.posts.compose import Parts, events_of
from fairwitness.posts.post import Event
from fairwitness.posts.sources.feeds_document import Document, Entry

KEPT_ENTRIES = 200
"""Entries remembered beyond those of the last document, so that one may come back."""


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What we remember of a feed between two polls; small, for it is part of every cursor."""

    etag: str = ""
    modified: str = ""
    moved_to: str = ""
    """Where the feed said for good that it is now."""
    read_ms: int = 0
    """When a document last came."""
    gone: bool = False
    entries: dict[str, str] = {}
    """Hash of an entry's key → hash of its text, 8 hexadecimal digits each, oldest first."""


def changes(
    document: Document, known: Known, url: str, seen_ms: int
) -> tuple[tuple[Event, ...], dict[str, str], bool]:
    """Return the events of `document`, oldest first, what to remember, and whether it jumped.

    A feed jumped when it shows nothing of what it showed last time: entries may have come and gone
    in between. `url` is the address as configured, which ids are made with.
    """
    said: list[Parts] = []
    shown: dict[str, str] = {}
    for entry in reversed(document.entries):
        cleaned = cleaned_text(entry)
        key, now = _short(entry.key), _short(cleaned.text)
        if not cleaned.text or key in shown:
            continue
        shown[key] = now
        before = known.entries.get(key)
        if before == now:
            continue
        parts = _parts(entry, cleaned, document, url, seen_ms)
        said.append(msgspec.structs.replace(parts, is_edit=before is not None))
    jumped = bool(known.entries and shown and not shown.keys() & known.entries.keys())
    older = [each for each in known.entries.items() if each[0] not in shown]
    return tuple(events_of(said)), dict(older[-KEPT_ENTRIES:]) | shown, jumped


def cleaned_text(entry: Entry) -> Cleaned:
    """Return the title, a blank line and the body, or one of them where it holds the other."""
    title = _letters(clean.from_html(_block(entry.title)).text)
    body = _letters(clean.from_html(_block(entry.body)).text)
    if title.startswith(body):
        return clean.from_html(_block(entry.title))
    if body.startswith(title):
        return clean.from_html(_block(entry.body))
    return clean.from_html(_block(entry.title) + _block(entry.body))


def _parts(entry: Entry, cleaned: Cleaned, document: Document, url: str, seen_ms: int) -> Parts:
    return Parts(
        cleaned=cleaned,
        id=f"rss:{url}#{entry.key}",
        network="rss",
        author=entry.author or document.title or url,
        author_id=entry.outlet or document.link or url,
        created_ms=seen_ms if entry.created_ms is None else entry.created_ms,
        seen_ms=seen_ms,
        url=entry.link,
        claimed_lang=entry.lang or document.lang,
        links=entry.links,
    )


def _block(markup: str) -> str:
    # Always with a tag, so that a text without one is read as the HTML that it is, too.
    return f"<p>{markup}</p>" if markup else ""


def _letters(text: str) -> str:
    """Return `text` without all that a title and its repetition may differ in."""
    return "".join(filter(str.isalnum, text.casefold()))


def _short(text: str) -> str:
    return f"{xxhash.xxh3_64_intdigest(text.encode()) & 0xFFFF_FFFF:08x}"
