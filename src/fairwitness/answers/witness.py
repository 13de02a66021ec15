"""Who saw it: copies of one statement count as one witness.

Five hundred reposts are one witness, and so are one author's ten posts, or ten accounts that pass on
one link. What remains after folding those together is the number of independent origins.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence

from fairwitness.answers import words
from fairwitness.answers.quote import Span

_NOISE = re.compile(r"https?://\S+|\bhttp\S*$|\bRT\s+@?[\w.]+\s*:?|@\w+|…|\.\.\.")
_REPEATS = re.compile(r"\bRT\s+@?([\w.]+)|\bvia\s+@(\w+)|\bMT\s+@(\w+)", re.IGNORECASE)

SAME = 0.7
"""Share of words in common from which two statements are copies."""

_BAND = 3  # rarest words that copies must share at least one of, to be compared at all


def clusters(spans: Sequence[Span]) -> list[int]:
    """Return for each span the number of its witness; equal numbers are one origin."""
    parent = list(range(len(spans)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    def join(one: int, other: int) -> None:
        first, second = sorted((root(one), root(other)))
        parent[second] = first

    seen: dict[Hashable, int] = {}
    bags = [_bag(span.text) for span in spans]
    for at, span in enumerate(spans):
        for key in _same_origin(span, bags[at]):
            join(at, seen.setdefault(key, at))
    for one, other in _look_alike(bags):
        if root(one) != root(other) and _alike(bags[one], bags[other]):
            join(one, other)
    return [root(at) for at in range(len(spans))]


def _same_origin(span: Span, bag: frozenset[str]) -> list[Hashable]:
    post = span.post
    keys: list[Hashable] = [("words", bag)] if bag else []
    if post.author_id:
        keys.append(("author", post.network, post.author_id))
        keys.append(("name", words.fold(post.author)))
    for groups in _REPEATS.findall(post.text):
        keys.append(("name", words.fold(next(filter(None, groups)))))
    if post.repost_of:
        keys += [("post", post.repost_of)]
    keys.append(("post", post.id))
    keys += [("link", link) for link in post.links]
    return keys


def _bag(text: str) -> frozenset[str]:
    return words.stems(_NOISE.sub(" ", text))


def _look_alike(bags: Sequence[frozenset[str]]) -> list[tuple[int, int]]:
    """Return pairs that share one of their rarest words: the only ones worth comparing."""
    count: dict[str, int] = defaultdict(int)
    for bag in bags:
        for word in bag:
            count[word] += 1
    holders: dict[str, list[int]] = defaultdict(list)
    for at, bag in enumerate(bags):
        shared = sorted((w for w in bag if count[w] > 1), key=lambda w: (count[w], w))
        for word in shared[:_BAND]:
            holders[word].append(at)
    pairs: set[tuple[int, int]] = set()
    for held in holders.values():
        pairs.update((held[0], other) for other in held[1:])
        pairs.update(zip(held, held[1:], strict=False))
    return sorted(pairs)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    if min(len(one), len(other)) < 4:
        return one == other
    common = len(one & other)
    # Truncated reposts are contained in the original; so the smaller one is the measure when long.
    return common / len(one | other) >= SAME or common / min(len(one), len(other)) >= 0.9
