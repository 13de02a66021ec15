"""How an answer changed: between two moments, or since it was given.

Two answers to one question are laid side by side. Nothing that was withdrawn is said again: a
change names the place of its sentence, not the words.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from fairwitness.answers.answer import Answer, Citation
from fairwitness.index import LiveIndex

What = Literal["new", "gone", "withdrawn", "corroborated", "contradicted", "alert"]


class Change(msgspec.Struct, frozen=True):
    """One thing that is otherwise now.

    - `new`: a quote that was not there. `gone`: one that others have taken the place of.
    - `withdrawn`: a sentence that rested on a post which was deleted or edited away.
    - `corroborated`: more independent witnesses stand behind it, or it is no lone voice any more.
    - `contradicted`: sources contradict each other, or somebody denies it, who did not before.
    - `alert`: as many independent witnesses agree as were waited for.
    """

    what: What
    why: str
    at: int = -1
    """Place of the sentence: of `gone` and `withdrawn` in the answer before, else in the new; -1
    where it is no sentence of the answer, but of a dispute or of who was first."""
    post: str = ""
    """Id of the post that a quote is from."""


class Changed(msgspec.Struct, frozen=True, tag="changed"):
    """What changed, and the answer as it is now."""

    changes: tuple[Change, ...]
    answer: Answer


class Difference(msgspec.Struct, frozen=True):
    """One question as of two moments."""

    changes: tuple[Change, ...]
    before: Answer
    after: Answer


def difference(before: Answer, after: Answer) -> Difference:
    """Return how `after` differs from `before`."""
    gone = (Change("gone", "no longer shown", at, post) for at, post in _only_in(before, after))
    return Difference((*gone, *_added(before, after)), before, after)


def changes(before: Answer, after: Answer, index: LiveIndex, alert: int = 0) -> list[Change]:
    """Return what a reader of `before` must hear now that `after` is the answer.

    A quote that was only outranked still stands where the reader read it, and is not spoken of.
    With `alert`, that so many witnesses agree is told when they first do.
    """
    found = [*withdrawn(before, index), *_added(before, after)]
    if alert and before.witnesses < alert <= after.witnesses and after.standing == "agreed":
        found.append(Change("alert", f"{after.witnesses} independent witnesses"))
    return found


def withdrawn(answer: Answer, index: LiveIndex) -> list[Change]:
    """Return the sentences of `answer` whose posts no longer say what is cited."""
    lost = {source.n: why for source in answer.sources if (why := _lost(answer, source.n, index))}
    ids = {source.n: source.id for source in answer.sources}
    found = []
    for at, sentence in enumerate(answer.sentences):
        gone = [c.source for c in sentence.citations if c.source in lost]
        if gone:
            post = ids[gone[0]] if sentence.kind == "quote" else ""
            found.append(Change("withdrawn", lost[gone[0]], at, post))
    told = {c.source for sentence in answer.sentences for c in sentence.citations}
    aside = {c.source for sentence in answer.beside for c in sentence.citations} - told
    found += [Change("withdrawn", why, post=ids[n]) for n, why in lost.items() if n in aside]
    return found


def _lost(answer: Answer, n: int, index: LiveIndex) -> str:
    source = next(each for each in answer.sources if each.n == n)
    post = index.get(source.id)
    if post is None:
        return "deleted"
    spans = (
        citation
        for sentence in (*answer.sentences, *answer.beside)
        for citation in sentence.citations
        if citation.source == n
    )
    kept = all(source.text[span.start : span.end] in post.text for span in spans)
    return "" if kept else "edited"


def _added(before: Answer, after: Answer) -> Iterator[Change]:
    for at, post in _only_in(after, before):
        yield Change("new", "said", at, post)
    if after.standing in ("disputed", "denied") and before.standing != after.standing:
        yield Change("contradicted", after.standing)
    more = after.witnesses > before.witnesses > 0
    if after.standing == "agreed" and (before.standing == "lone" or more):
        yield Change("corroborated", f"{before.witnesses} → {after.witnesses} witnesses")


def _only_in(one: Answer, other: Answer) -> list[tuple[int, str]]:
    """Return place and post of the quotes that only `one` shows."""
    there = {quote for _, quote in _quotes(other)}
    return [(at, quote[0]) for at, quote in _quotes(one) if quote not in there]


def _quotes(answer: Answer) -> Iterator[tuple[int, tuple[str, str]]]:
    ids = {source.n: source.id for source in answer.sources}
    for at, sentence in enumerate(answer.sentences):
        if sentence.kind == "quote":
            yield at, (_cited(ids, sentence.citations), sentence.text)


def _cited(ids: dict[int, str], citations: tuple[Citation, ...]) -> str:
    return ids[citations[0].source]
