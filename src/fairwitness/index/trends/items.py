"""What posts say, as the numbers that trends count: words, hashtags, links, copied texts.

A word is known by its hash alone; its letters are read again from a post that says it. In scripts
without spaces two neighbouring characters are a word, for one alone means too little.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from fairwitness.kernels import fields, letters, words
from fairwitness.kernels.fields import Fields
from fairwitness.kernels.trends import Items, mixed
from fairwitness.posts.post import Post

WORD, LINK, COPIES = range(3)
_KIND_MASK = np.uint64(3)
_TURN = np.uint64(0x9E3779B97F4A7C15)
_FILTER_BITS = 20


@dataclass(frozen=True)
class PostItems:
    """Some posts in the order in which they came. All arrays have one number a post, unless said.

    Items of post p are `words[word_starts[p] : word_starts[p + 1]]`, likewise for links. Hashes are
    of 64 bits, and any that is the same for the same thing will do.
    """

    ordinals: NDArray[np.int64]
    seen_ms: NDArray[np.int64]
    langs: NDArray[np.uint16]
    """Numbers of languages."""
    authors: NDArray[np.uint64]
    """Hashes of accounts; 0 when nobody knows whose post it is: then it speaks for itself."""
    copies: NDArray[np.uint64]
    """Clusters of posts with one text; 0 for a post that is no copy."""
    words: Items
    word_starts: NDArray[np.int64]
    links: Items
    link_starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ordinals)

    def part(self, at: NDArray[np.int64]) -> "PostItems":
        """Return some of the posts, in the order of `at`."""
        word_items, word_starts = _rows(self.words, self.word_starts, at)
        link_items, link_starts = _rows(self.links, self.link_starts, at)
        return replace(
            self,
            ordinals=self.ordinals[at],
            seen_ms=self.seen_ms[at],
            langs=self.langs[at],
            authors=self.authors[at],
            copies=self.copies[at],
            words=word_items,
            word_starts=word_starts,
            links=link_items,
            link_starts=link_starts,
        )


def items_in(
    posts: Sequence[Post],
    first_ordinal: int,
    lang_number: Callable[[str], int],
    copies: NDArray[np.uint64] | None = None,
) -> PostItems:
    """Return what posts say; their ordinals follow one another."""
    try:
        encoded = msgspec.msgpack.encode(posts)
    except UnicodeEncodeError:
        encoded = msgspec.msgpack.encode(list(map(_writable, posts)))
    said = fields.read(encoded, len(posts))
    langs = np.array([lang_number(post.lang) for post in posts], np.uint16)
    if copies is None:
        copies = np.zeros(len(posts), np.uint64)
    return items_of(said, words.of_texts(said.texts), first_ordinal, langs, copies)


def items_of(
    said: Fields,
    told: words.Words,
    first_ordinal: int,
    langs: NDArray[np.uint16],
    copies: NDArray[np.uint64],
) -> PostItems:
    """Return what posts say of which fields and words were read."""
    word_items, word_starts = in_pairs(told.hashes, told.starts)
    if said.tags.blob:
        tags = words.of_asides(said.tags)
        word_items, word_starts = _woven(word_items, word_starts, tags.hashes, tags.starts)
    return PostItems(
        ordinals=np.arange(first_ordinal, first_ordinal + len(said), dtype=np.int64),
        seen_ms=said.seen_ms,
        langs=langs,
        authors=np.where(said.has & fields.ACCOUNT, said.account, np.uint64(0)),
        copies=copies,
        words=word_items,
        word_starts=word_starts,
        links=said.links,
        link_starts=said.link_starts,
    )


def names_of(post: Post) -> dict[int, str]:
    """Return the names of all items of a post: words, hashtags with their sign, links."""
    tokens = words.of_texts([post.text]).joined[0].split(" ")
    tags = words.of_asides([" ".join(f"#{tag}" for tag in post.hashtags)]).joined[0].split(" ")
    names = {}
    for name, hashed in (*_named(tokens), *((tag, _hash(tag)) for tag in tags)):
        if name:
            names[item_of(hashed, WORD)] = name
    return names | {item_of(_hash(link), LINK): link for link in post.links}


def item_of(hashed: int, kind: int) -> int:
    """Return the item of a hash; its lowest bits are its kind."""
    return hashed & ~3 | kind


def as_items(hashes: NDArray[np.uint64], kind: int) -> Items:
    """Return the items of hashes."""
    return (hashes & ~_KIND_MASK) | np.uint64(kind)


def in_pairs(hashes: Items, starts: NDArray[np.int64]) -> tuple[Items, NDArray[np.int64]]:
    """Put a pair in the place of neighbouring characters of unspaced scripts; (hashes, starts)."""
    unspaced = _is_unspaced(hashes)
    if not unspaced.any():
        return hashes, starts
    follows = np.zeros(len(hashes), bool)
    follows[1:] = unspaced[1:] & unspaced[:-1]
    begins = starts[:-1][starts[:-1] < len(hashes)]
    follows[begins] = False
    paired = hashes.copy()
    paired[1:][follows[1:]] = _pair(hashes[:-1][follows[1:]], hashes[1:][follows[1:]])
    kept = ~unspaced | follows
    return paired[kept], np.concatenate(([0], np.cumsum(kept)))[starts]


def _named(tokens: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield each word of a text and its hash, as `in_pairs` has it."""
    hashed = np.array([_hash(token) for token in tokens], np.uint64)
    unspaced = _is_unspaced(hashed).tolist()
    for token, hash_of, alone in zip(tokens, hashed.tolist(), unspaced, strict=True):
        if not alone:
            yield token, hash_of
    both = _pair(hashed[:-1], hashed[1:]).tolist()
    for (one, other), hash_of, (is_one, is_other) in zip(
        pairwise(tokens), both, pairwise(unspaced), strict=True
    ):
        if is_one and is_other:
            yield one + other, hash_of


def _pair(one: Items, other: Items) -> Items:
    return mixed(one * _TURN + other)


def _is_unspaced(hashes: Items) -> NDArray[np.bool_]:
    """Return which hashes are of one character of an unspaced script."""
    table, hashes_known = _unspaced()
    found: NDArray[np.bool_] = table[hashes >> np.uint64(64 - _FILTER_BITS)]
    perhaps = np.flatnonzero(found)
    at = np.searchsorted(hashes_known, hashes[perhaps])
    found[perhaps] = hashes_known[np.minimum(at, len(hashes_known) - 1)] == hashes[perhaps]
    return found


@functools.cache
def _unspaced() -> tuple[NDArray[np.bool_], Items]:
    """Return a quick table of first bits, and the hashes of all such characters, ascending."""
    ranges = letters.ranges_of("unspaced")
    folds = letters.folds()
    chars = {chr(point) for first, last in ranges for point in range(first, last + 1)}
    hashes = np.array(sorted({_hash(folds.get(char, char)) for char in chars}), np.uint64)
    table = np.zeros(1 << _FILTER_BITS, bool)
    table[hashes >> np.uint64(64 - _FILTER_BITS)] = True
    return table, hashes


def _hash(text: str) -> int:
    """Return the hash that the kernel of words makes of a token."""
    return xxhash.xxh64_intdigest(text.encode("utf-8", "replace"))


def _writable(post: Post) -> Post:
    text = post.text.encode("utf-8", "replace").decode()
    return msgspec.structs.replace(post, text=text)


def _rows(
    items: Items, starts: NDArray[np.int64], at: NDArray[np.int64]
) -> tuple[Items, NDArray[np.int64]]:
    """Return the items of some rows, and where each begins."""
    sizes = (starts[1:] - starts[:-1])[at]
    new_starts = np.concatenate(([0], np.cumsum(sizes)))
    places = np.arange(new_starts[-1]) + np.repeat(starts[:-1][at] - new_starts[:-1], sizes)
    return items[places], new_starts


def _woven(
    one: Items, one_starts: NDArray[np.int64], other: Items, other_starts: NDArray[np.int64]
) -> tuple[Items, NDArray[np.int64]]:
    """Return the items of both, those of each post together."""
    woven = np.empty(len(one) + len(other), np.uint64)
    # Before an item come those of its own kind, and the others of earlier posts or up to its own.
    before_one = np.repeat(other_starts[:-1], np.diff(one_starts))
    before_other = np.repeat(one_starts[1:], np.diff(other_starts))
    woven[np.arange(len(one)) + before_one] = one
    woven[np.arange(len(other)) + before_other] = other
    return woven, one_starts + other_starts
