"""Events as the bytes that the log holds, made into objects when somebody looks at one.

A firehose is read, written down and indexed from its bytes alone: to make an object of each of its
posts would cost more than to store it.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload

import msgspec

from fairwitness.kernels import fields
from fairwitness.kernels.fields import PostsIn, head
from fairwitness.posts.post import Event, Post

_decode = msgspec.msgpack.Decoder(tuple[Event, ...]).decode
_posts = msgspec.msgpack.Decoder(list[Post]).decode
_post = msgspec.msgpack.Decoder(Post).decode


class EncodedPosts(Sequence[Post]):
    """Posts in order, each made when it is asked for, and each time anew."""

    def __init__(self, told: PostsIn) -> None:
        self.told = told

    def __len__(self) -> int:
        return len(self.told.ends)

    @overload
    def __getitem__(self, at: int) -> Post: ...
    @overload
    def __getitem__(self, at: slice) -> list[Post]: ...
    def __getitem__(self, at: int | slice) -> Post | list[Post]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        at = range(len(self))[at]
        ends = self.told.ends
        begin = int(ends[at - 1]) if at else len(head(len(ends)))
        return _post(memoryview(self.told.encoded)[begin : int(ends[at])])

    def __iter__(self) -> Iterator[Post]:
        return iter(_posts(self.told.encoded))


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

    @cached_property
    def posts(self) -> EncodedPosts | None:
        """The posts that they say; None where some say something else."""
        told = fields.posts_in(self.encoded, self._count)
        return None if told is None else EncodedPosts(told)

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
        if isinstance(other, Encoded) and (other is self or other.encoded == self.encoded):
            return True
        return isinstance(other, Sequence) and self.events == tuple(other)

    def __hash__(self) -> int:
        return hash(self.events)

    def __repr__(self) -> str:
        return repr(self.events)
