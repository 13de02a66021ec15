"""What a record of the log says, and how it is written down: a batch, or how all sources stand.

Events are encoded once. What a source said is encoded to see that it can be written at all; the
index then says what of it is new; and when all is, the record is made of the bytes that are there.
"""

import logging
from collections.abc import Sequence
from itertools import chain, product
from operator import attrgetter
from typing import get_origin

import msgspec
from msgspec.structs import astuple, fields

from fairwitness.kernels.fields import head
from fairwitness.posts.encoded import Encoded
from fairwitness.posts.post import (
    AccountGone,
    Cut,
    Deleted,
    Edited,
    Engagement,
    Event,
    Post,
    Posted,
)
from fairwitness.posts.source import Gap, SourceBatch

_GAPS_KEPT = 64
_SAID = (Posted, Edited)
_UNSAID = next(field.default for field in fields(Post) if field.name == "engagement")
_names = attrgetter("links", "hashtags", "mentions")

_log = logging.getLogger(__name__)


class Batch(msgspec.Struct, frozen=True, tag="batch", omit_defaults=True):
    """What one source said, with the cursor after it."""

    source: str
    cursor: str
    events: tuple[Event, ...]
    clock_ms: int
    """Our clock when the batch was written."""
    virtual: bool = False
    """Whether that clock was a replay's."""
    gaps: tuple[Gap, ...] = ()
    dropped: int = 0


class _EncodedBatch(msgspec.Struct, frozen=True, tag="batch", omit_defaults=True):
    """A batch whose events are bytes already; in the log it looks the same."""

    source: str
    cursor: str
    events: msgspec.Raw
    clock_ms: int
    virtual: bool = False
    gaps: tuple[Gap, ...] = ()
    dropped: int = 0


class SourceState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the log knows of a source."""

    cursor: str = ""
    events: int = 0
    dropped: int = 0
    gaps: tuple[Gap, ...] = ()
    """The last ones."""
    last_ms: int = 0
    """Our clock at its last batch."""


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot", omit_defaults=True):
    """All sources as they stood when a segment began."""

    sources: dict[str, SourceState]
    clock_ms: int = 0
    virtual: bool = False


class Storable(msgspec.Struct, frozen=True):
    """Events that the log can give back as they are."""

    events: Sequence[Event]
    encoded: bytes
    """All of them, as they stand in a record."""


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Batch | Snapshot).decode
"""Raises msgspec.MsgspecError for what is neither."""

UNWRITABLE = (msgspec.MsgspecError, ValueError, TypeError, OverflowError)
"""What encoding raises on halves of surrogate pairs, huge numbers and wrong types."""


def storable(events: Sequence[Event]) -> Storable:
    """Return the events that the log can give back as they are; the others are only named.

    One that it could not would be damage to the log, made by whoever sent it. 1 µs an event.
    """
    if isinstance(events, Encoded):
        return Storable(events, events.encoded)
    try:
        encoded = _encoded(events)
    except UNWRITABLE:
        sound = [event for event in events if _is_sound(event)]
        return Storable(sound, encode(sound))
    return Storable(list(events), encoded)


def gathered(batches: Sequence[SourceBatch]) -> Storable:
    """Return the events of batches that the log can give back as they are."""
    parts = [storable(batch.events) for batch in batches]
    if len(parts) == 1:
        return parts[0]
    count = sum(len(part.events) for part in parts)
    bodies = (memoryview(part.encoded)[len(head(len(part.events))) :] for part in parts)
    encoded = b"".join((head(count), *bodies))
    if any(isinstance(part.events, Encoded) for part in parts):
        return Storable(Encoded(encoded, count), encoded)
    return Storable([event for part in parts for event in part.events], encoded)


def packed(batch: Batch, encoded_events: bytes | None = None) -> bytes:
    """Return the bytes of `batch`, made of those of its events where they are given.

    Raises one of `UNWRITABLE` for what cannot be written.
    """
    if encoded_events is None:
        return encode(batch)
    return encode(
        _EncodedBatch(
            batch.source,
            batch.cursor,
            msgspec.Raw(encoded_events),
            batch.clock_ms,
            batch.virtual,
            batch.gaps,
            batch.dropped,
        )
    )


def after(before: SourceState | None, batch: Batch) -> SourceState:
    """Return how a source stands after `batch`."""
    before = before or SourceState()
    return SourceState(
        cursor=batch.cursor,
        events=before.events + len(batch.events),
        dropped=before.dropped + batch.dropped,
        gaps=(before.gaps + batch.gaps)[-_GAPS_KEPT:],
        last_ms=max(before.last_ms, batch.clock_ms),
    )


def _is_sound(event: Event) -> bool:
    try:
        _encoded((event,))
    except UNWRITABLE as error:
        _log.warning("left out %.200a: %s", event, error)
        return False
    return True


def _encoded(events: Sequence[Event]) -> bytes:
    """Return the bytes of events that are of the types that they say, for nothing else checks."""
    said = [event.post if isinstance(event, _SAID) else event for event in events]
    types = {tuple(map(type, astuple(each))) for each in said}
    if not types <= _TYPES:
        raise TypeError(f"fields of wrong types: {', '.join(map(str, types - _TYPES))}")
    posts = [each for each in said if type(each) is Post]
    parts = chain.from_iterable(map(_structs, posts))
    named = chain.from_iterable(chain.from_iterable(map(_names, posts)))
    inner = {tuple(map(type, astuple(each))) for each in parts if each is not _UNSAID}
    if not set(map(type, named)) <= {str} or not inner <= _INNER:
        raise TypeError("something of a wrong type within a field")
    return encode(events)


def _structs(post: Post) -> tuple[Engagement | Cut, ...]:
    return (post.engagement, *post.cuts)


def _types_of(kind: type[msgspec.Struct]) -> set[tuple[type, ...]]:
    """Return the types that the fields of `kind` may have; a whole number is a fraction, too."""
    plain = [get_origin(field.type) or field.type for field in fields(kind)]
    return set(product(*((float, int) if each is float else (each,) for each in plain)))


_TYPES = _types_of(Post) | _types_of(Deleted) | _types_of(AccountGone)
_INNER = _types_of(Engagement) | _types_of(Cut)
