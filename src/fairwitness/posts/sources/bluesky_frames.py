"""What one Jetstream frame says, whichever of the two wires it came on.

Both wires carry the same events. v1 (`/subscribe`) is a bare object per event; v2
(`/xrpc/network.bsky.jetstream.subscribeEvents`) wraps a lexicon message in an `xrpc.v1.json` frame.
Reading turns either into one `Message`; the record inside stays undecoded until somebody wants it,
because nine of ten records are likes and follows.

Shapes: https://github.com/bluesky-social/jetstream, docs/README.md sections 5.1 and 5.2,
lexicons/network/bsky/jetstream/subscribeEvents.json, internal/subscribe/encoder.go.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Raw, Struct

POSTS = "app.bsky.feed.post"

Kind = Literal["commit", "account", "identity", "sync", "info", "error"]

_LEXICON = "network.bsky.jetstream.subscribeEvents"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LATEST_US = 4_000_000_000_000_000  # the year 2096: later is not a time of this stream
_NOTHING = Raw()


class Unreadable(ValueError):
    """A frame or a record that is not what the network specifies; the message says why."""


class Message(Struct):
    """One frame of either wire. Fields that a kind does not have are empty."""

    kind: Kind
    did: str = ""
    time_us: int = 0
    """When the server saw the event, Unix microseconds; 0 for `info` and `error`."""
    seq: int = 0
    """The server's own number of the event; 0 where it gives none (v1 as first shipped)."""
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    rev: str = ""
    record: Raw = _NOTHING
    active: bool = True
    status: str = ""
    upstream_seq: int = 0
    """The relay's number of an account, identity or sync event: the same on every server."""
    name: str = ""
    """What an `info` or `error` is called: `OutdatedCursor`, `ConsumerTooSlow`."""
    text: str = ""

    @property
    def key(self) -> str:
        """What this event is called on every server, so that a repeat is known."""
        if self.kind == "commit":
            return f"{self.did}/{self.collection}/{self.rkey}/{self.rev}"
        return f"{self.did}/{self.kind}/{self.upstream_seq}"

    @property
    def matters(self) -> bool:
        """Whether it can become an event of ours."""
        return self.collection == POSTS or self.kind in ("account", "sync")


class _Commit(Struct):
    operation: str
    collection: str
    rkey: str
    rev: str = ""
    record: Raw = _NOTHING


class _Upstream(Struct):
    seq: int = 0
    active: bool = True
    status: str | None = None


class _V1(Struct):
    did: str
    time_us: int
    kind: str
    cursor: int = 0
    commit: _Commit | None = None
    account: _Upstream | None = None
    identity: _Upstream | None = None


_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _V2Commit(Struct, tag_field="$type", tag=f"{_LEXICON}#commit"):
    seq: int
    did: str
    time: _Moment
    rev: str
    operation: str
    collection: str
    rkey: str
    record: Raw = _NOTHING


class _V2Identity(Struct, tag_field="$type", tag=f"{_LEXICON}#identity"):
    seq: int
    did: str
    time: _Moment
    identity: _Upstream


class _V2Account(Struct, tag_field="$type", tag=f"{_LEXICON}#account"):
    seq: int
    did: str
    time: _Moment
    account: _Upstream


class _V2Sync(Struct, tag_field="$type", tag=f"{_LEXICON}#sync"):
    seq: int
    did: str
    time: _Moment
    sync: _Upstream


class _V2Info(Struct, tag_field="$type", tag=f"{_LEXICON}#info"):
    name: str
    message: str = ""


class _V2Message(Struct, tag_field="$type", tag="message"):
    payload: _V2Commit | _V2Identity | _V2Account | _V2Sync | _V2Info


class _V2Error(Struct, tag_field="$type", tag="error"):
    error: str
    message: str = ""


_v1 = msgspec.json.Decoder(_V1)
_v2 = msgspec.json.Decoder(_V2Message | _V2Error)


def read_v1(frame: bytes) -> Message:
    """Return what a frame of `/subscribe` says. Raises Unreadable."""
    try:
        said = _v1.decode(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"not a v1 frame: {error}") from error
    _check_time(said.time_us)
    if said.kind == "commit" and said.commit is not None:
        return _commit(said.did, said.time_us, said.cursor, said.commit)
    if said.kind == "account" and said.account is not None:
        return _upstream("account", said.did, said.time_us, said.cursor, said.account)
    if said.kind == "identity" and said.identity is not None:
        return _upstream("identity", said.did, said.time_us, said.cursor, said.identity)
    raise Unreadable(f"not a v1 frame: a {said.kind[:40]!r} without its body")


def read_v2(frame: bytes) -> Message:
    """Return what a frame of `subscribeEvents` says. Raises Unreadable."""
    try:
        said = _v2.decode(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"not a v2 frame: {error}") from error
    if isinstance(said, _V2Error):
        return Message("error", name=said.error, text=said.message)
    it = said.payload
    if isinstance(it, _V2Commit):
        return _commit(it.did, _unix_us(it.time), it.seq, it)
    if isinstance(it, _V2Account):
        return _upstream("account", it.did, _unix_us(it.time), it.seq, it.account)
    if isinstance(it, _V2Identity):
        return _upstream("identity", it.did, _unix_us(it.time), it.seq, it.identity)
    if isinstance(it, _V2Sync):
        return _upstream("sync", it.did, _unix_us(it.time), it.seq, it.sync)
    return Message("info", name=it.name, text=it.message)


def _commit(did: str, time_us: int, seq: int, it: _Commit | _V2Commit) -> Message:
    return Message(
        "commit", did, time_us, seq, it.operation, it.collection, it.rkey, it.rev, it.record
    )


def _upstream(kind: Kind, did: str, time_us: int, seq: int, it: _Upstream) -> Message:
    return Message(
        kind, did, time_us, seq, active=it.active, status=it.status or "", upstream_seq=it.seq
    )


def _unix_us(moment: datetime) -> int:
    time_us = (moment - _EPOCH) // _MICROSECOND
    _check_time(time_us)
    return time_us


def _check_time(time_us: int) -> None:
    if not 0 < time_us < _LATEST_US:
        raise Unreadable(f"not a time of this stream: {time_us} us")
