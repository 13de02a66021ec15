"""Who saw it: copies of one statement count as one witness.

Five hundred reposts are one witness, and so are one author's ten posts, or ten accounts that pass
on one link. What remains after folding those is the number of independent origins.

Accounts that flood are one witness together: nobody says more than one thing in two seconds by
hand, and whether ten machines have one owner cannot be seen. They are not left out, for a machine
may be the first to tell of an earthquake. A feed is no such account: it is read many posts at once.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from fairwitness.answers import words
from fairwitness.answers.passing import passed_on
from fairwitness.answers.quote import Span
from fairwitness.index import Hit
from fairwitness.posts.post import Post

Account = tuple[str, str]
"""Network, and what the network knows the account by."""

FEEDS = frozenset({"rss", "news"})
"""Networks on which outlets speak, many posts at once."""

_NOISE = re.compile(r"https?://\S+|\bhttp\S*$|\bRT\s+@?[\w.]+\s*:?|@\w+|…|\.\.\.")

SAME = 0.7
"""Share of words in common from which two statements are copies."""

_LONG = 8
"""Words from which a statement that another contains whole is a copy of it."""

_BAND = 3  # rarest words that copies must share at least one of, to be compared at all


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose a span is. Spans with one number are one."""

    statement: int
    """Copies and reposts of one text, and what passes on one link."""
    witness: int
    """All statements of one author, and all copies of them."""


def account_of(post: Post) -> Account:
    """Return whose post it is."""
    return post.network, post.author_id


def flooding(hits: Iterable[Hit]) -> frozenset[Account]:
    """Return the accounts that flooded when one of `hits` came."""
    posts = (hit.post for hit in hits if hit.floods)
    return frozenset(account_of(p) for p in posts if p.author_id and p.network not in FEEDS)


def origins(spans: Sequence[Span], floods: Set[Account] = frozenset()) -> list[Origin]:
    """Return the origin of each span; the accounts that flood are one witness together."""
    bags = [_bag(span.text) for span in spans]
    statements, witnesses = _Groups(len(spans)), _Groups(len(spans))
    for at, span in enumerate(spans):
        for key in _same_statement(span, bags[at]):
            statements.join(at, key)
            witnesses.join(at, key)
        for key in _same_author(span):
            witnesses.join(at, key)
        if account_of(span.post) in floods:
            witnesses.join(at, "flood")
    for one, other in _look_alike(bags):
        if statements.root(one) != statements.root(other) and _alike(bags[one], bags[other]):
            statements.unite(one, other)
            witnesses.unite(one, other)
    return [Origin(statements.root(at), witnesses.root(at)) for at in range(len(spans))]


class _Groups:
    """Disjoint sets of places (union by lowest, path halving), joined by keys that they share."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))
        self._holder: dict[Hashable, int] = {}

    def root(self, at: int) -> int:
        while self._parent[at] != at:
            self._parent[at] = self._parent[self._parent[at]]
            at = self._parent[at]
        return at

    def unite(self, one: int, other: int) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        self._parent[second] = first

    def join(self, at: int, key: Hashable) -> None:
        self.unite(at, self._holder.setdefault(key, at))


def _same_statement(span: Span, bag: frozenset[str]) -> list[Hashable]:
    post = span.post
    keys: list[Hashable] = [("post", post.id)]
    if bag:
        keys.append(("words", bag))
    if post.repost_of:
        keys.append(("post", post.repost_of))
    return keys + [("link", link) for link in post.links]


def _same_author(span: Span) -> list[Hashable]:
    post = span.post
    keys: list[Hashable] = [("name", words.fold(name)) for name in passed_on(post.text)]
    if post.author_id:
        keys.append(("author", post.network, post.author_id))
        keys.append(("name", words.fold(post.author)))
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
        pairs.update(pairwise(held))
    return sorted(pairs)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    if min(len(one), len(other)) < 4:
        return one == other
    common = len(one & other)
    # A truncated repost is contained in its original; a short statement is contained in many.
    cut_short = min(len(one), len(other))
    contained = cut_short >= _LONG and common >= 0.9 * cut_short
    return contained or common >= SAME * len(one | other)
