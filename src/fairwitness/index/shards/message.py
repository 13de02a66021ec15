"""Events on the wire: which shard they go to, and how many make a message.

A message is zstd over msgpack and holds the events of one batch for one shard. Its id is a hash of
what it says, so that a stream drops what a publisher repeats, and only that.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import xxhash
import zstandard

from fairwitness.posts.post import AccountGone, Deleted, Event

MESSAGE_BYTES = 1_000_000
"""NATS takes 1 MiB by default, headers included (docs.nats.io, `max_payload`)."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Event, ...]).decode


class Message(NamedTuple):
    """What is published."""

    payload: bytes
    id: str
    """Equal for equal events that end at the same position."""


class Unreadable(ValueError):
    """A message that we did not write."""


def shard_of(post_id: str, shards: int) -> int:
    """Return which of `shards` holds a post.

    Seeded, so that within one shard the hashes by which an index finds ids are still evenly spread.
    """
    return xxhash.xxh3_64_intdigest(post_id.encode("utf-8", "surrogatepass"), 1) % shards


def divide(events: Sequence[Event], shards: int) -> dict[int, list[int]]:
    """Return the places in `events` of what concerns each shard, in order.

    An account's posts are everywhere, so that it is gone is told to all.
    """
    places: dict[int, list[int]] = {shard: [] for shard in range(shards)}
    for place, event in enumerate(events):
        match event:
            case AccountGone():
                for each in places.values():
                    each.append(place)
            case Deleted():
                places[shard_of(event.id, shards)].append(place)
            case _:
                places[shard_of(event.post.id, shards)].append(place)
    return {shard: each for shard, each in places.items() if each}


def pack(events: Sequence[Event], position: int) -> Iterator[Message]:
    """Yield `events` as messages of at most MESSAGE_BYTES, each of one event if need be."""
    plain = _encode(tuple(events))
    payload = zstandard.compress(plain, 1)
    if len(payload) > MESSAGE_BYTES and len(events) > 1:
        half = len(events) // 2
        yield from pack(events[:half], position)
        yield from pack(events[half:], position)
        return
    yield Message(payload, f"{position}-{xxhash.xxh3_128_hexdigest(plain)}")


def unpack(payload: bytes) -> tuple[Event, ...]:
    """Return the events of a message; raises Unreadable."""
    try:
        return _decode(zstandard.decompress(payload))
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise Unreadable(str(error)) from error
