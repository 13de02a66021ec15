"""Ask the index for posts that may answer, and for how rare each word of the question is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairwitness.answers import words
from fairwitness.answers.senses import DENIALS
from fairwitness.answers.understand import Asked, Term
from fairwitness.answers.weigh import rarity
from fairwitness.index import Condition, Hit, LiveIndex, Query
from fairwitness.posts.post import Post

CANDIDATES = 300
"""Posts that are read closely; a question's answer is rarely said by fewer than one in these."""

REPLIES = 200
"""Answers to the authors of what is quoted that are looked at."""

READ_CHARS = 300_000
"""Characters that are read closely: all candidates where they are posts, the best thirty where they
are pages of news."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Posts that may answer, best first."""

    hits: tuple[Hit, ...]
    searched: int
    """Posts that were visible in the question's window."""
    weights: Mapping[Term, float]
    """How much each term tells: rare ones more."""


def retrieve(index: LiveIndex, asked: Asked, as_of_ms: int) -> Retrieved:
    """Search for all words of the question and for their other forms and senses."""
    results = index.search(query_of(asked), as_of_ms=as_of_ms, limit=CANDIDATES)
    holding = {term: sum(index.frequencies(_distinct(term))) for term in asked.terms}
    seams = _seams(holding)
    weights = {
        term: rarity(index.versions, count) for term, count in holding.items() if term not in seams
    }
    return Retrieved(_within_reach(results.hits), results.searched, weights)


def _seams(holding: Mapping[Term, int]) -> set[Term]:
    """Return the pairs of an unspaced script that no post holds, between two that posts hold.

    The end of one word and the beginning of the next: not a rare word.
    """
    known = [term.shown for term, count in holding.items() if count]
    begun, ended = {word[0] for word in known}, {word[-1] for word in known}
    return {
        term
        for term, count in holding.items()
        if not count
        and words.is_unspaced(term.shown)
        and term.shown[0] in ended
        and term.shown[-1] in begun
    }


def query_of(asked: Asked) -> Query:
    """Return the search for all words of the question, in its window."""
    return Query(
        words=" ".join(word for term in asked.terms for word in term.search),
        since_ms=asked.window.since_ms,
        until_ms=asked.window.until_ms,
        authors=asked.speakers,
    )


def replies(index: LiveIndex, posts: Sequence[Post], as_of_ms: int) -> list[Hit]:
    """Return what was answered to `posts`, those that deny first.

    The index knows to whom a post speaks, not to which post: the search is for whoever speaks to
    one of the authors, and what answers something else is left out.
    """
    spoken_to = {name for post in posts for name in (post.author, post.author_id) if name}
    query = Query(
        words=" ".join(DENIALS),
        clauses=(tuple(Condition("to", name) for name in sorted(spoken_to)), (Condition("reply"),)),
        since_ms=min(min(post.created_ms, post.seen_ms) for post in posts),
    )
    threads = {post.id for post in posts}
    hits = index.search(query, as_of_ms=as_of_ms, limit=REPLIES).hits
    return [hit for hit in hits if {hit.post.reply_to, hit.post.thread} & threads]


def _within_reach(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Return the best of `hits` that can be read in the time that a question has."""
    left = READ_CHARS
    for count, hit in enumerate(hits):
        left -= len(hit.post.text)
        if left < 0:
            return tuple(hits[: max(count, 1)])
    return tuple(hits)


def _distinct(term: Term) -> list[str]:
    return list(dict.fromkeys(word.lower() for word in term.search))
