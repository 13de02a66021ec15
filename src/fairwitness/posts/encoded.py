"""Events as the bytes that the log holds, made into objects when somebody looks at one.

A firehose is read, written down and indexed from its bytes alone: to make an object of each of its
posts would cost more than to store it.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload

import msgspec

from fairwitness.posts.post import Event

_decode = msgspec.msgpack.Decoder(tuple[Event, ...]).decode


class Encoded(Sequence[Event]):
    """Some events in order, equal to any other sequence of the same."""

    def __init__(self, encoded: bytes, count: int) -> None:
        """`encoded` is a list of `count` events in MessagePack, which the log can give back."""
        self.encoded = encoded
        self._count = count

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """The events, 1 µs each the first time."""
        return _decode(self.encoded)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Event: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Event, ...]: ...
    def __getitem__(self, at: int | slice) -> Event | tuple[Event, ...]:
        return self.events[at]

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Encoded) and other.encoded == self.encoded:
            return True
        return isinstance(other, Sequence) and self.events == tuple(other)

    def __hash__(self) -> int:
        return hash(self.events)

    def __repr__(self) -> str:
        return repr(self.events)
