"""Posts as the columns of the rows that will hold them."""

from collections.abc import Sequence

import numpy as np
import xxhash

from fairwitness.index.changes import author_hash, text_hash
from fairwitness.index.columns import LINKED, REPLY, REPOST
from fairwitness.index.names import Names
from fairwitness.index.slice import NewRows
from fairwitness.kernels.hamming import CODE_BYTES
from fairwitness.posts.post import FOREVER_MS, Post

_LOW_32 = 0xFFFF_FFFF


def handle_hash(handle: str) -> int:
    """Return the hash of a handle in any case, with or without @; 32 bits."""
    folded = handle.removeprefix("@").casefold()
    return xxhash.xxh3_64_intdigest(folded.encode("utf-8", "surrogatepass")) & _LOW_32


def rows_of(
    posts: Sequence[Post], id_hashes: Sequence[int], networks: Names, langs: Names
) -> NewRows:
    """Return the rows of new posts, each the first version of its post."""
    since_ms = np.array([post.seen_ms for post in posts], np.int64)
    created_ms = np.array([post.created_ms for post in posts], np.int64)
    return NewRows(
        id_hash=np.array(id_hashes, np.uint64),
        since_ms=since_ms,
        made_ms=np.maximum(np.minimum(created_ms, since_ms), -FOREVER_MS),
        text_hash=np.array([text_hash(post) for post in posts], np.uint32),
        author=np.array([author_hash(post.network, post.author_id) for post in posts], np.uint32),
        handle=np.array([handle_hash(post.author) for post in posts], np.uint32),
        cluster=np.zeros(len(posts), np.uint32),
        lang=np.array([langs.number(post.lang) for post in posts], np.uint16),
        network=np.array([networks.number(post.network) for post in posts], np.uint16),
        quality=np.zeros(len(posts), np.uint8),
        flags=np.array([_flags(post) for post in posts], np.uint16),
        code=np.zeros((len(posts), CODE_BYTES), np.uint8),
    )


def _flags(post: Post) -> int:
    return (
        (LINKED if post.links else 0)
        | (REPLY if post.reply_to else 0)
        | (REPOST if post.repost_of else 0)
    )
