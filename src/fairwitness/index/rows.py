"""Posts as the columns of the rows that will hold them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from fairwitness.index.columns import LINKED, REPLY, REPOST
from fairwitness.index.names import Names
from fairwitness.index.slice import NewRows
from fairwitness.kernels import fields
from fairwitness.kernels.fields import Fields
from fairwitness.kernels.hamming import CODE_BYTES
from fairwitness.posts.encoded import Encoded
from fairwitness.posts.post import FOREVER_MS, Edited, Event, Post, Posted

_LOW_32 = np.uint64(0xFFFF_FFFF)
_SAID = (Posted, Edited)
_encode = msgspec.msgpack.Encoder().encode


class Fresh(NamedTuple):
    """Posts to be stored, and what their bytes say."""

    posts: Sequence[Post]
    fields: Fields


def fresh(posts: Sequence[Post]) -> Fresh:
    """Encode posts and read their fields, 0.8 µs each."""
    return Fresh(posts, fields.read(_encode(posts), len(posts)))


def fresh_in(events: Sequence[Event]) -> Fresh | None:
    """Return the posts that events say; None where there are none, or some say something else."""
    if isinstance(events, Encoded):
        said = events.posts
        return Fresh(said, fields.read(said.told.encoded, len(said))) if said else None
    posts = [event.post for event in events if isinstance(event, _SAID)]
    return fresh(posts) if posts and len(posts) == len(events) else None


def handle_hash(handle: str) -> int:
    """Return the hash of a handle in any case, with or without @; 32 bits."""
    folded = handle.removeprefix("@").casefold()
    return xxhash.xxh64_intdigest(folded.encode("utf-8", "surrogatepass")) & int(_LOW_32)


def rows_of(told: Fresh, networks: Names, langs: Names) -> NewRows:
    """Return the rows of new posts, each the first version of its post."""
    posts, said = told
    handle = (said.handle & _LOW_32).astype(np.uint32)
    for odd in np.flatnonzero(said.has & fields.ODD_HANDLE).tolist():
        handle[odd] = handle_hash(posts[odd].author)
    return NewRows(
        id_hash=said.id,
        since_ms=said.seen_ms,
        made_ms=np.maximum(np.minimum(said.created_ms, said.seen_ms), -FOREVER_MS),
        text_hash=(said.text & _LOW_32).astype(np.uint32),
        author=(said.account & _LOW_32).astype(np.uint32),
        handle=handle,
        cluster=np.zeros(len(posts), np.uint32),
        lang=_numbers(said.lang, lambda at: langs.number(posts[at].lang)),
        network=_numbers(said.network, lambda at: networks.number(posts[at].network)),
        quality=np.zeros(len(posts), np.uint8),
        flags=_flags(said.has),
        code=np.zeros((len(posts), CODE_BYTES), np.uint8),
    )


def _numbers(names: NDArray[np.uint64], number_at: Callable[[int], int]) -> NDArray[np.uint16]:
    """Return the number of each post's name, by its hash; each name is looked up once."""
    _, first, which = np.unique(names, return_index=True, return_inverse=True)
    found = {at: number_at(at) for at in np.sort(first).tolist()}  # a new one comes in order
    return np.array([found[at] for at in first.tolist()], np.uint16)[which]


def _flags(has: NDArray[np.uint8]) -> NDArray[np.uint16]:
    flags = np.where(has & fields.LINKS, LINKED, 0)
    flags |= np.where(has & fields.REPLY, REPLY, 0)
    flags |= np.where(has & fields.REPOST, REPOST, 0)
    return flags.astype(np.uint16)
