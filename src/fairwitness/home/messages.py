"""What a server and the process that takes posts in for it say to each other.

Over a pair of sockets, each message as its length and then msgpack. The server orders, the writer
tells; there is no order to stop: a server that hangs up, or is gone, means it.
"""

import struct
from collections.abc import Iterator
from typing import Generic, Literal, TypeVar

import msgspec

from fairwitness.posts.health import SourceHealth

State = Literal["idle", "running", "ended", "blocked", "failed"]
FileState = Literal["running", "ended", "failed"]

_LENGTH = struct.Struct(">I")
_pack = msgspec.msgpack.Encoder().encode

T = TypeVar("T")


class IntakeReport(msgspec.Struct, frozen=True):
    """How the taking in stands; `problem` says why it is blocked or has failed."""

    state: State
    problem: str


class Progress(msgspec.Struct, frozen=True):
    """How far a file is; counts are since it was handed in."""

    state: FileState
    source: str
    done: int
    """Lines so far: the three counts together."""
    events: int
    duplicates: int
    dropped: int
    seconds: float
    posts: int
    """Posts of this home that a search can show."""
    now: str
    """The clock of the home: in a replay, the moment that it has come to."""
    problem: str = ""


class Sources(msgspec.Struct, frozen=True):
    """What to listen to, as `posts.sources.named.open_sources` reads it."""

    names: tuple[str, ...]
    x_rules: tuple[str, ...] = ()
    x_daily_usd: float | None = None
    follow: bool = False
    network: str = ""


class Open(msgspec.Struct, frozen=True, tag=True):
    """The first order: open the home in `folder` and listen."""

    folder: bytes
    """As the system writes it: a name of a file need not be text."""
    lock: int
    """Descriptor of its lock, which the server has taken."""
    sources: Sources | None
    keep_ms: int | None
    """How long posts are kept at least, None for ever."""
    log_levels: dict[str, int]
    """Level of each logger that has one; "" is the root."""


class Replay(msgspec.Struct, frozen=True, tag=True):
    """Play the capture at `path` on a virtual clock; `speed` None is as fast as can be."""

    ticket: int
    path: str
    speed: float | None
    network: str
    name: str | None = None


class File(msgspec.Struct, frozen=True, tag=True):
    """Take in the posts of the file at `path` as seen now."""

    ticket: int
    path: str
    network: str
    follow: bool


class PutDown(msgspec.Struct, frozen=True, tag=True):
    """Stop reading the file of this ticket."""

    ticket: int


class Opening(msgspec.Struct, frozen=True, tag=True):
    """The index is open and has caught up with so many bytes of log."""

    done: int
    total: int


class Report(msgspec.Struct, frozen=True, tag=True):
    """How the home stands; the first one says that it is open."""

    now_ms: int
    virtual: bool
    log_position: int
    index_position: int
    """Bytes of log that are durably in the index."""
    sources: tuple[SourceHealth, ...]
    intake: IntakeReport


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The file of this ticket is not taken in; see `IntakeRefused`."""

    ticket: int
    problem: str
    code: str
    field: str


class Told(msgspec.Struct, frozen=True, tag=True):
    """How far the file of this ticket is."""

    ticket: int
    progress: Progress


class Broken(msgspec.Struct, frozen=True, tag=True):
    """The last word of a writer that cannot go on; `full`: for want of room on the disk."""

    problem: str
    full: bool


Order = Open | Replay | File | PutDown
Said = Opening | Report | Refused | Told | Broken


class IntakeRefused(Exception):
    """A file cannot be taken in; `field` of the request is wrong, or nothing is."""

    def __init__(self, problem: str, code: str, field: str = "") -> None:
        """`code`: `live`, `busy` and `down` will pass; `bad_value` will not."""
        super().__init__(problem)
        self.code = code
        self.field = field


def packed(message: Order | Said) -> bytes:
    """Return the bytes to send."""
    body = _pack(message)
    return _LENGTH.pack(len(body)) + body


class Inbox(Generic[T]):
    """Makes messages of the bytes that arrive."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[T]) -> None:
        self._decoder = decoder
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[T]:
        """Yield the messages that are whole now."""
        self._rest += data
        while len(self._rest) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._rest)[0]
            if len(self._rest) < end:
                return
            body, self._rest = self._rest[_LENGTH.size : end], self._rest[end:]
            yield self._decoder.decode(body)


def orders() -> Inbox[Order]:
    """Return the inbox of a writer."""
    return Inbox(msgspec.msgpack.Decoder(Order))


def sayings() -> Inbox[Said]:
    """Return the inbox of a server."""
    return Inbox(msgspec.msgpack.Decoder(Said))
