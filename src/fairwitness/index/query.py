"""What one asks the index, and what it says back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec

from fairwitness.posts.post import FOREVER_MS, Post

Kind = Literal[
    "word", "phrase", "to", "site",
    "from", "lang", "network", "link", "reply", "repost", "flood",
    "likes", "reposts", "replies", "quality", "since",
]  # fmt: skip
SAID: frozenset[Kind] = frozenset(("word", "phrase", "to", "site"))
"""Kinds that words decide; columns decide the others."""


class Condition(msgspec.Struct, frozen=True):
    """One thing that holds of a post or does not.

    - `word`: its text or what stands beside it (handles, tags, links) has the word; `#tag`,
      `@handle` and `$TAG` are asked for as such. Several tokens (`state-of-the-art`, `津波`)
      must stand together in the text, or all of them beside it.
    - `phrase`: its text has these words one after the other, a lone `*` for any one word.
    - `to`: it speaks to a handle. `site`: it links to a host, or to one below it.
    - `from`: a handle in any case, with or without @, or an account id exactly.
    - `lang`, `network`: exactly. `link`, `reply`, `repost`: it has a link, answers, repeats.
    - `flood`: its account or its text came too often. `quality`: it is worth `value` of 255.
    - `likes`, `reposts`, `replies`: at least `value`, as known at the moment of the search.
    - `since`: its time is `value`, Unix milliseconds, or later.
    """

    kind: Kind
    value: str | int = ""
    negated: bool = False


Clause = tuple[Condition, ...]


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which posts, in which order. All filters must hold; within one filter any value will do.

    A post's time, for the window and for recency, is when it was made or when it was first seen,
    whichever came first: a claimed time in the future counts as the moment of seeing.
    """

    words: str = ""
    """Any of them finds a post, more and rarer ones rank it higher. Blank: all posts, newest first.
    Text that holds no word at all (`?!`) finds nothing. With phrases, or clauses that ask for
    something said, `words` only rank."""
    meaning: str = ""
    """What is asked, as one would say it. Posts that mean alike are found too, in whatever words
    and language, unless phrases or clauses demand words; all that is found is ranked by it."""
    phrases: tuple[str, ...] = ()
    """Each must stand in the text word for word."""
    clauses: tuple[Clause, ...] = ()
    """Of each clause, one condition or more must hold."""
    since_ms: int = -FOREVER_MS
    until_ms: int = FOREVER_MS
    """The window is `since_ms <= time < until_ms`, Unix milliseconds."""
    langs: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    """Handles, in any case, with or without @; or account ids exactly."""


def clauses_of(query: Query) -> tuple[Clause, ...]:
    """Return all filters of a query as clauses."""
    listed: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("lang", query.langs),
        ("network", query.networks),
        ("from", query.authors),
    )
    clauses = [tuple(Condition(kind, value) for value in values) for kind, values in listed]
    if query.since_ms > -FOREVER_MS:
        clauses.append((Condition("since", query.since_ms),))
    if query.until_ms < FOREVER_MS:
        clauses.append((Condition("since", query.until_ms, negated=True),))
    return (*filter(None, clauses), *query.clauses)


def is_said(clause: Clause) -> bool:
    """Whether words alone decide a clause."""
    return all(condition.kind in SAID for condition in clause)


def asks_for_words(clause: Clause) -> bool:
    """Whether a post can satisfy a clause by something that it says."""
    return any(condition.kind in SAID and not condition.negated for condition in clause)


def demands_words(clause: Clause) -> bool:
    """Whether a post can satisfy a clause by nothing but something that it says."""
    return all(condition.kind in SAID and not condition.negated for condition in clause)


def relaxed(query: Query) -> Query | None:
    """Return the query that any of its plain words satisfies, all else as before; None without any.

    Plain is a word that must hold by itself and has no sign: what is in quotes, in an OR or behind
    a minus was meant as it stands.
    """
    kept = tuple(clause for clause in query.clauses if not _is_plain_word(clause))
    return msgspec.structs.replace(query, clauses=kept) if len(kept) < len(query.clauses) else None


def _is_plain_word(clause: Clause) -> bool:
    only = clause[0]
    plain = only.kind == "word" and not str(only.value).startswith(("#", "@", "$"))
    return plain and len(clause) == 1 and not only.negated


class Parts(NamedTuple):
    """A hit's score taken apart; the score is the sum."""

    words: float
    recency: float
    engagement: float
    trust: float = 0.0
    """What the post's quality adds, its author's and network's past in it (`floods.py`)."""
    meaning: float = 0.0


class Hit(NamedTuple):
    """A post that was found. `post.engagement` is what was known at the moment of the search."""

    post: Post
    score: float
    parts: Parts
    cluster: int = -1
    """Posts that say the same share it; in one index, not between indexes."""
    words: float = 0.0
    """What its words are worth by themselves, also where meaning was asked for."""
    floods: bool = False
    """Whether its account said too much when it came (`floods.py`)."""


def all_or_any(search: Callable[[Query], "Results"], query: Query) -> tuple["Results", bool]:
    """Search for posts that hold all of a query; when none does, for any of its plain words.

    Returns the results, and whether they hold all.
    """
    results = search(query)
    wider = None if results.hits else relaxed(query)
    return (results, True) if wider is None else (search(wider), False)


class Lag(NamedTuple):
    """A shard of which results may miss something."""

    shard: int
    answered: bool
    fresh_ms: int
    """It holds what was acknowledged before this moment; 0 when it never said. Of a shard that did
    not answer nothing was found at all, and this is how fresh it was when it last did."""


class Coverage(NamedTuple):
    """How much of the index results stand for. One that is whole in itself is one shard."""

    answered: int = 1
    shards: int = 1
    lags: tuple[Lag, ...] = ()
    """Shards that did not answer, and those that answered but are behind."""

    @property
    def complete(self) -> bool:
        """Whether all shards answered, and with all that was acknowledged."""
        return self.answered == self.shards and not self.lags


class Results(NamedTuple):
    """Hits, best first."""

    hits: tuple[Hit, ...]
    matched: int
    """How many posts matched and were ranked; there may be more that matched words less well."""
    searched: int
    """How many posts the filters and the moment allowed."""
    newest_ms: int = 0
    """The time that age is counted from: that of the newest post that was ranked, 0 if none was."""
    coverage: Coverage = Coverage()
    best_words: float = 0.0
    """What the best of what was ranked is worth by words."""


@dataclass(frozen=True)
class Applied:
    """What a batch of events did."""

    posted: int = 0
    edited: int = 0
    deleted: int = 0
    """Posts that went, by their own deletion or with their account."""
    reported: int = 0
    """New engagement of posts that were known."""
    nothing: int = 0


@dataclass(frozen=True)
class IndexStats:
    """How much the index holds. Times are Unix milliseconds, 0 when there is no post."""

    posts: int
    """Posts that a search could show now."""
    versions: int
    """Rows: every version of every post, deleted ones too."""
    slices: int
    newest_seen_ms: int
    oldest_seen_ms: int
    size_bytes: int
    """On disk."""
    networks: dict[str, int]
    """Visible posts of each network."""
    copies: int
    """Visible posts that say what another said before, reposts left out."""
    author_floods: int
    """Visible posts of accounts that said too much when they came."""
    copy_floods: int
    """Visible posts whose text came too often when they came."""
    low_quality: int
    """Visible posts that are worth little (`floods.py`)."""
