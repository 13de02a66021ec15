"""The columns of a slice: what is known of each row, a number a name.

A row is one version of one post. `Columns` are written once, when the row is added. `Marks` may
change for any row, and point to `Changes` for the few to which more happened: edits, engagement,
an account that went.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.mapped import Fields, Mapped
from fairwitness.kernels import masks
from fairwitness.kernels.hamming import CODE_BYTES

GONE = 1
"""Flag: deleted, by itself or with its account. Honoured for every moment, the past too."""
WIPED = 2
"""Flag: gone, and its text is physically destroyed."""
WITH_ACCOUNT = 4
"""Flag: gone only because its account is; an account that returns may say the post again."""
LINKED = 8
"""Flag: the post has a link."""
REPLY = 16
"""Flag: the post answers another."""
REPOST = 32
"""Flag: the post repeats another whole."""
SUPERSEDED = 64
"""Flag: a later version took its place; its change says which and when."""
LATER = 128
"""Flag: not the first row with its id hash; its change says which was before it."""
COUNTED = 256
"""Flag: its change has its engagement; of the others the stored post tells, and it is none."""
AUTHOR_FLOODS = 512
"""Flag: its account said too much when it came (`floods.py`)."""
COPIES_FLOOD = 1024
"""Flag: its text came too often when it came."""

COUNT_MAX = 2**31 - 2
"""The most likes, reposts or replies that a column can say."""


Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Columns(Mapped):
    """What a row is, while a slice grows; when it is sealed they are frozen (`frozen.py`)."""

    FIELDS: ClassVar[Fields] = {
        "id_hash": np.uint64,
        "since_ms": np.int64,
        "made_ms": np.int64,
        "text_hash": np.uint32,
        "author": np.uint32,
        "handle": np.uint32,
        "cluster": np.uint32,
        "lang": np.uint16,
        "network": np.uint16,
        "quality": np.uint8,
    }

    id_hash: NDArray[np.uint64]
    since_ms: NDArray[np.int64]
    """When we saw this version."""
    made_ms: NDArray[np.int64]
    """The post's time: as claimed, but not after we first saw it."""
    text_hash: NDArray[np.uint32]
    """By which a post's versions are told apart."""
    author: NDArray[np.uint32]
    """Hash of the network and the account id. Two accounts may share one: ask the post."""
    handle: NDArray[np.uint32]
    """Hash of the handle, case folded; may be shared too."""
    cluster: NDArray[np.uint32]
    """Ordinal of the first post that said the same."""
    lang: NDArray[np.uint16]
    network: NDArray[np.uint16]
    quality: NDArray[np.uint8]

    def seen_until(self, moment_ms: int, rows: Rows | slice) -> Mask:
        """Return which of `rows` we had seen at a moment."""
        return self.since_ms[rows] <= moment_ms

    def latest_seen_ms(self, rows: int) -> int:
        """Return when the last of the first rows was seen, 0 for none."""
        return int(self.since_ms[:rows].max(initial=0))

    def keep_made_from(self, kept: Mask, moment_ms: int, *, negated: bool) -> int:
        """Keep of the first rows those made at a moment or later, or not; return how many."""
        return masks.keep_from(kept, self.made_ms[: len(kept)], moment_ms, negated=negated)

    def keep_lang(self, kept: Mask, langs: Sequence[int], *, negated: bool) -> int:
        """Keep of the first rows those in some languages, or in none; return how many."""
        return masks.keep_among(kept, self.lang[: len(kept)], langs, negated=negated)

    def keep_network(self, kept: Mask, networks: Sequence[int], *, negated: bool) -> int:
        """Keep of the first rows those of some networks, or of none; return how many."""
        return masks.keep_among(kept, self.network[: len(kept)], networks, negated=negated)


class Codes(Mapped):
    """What rows mean, in 256 bits, while a slice grows; 0 is nothing. Sealed slices sort them."""

    FIELDS: ClassVar[Fields] = {"code": np.dtype((np.uint8, CODE_BYTES)), "list": np.uint16}

    code: NDArray[np.uint8]
    """Shape (rows, CODE_BYTES)."""
    list: NDArray[np.uint16]
    """Which list each is in (`codes.py`)."""


class Marks(Mapped):
    """What may change of any row."""

    FIELDS: ClassVar[Fields] = {"change": np.uint32, "flags": np.uint16}

    change: NDArray[np.uint32]
    """1 + number of its change, 0 while there is none."""
    flags: NDArray[np.uint16]


class Changes(Mapped):
    """What happened to some rows, in the order in which it first did; 0 is none."""

    FIELDS: ClassVar[Fields] = {
        "until_ms": np.int64,
        "gone_ms": np.int64,
        "counted_ms": np.int64,
        "views": np.int64,
        "row": np.uint32,
        "next": np.uint32,
        "prev": np.uint32,
        "report": np.uint32,
        "likes": np.uint32,
        "reposts": np.uint32,
        "replies": np.uint32,
    }

    until_ms: NDArray[np.int64]
    """When a later version took its place."""
    gone_ms: NDArray[np.int64]
    """When its account went."""
    counted_ms: NDArray[np.int64]
    """When its engagement was last counted."""
    views: NDArray[np.int64]
    """1 + the count, as are likes, reposts and replies."""
    row: NDArray[np.uint32]
    next: NDArray[np.uint32]
    """1 + ordinal of the version that took its place."""
    prev: NDArray[np.uint32]
    """1 + ordinal of the row before it with the same id hash."""
    report: NDArray[np.uint32]
    """1 + number of its newest engagement report in the file of reports."""
    likes: NDArray[np.uint32]
    reposts: NDArray[np.uint32]
    replies: NDArray[np.uint32]
