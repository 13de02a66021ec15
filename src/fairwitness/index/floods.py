"""Who speaks too much, and how much a post is worth reading: flags and a score, never a reason to
drop anything.

The score begins at 255, and each thing that speaks against a post takes a stated number away, so
that anyone can say why a post has the score it has. Both come from counts that were made anyway.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.copies import Copies
from fairwitness.kernels import means, rates
from fairwitness.kernels.copies import EXACT, NEAR, Seen
from fairwitness.kernels.statements import Mark

AUTHOR_FLOOD = 1
"""Flag: the account says more than AUTHOR_POSTS_PER_MINUTE, reposts included."""
CLUSTER_FLOOD = 2
"""Flag: a text comes more than CLUSTER_POSTS_PER_MINUTE times; reposts of it do not count."""

AUTHOR_POSTS_PER_MINUTE = 30
CLUSTER_POSTS_PER_MINUTE = 60
LOW_QUALITY = 128
"""A score below this is counted as low."""

_PERFECT = 255
_AUTHOR_WINDOW = 16
"""Posts over which an author's worth is told: it takes a dozen poor ones to be thought poor."""
_SOURCE_WINDOW = 4_096


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What is thought of a batch of posts; each array has the shape (posts,)."""

    flags: NDArray[np.uint8]
    """AUTHOR_FLOOD | CLUSTER_FLOOD."""
    quality: NDArray[np.uint8]
    """0 to 255, see `quality` and `with_priors`."""


def judge(
    copies: Copies,
    seen: Seen,
    author: NDArray[np.uint64],
    seen_ms: NDArray[np.int64],
    source: NDArray[np.uint64],
) -> Judged:
    """Return flags and quality of a batch that `copies` has just seen, and count its posts.

    `author` and `source` are numbers of the account and of its network, none of them 0.
    """
    author_posts = rates.count(copies.authors, author, seen_ms, AUTHOR_POSTS_PER_MINUTE)
    # Hashes of clusters, so that cluster 0 is not "none"; reposts of a post are no flood.
    is_copy = (seen.how == EXACT) | (seen.how == NEAR)
    keys = np.where(is_copy, seen.cluster.astype(np.uint64) + np.uint64(1), np.uint64(0))
    cluster_posts = rates.count(copies.clusters, keys, seen_ms, CLUSTER_POSTS_PER_MINUTE)
    flags = np.zeros(len(author), np.uint8)
    flags[author_posts > AUTHOR_POSTS_PER_MINUTE] |= AUTHOR_FLOOD
    flags[cluster_posts > CLUSTER_POSTS_PER_MINUTE] |= CLUSTER_FLOOD
    alone = quality(seen.marks, is_copy, author_posts, cluster_posts)
    authors = means.before(copies.authors_worth, author, alone, _AUTHOR_WINDOW)
    sources = means.before(copies.sources_worth, source, alone, _SOURCE_WINDOW)
    return Judged(flags, with_priors(alone, authors, sources))


def with_priors(
    alone: NDArray[np.uint8], author: NDArray[np.uint8], source: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return what posts are worth given what they are `alone`, and what came before.

    Up to 40 less where what the author said before was worth less than LOW_QUALITY on average, and
    up to 20 where what came from the network was. Who is new has nothing against him.
    """
    lost = 40 * np.maximum(1 - author / LOW_QUALITY, 0)
    lost += 20 * np.maximum(1 - source / LOW_QUALITY, 0)
    left: NDArray[np.uint8] = np.maximum(alone - lost, 0).astype(np.uint8)
    return left


def quality(
    marks: NDArray[np.uint16],
    is_copy: NDArray[np.bool_],
    author_posts: NDArray[np.uint16],
    cluster_posts: NDArray[np.uint16],
) -> NDArray[np.uint8]:
    """Return what posts are worth by themselves, 255 less, and never below 0:

    - 120 for a text without a letter: emoji, numbers or links alone;
    - 10 for each word (or pair of Han letters) that it has less than 6 different ones;
    - up to 80 for signs: 16 for each tenth that letters are less than half of it, links aside;
    - 20 for each link, hashtag and mention over 3 and one more for each 8 words; at most 140;
    - 30 for shouting: more than 12 letters, and 6 of 10 of them capitals;
    - up to 100 for repeating itself: 8 words or more, fewer than half of them different;
    - up to 80 for its author's haste: all of it at AUTHOR_POSTS_PER_MINUTE;
    - 20 for a copy that is no repost, and up to 60 for its cluster's haste, likewise.
    """
    counts = marks.T.astype(np.float32, order="C")
    points, letters, capitals = counts[Mark.POINTS], counts[Mark.LETTERS], counts[Mark.CAPITALS]
    words, units = counts[Mark.WORDS], counts[Mark.UNITS]
    tags = counts[Mark.LINKS] + counts[Mark.HASHTAGS] + counts[Mark.MENTIONS]
    lost = np.float32(120) * (letters == 0)
    lost += 10 * np.maximum(6 - units, 0)
    lost += 160 * np.maximum(0.5 - letters / np.maximum(points, 1), 0)
    lost += 20 * np.clip(tags - 3 - words // 8, 0, 7)
    lost += 30 * ((letters > 12) & (capitals > 0.6 * letters))
    lost += 100 * np.maximum(1 - 2 * units / np.maximum(words, 1), 0) * (words >= 8)
    lost += 80 * np.minimum((author_posts - (author_posts > 0)) / AUTHOR_POSTS_PER_MINUTE, 1)
    lost += 20 * is_copy
    lost += 60 * np.minimum(cluster_posts / CLUSTER_POSTS_PER_MINUTE, 1)
    score: NDArray[np.uint8] = np.clip(_PERFECT - lost, 0, _PERFECT).astype(np.uint8)
    return score
