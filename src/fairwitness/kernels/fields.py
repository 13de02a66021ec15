"""What encoded posts say, as columns, without making a post of any of them.

A batch of posts is encoded once, to be stored. From the same bytes one pass takes all that is
counted, hashed or compared, so nothing is asked of posts one by one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from string import ascii_lowercase, ascii_uppercase
from typing import Any, NamedTuple

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from fairwitness.kernels import native
from fairwitness.kernels.texts import Texts, pack

LINKS, REPLY, REPOST, ACCOUNT, ODD_HANDLE = 1, 2, 4, 8, 16
"""Bits of `Fields.has`: it has links, answers a post, repeats one, and says which account it is of;
its handle has letters that are not ASCII, and is not hashed."""

_COUNTS = 4
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_raws = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_maps = msgspec.msgpack.Decoder(list[dict[str, Any]]).decode
_map = msgspec.msgpack.Decoder(dict[str, Any]).decode
_parts = msgspec.msgpack.Decoder(list[dict[str, msgspec.Raw]]).decode
_PLAIN_HANDLE = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, eq=False)
class Fields:
    """Columns of some posts, each with one entry a post, unless said. Hashes are XXH64."""

    encoded: bytes
    ends: NDArray[np.int64]
    """The byte of `encoded` behind each post."""
    id: NDArray[np.uint64]
    text: NDArray[np.uint64]
    account: NDArray[np.uint64]
    """Of the network, a line break, and the id of the account, which may be empty."""
    handle: NDArray[np.uint64]
    """Of the handle in lower case, without an @ before it."""
    lang: NDArray[np.uint64]
    """Of its language and of its network; 0 where it says none."""
    network: NDArray[np.uint64]
    created_ms: NDArray[np.int64]
    seen_ms: NDArray[np.int64]
    counts: NDArray[np.int64]
    """Likes, reposts, replies and views, -1 where nothing is said; shape (4, posts)."""
    has: NDArray[np.uint8]
    texts: Texts
    tags: Texts
    """The hashtags of each post with their sign, joined by spaces."""
    links: NDArray[np.uint64]
    """Of all links; those of post p are `links[link_starts[p] : link_starts[p + 1]]`."""
    link_starts: NDArray[np.int64]
    asides: Texts
    """`@ann ann` for a post of ann with nothing else beside its text: no links, tags, mentions or
    cashtags, and no answer; empty for any other."""

    def __len__(self) -> int:
        return len(self.ends)

    def begin(self, post: int) -> int:
        """Return the first byte of a post."""
        return int(self.ends[post - 1]) if post else len(head(len(self.ends)))


def head(count: int) -> bytes:
    """Return the bytes before the entries of a list (MessagePack: fixarray, array 16 and 32)."""
    if count < 16:
        return bytes([0x90 | count])
    if count < 1 << 16:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")


def read(encoded: bytes, posts: int) -> Fields:
    """Return what `posts` posts say that msgspec encoded as one list, 0.3 µs each."""
    library = native.library()
    if library is None:
        return _read_plainly(encoded)
    ends = np.empty((3, posts), np.int64)
    hashes, numbers = np.empty((6, posts), np.uint64), np.empty((2 + _COUNTS, posts), np.int64)
    has = np.empty(posts, np.uint8)
    texts, tags = np.empty(len(encoded), np.uint8), np.empty(2 * len(encoded), np.uint8)
    links, link_starts = np.empty(len(encoded), np.uint64), np.empty(posts + 1, np.int64)
    asides, aside_ends = np.empty(2 * len(encoded), np.uint8), np.empty(posts, np.int64)
    library.fw_fields(
        encoded,
        native.count(posts),
        *map(native.at, (ends[0], hashes, numbers, has, texts, ends[1], tags, ends[2])),
        *(native.at(each) for each in (links, link_starts, asides, aside_ends)),
    )
    id_, text, account, handle, lang, network = hashes
    return Fields(
        encoded,
        ends[0],
        id_,
        text,
        account,
        handle,
        lang,
        network,
        created_ms=numbers[0],
        seen_ms=numbers[1],
        counts=numbers[2:],
        has=has,
        texts=_packed(texts, ends[1]),
        tags=_packed(tags, ends[2]),
        links=links[: link_starts[-1]].copy(),
        link_starts=link_starts,
        asides=_packed(asides, aside_ends),
    )


class PostsIn(NamedTuple):
    """The posts that events say, each with one entry a post."""

    encoded: bytes
    """All of them, as one list."""
    ends: NDArray[np.int64]
    """The byte of `encoded` behind each post."""
    created_ms: NDArray[np.int64]
    seen_ms: NDArray[np.int64]
    edited: NDArray[np.bool_]


def posts_in(encoded: bytes, events: int) -> PostsIn | None:
    """Return the posts of events that msgspec encoded as one list, 0.2 µs each.

    None where an event says anything but a post.
    """
    library = native.library()
    if library is None:
        return _posts_in_plainly(encoded)
    out, ends = np.empty(len(encoded), np.uint8), np.empty(events, np.int64)
    moments, edited = np.empty((2, events), np.int64), np.empty(events, np.bool_)
    size_bytes = library.fw_posts_in(
        encoded, native.count(events), *(native.at(each) for each in (out, ends, moments, edited))
    )
    if size_bytes < 0:
        return None
    return PostsIn(out[:size_bytes].tobytes(), ends, moments[0], moments[1], edited)


def _posts_in_plainly(encoded: bytes) -> PostsIn | None:
    events = _parts(encoded)
    kinds = [msgspec.msgpack.decode(event["type"]) for event in events]
    if not set(kinds) <= {"posted", "edited"}:
        return None
    raws = [bytes(event["post"]) for event in events]
    posts = [_map(raw) for raw in raws]
    ends = list(accumulate(map(len, raws), initial=len(head(len(raws)))))[1:]
    return PostsIn(
        b"".join((head(len(raws)), *raws)),
        np.array(ends, np.int64),
        _numbers([post["created_ms"] for post in posts]),
        _numbers([post["seen_ms"] for post in posts]),
        np.array(kinds) == "edited",
    )


def _packed(blob: NDArray[np.uint8], ends: NDArray[np.int64]) -> Texts:
    return Texts(blob[: ends[-1] if len(ends) else 0].tobytes(), ends)


def _read_plainly(encoded: bytes) -> Fields:
    raws, posts = _raws(encoded), _maps(encoded)
    ends = np.array(list(accumulate(map(len, raws), initial=len(head(len(raws)))))[1:], np.int64)
    links = [post.get("links", ()) for post in posts]
    counts = [post.get("engagement", ()) for post in posts]
    return Fields(
        encoded,
        ends,
        id=_hashes([post["id"] for post in posts]),
        text=_hashes([post["text"] for post in posts]),
        account=_hashes([f"{post['network']}\n{post['author_id']}" for post in posts]),
        handle=_hashes([post["author"].removeprefix("@").translate(_LOWER) for post in posts]),
        lang=_hashes([post.get("lang") for post in posts]),
        network=_hashes([post["network"] for post in posts]),
        created_ms=_numbers([post["created_ms"] for post in posts]),
        seen_ms=_numbers([post["seen_ms"] for post in posts]),
        counts=_numbers([(*said, *[-1] * (_COUNTS - len(said))) for said in counts])
        .reshape(-1, _COUNTS)
        .T,
        has=np.array(list(map(_has, posts)), np.uint8),
        texts=pack([post["text"] for post in posts]),
        tags=pack([" ".join(f"#{tag}" for tag in post.get("hashtags", ())) for post in posts]),
        links=_hashes([link for each in links for link in each]),
        link_starts=np.array(list(accumulate(map(len, links), initial=0)), np.int64),
        asides=pack(list(map(_aside, posts))),
    )


def _aside(post: Mapping[str, Any]) -> str:
    names = ("links", "hashtags", "mentions", "reply_to")
    author = post["author"]
    if any(post.get(name) for name in names) or "$" in post["text"]:
        return ""
    return f"@{author} {author}" if _PLAIN_HANDLE.fullmatch(author) else ""


def _has(post: Mapping[str, Any]) -> int:
    bits = (LINKS, REPLY, REPOST, ACCOUNT)
    names = ("links", "reply_to", "repost_of", "author_id")
    found = sum(bit for bit, name in zip(bits, names, strict=True) if post.get(name))
    return found | (0 if post["author"].isascii() else ODD_HANDLE)


def _hashes(said: Sequence[str | None]) -> NDArray[np.uint64]:
    hashes = [0 if each is None else xxhash.xxh64_intdigest(each.encode()) for each in said]
    return np.array(hashes, np.uint64)


def _numbers(said: Sequence[Any]) -> NDArray[np.int64]:
    return np.array(np.minimum(np.array(said, object), 2**63 - 1), np.int64)
