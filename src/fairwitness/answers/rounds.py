"""Search in rounds until what is found suffices, no way of looking is left, or enough was read.

First by all words; most questions end there. Where half of what is read says one thing in the same
words, what does not say it is read too: ten thousand copies must not hide two witnesses. Where more
matched than is read, narrower: posts that name all that the question names. Then wider: by what the
question means. Last, the conversations of what was found: what replies answer, and what those began
with. The window of time that a question names is never widened: an answer from outside it would be
the answer to another question. What bounds a search is how much is read, not how long it takes: the
same posts give the same answer on a slow machine too.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec

from fairwitness.answers.chorus import chorus
from fairwitness.answers.explained import How, Round
from fairwitness.answers.retrieve import CANDIDATES, READ_CHARS, Retrieved, query_of, retrieve
from fairwitness.answers.understand import Asked
from fairwitness.index import Condition, Hit, LiveIndex, Parts

ENOUGH = 2
"""Independent witnesses from which no further round is begun."""

CHORUSES = 3
"""Things said in the same words that a search goes round."""

PARENTS = 50
"""Posts of conversations that are fetched."""


def in_rounds(
    index: LiveIndex, asked: Asked, as_of_ms: int, hear: Callable[[Retrieved], int]
) -> tuple[Round, ...]:
    """Search, and let `hear` say how many witnesses all that was found by then gives."""
    found = retrieve(index, asked, as_of_ms)
    rounds = [Round("words", len(found.hits), hear(found))]
    for how, look in _more(index, asked, as_of_ms, found):
        if not _left(found):
            break
        if rounds[-1].witnesses >= ENOUGH and how != "others":
            continue  # what a chorus hides is looked for all the same
        new = _unread(found, look())
        found = replace(found, hits=(*found.hits, *new))
        rounds.append(Round(how, len(new), hear(found) if new else rounds[-1].witnesses))
    return tuple(rounds)


Look = Callable[[], tuple[Hit, ...]]


def _others(
    index: LiveIndex, asked: Asked, as_of_ms: int, found: Retrieved
) -> Iterator[tuple[How, Look]]:
    """Yield searches for what does not join the chorus, as long as there is another one."""
    query, hits = query_of(asked), found.hits

    def search() -> tuple[Hit, ...]:
        nonlocal hits
        hits = index.search(query, as_of_ms=as_of_ms, limit=CANDIDATES).hits
        return hits

    for _ in range(CHORUSES):
        said = chorus(asked, [hit.post.text for hit in hits]) if len(hits) >= CANDIDATES else ""
        if not said:
            return
        without = (Condition("phrase", said, negated=True),)
        query = msgspec.structs.replace(query, clauses=(*query.clauses, without))
        yield "others", search


def _more(
    index: LiveIndex, asked: Asked, as_of_ms: int, found: Retrieved
) -> Iterator[tuple[How, Look]]:
    """Yield further ways of looking that can bring anything."""
    query = query_of(asked)
    named = tuple(
        tuple(Condition("word", word) for word in term.search) for term in asked.terms if term.name
    )

    def by_names() -> tuple[Hit, ...]:
        narrow = msgspec.structs.replace(query, clauses=named)
        return index.search(narrow, as_of_ms=as_of_ms, limit=CANDIDATES).hits

    def by_meaning() -> tuple[Hit, ...]:
        wide = msgspec.structs.replace(query, meaning=asked.text)
        return index.search(wide, as_of_ms=as_of_ms, limit=CANDIDATES).hits

    if named and len(found.hits) >= CANDIDATES:
        yield "names", by_names
    yield from _others(index, asked, as_of_ms, found)
    if asked.terms:
        yield "meaning", by_meaning
    if not asked.speakers and any(hit.post.reply_to for hit in found.hits):
        yield "conversations", lambda: _conversations(index, asked, as_of_ms, found)


def _conversations(
    index: LiveIndex, asked: Asked, as_of_ms: int, found: Retrieved
) -> tuple[Hit, ...]:
    """Return what replies among `found` answer, and what their conversations began with."""
    known = {hit.post.id for hit in found.hits}
    replies = (hit.post for hit in found.hits if hit.post.reply_to)
    ids = dict.fromkeys(id for post in replies for id in (post.reply_to, post.thread) if id)
    posts = (
        index.get(id, as_of_ms=as_of_ms) for id in [id for id in ids if id not in known][:PARENTS]
    )
    window = asked.window
    return tuple(
        Hit(post, 0.0, Parts(0.0, 0.0, 0.0))
        for post in posts
        if post is not None
        and window.since_ms <= min(post.created_ms, post.seen_ms) < window.until_ms
    )


def _left(found: Retrieved) -> int:
    """Return how many characters may still be read."""
    return max(0, READ_CHARS - sum(len(hit.post.text) for hit in found.hits))


def _unread(found: Retrieved, hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """Return those of `hits` that are new, as far as they may be read."""
    known = {hit.post.id for hit in found.hits}
    left = _left(found)
    new: list[Hit] = []
    for hit in hits:
        if hit.post.id in known:
            continue
        left -= len(hit.post.text)
        if left < 0:
            break
        new.append(hit)
    return tuple(new)
