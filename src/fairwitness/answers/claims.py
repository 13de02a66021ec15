"""A claim of the model, from the first try to what is shown: offered, written, checked, repaired.

What our engine may write is offered to it: cuts of the quotes that give the answer, alone, or one
followed by a cut of another quote that says more. Whoever wrote a claim, the check is the same and
trusts nobody: each part must be carried by the quotes that it names. A claim that fails is asked
for again, once, with the check that it failed named; what fails twice is dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fairwitness.answers import sides, weigh, write
from fairwitness.answers.answer import Standing
from fairwitness.answers.cuts import LESS, cuts_of
from fairwitness.answers.frames import Frame, framed, unframed
from fairwitness.answers.quote import Span
from fairwitness.answers.understand import Asked, Term
from fairwitness.answers.verify import MAX_CLAIM_CHARS, Verdict, meaning, parts_of, verify
from fairwitness.answers.witness import Origin
from fairwitness.answers.write import Draft, Offer
from fairwitness.engine.chat import ChatError, ChatModel
from fairwitness.models.verifier import Verifier
from fairwitness.posts.post import Post

REPEATS = "repeats a quote"
"""Why a claim is left out that is true: there is nothing to repair."""

OPEN_VOICES = 2
"""Quotes that must each say what we claim in our own name where no short answer was asked for."""

_MOST_FOLLOWING = 8
_MORE, OF_ITS_OWN = 2, 0.3
"""Stems, and share of all, that each of two cuts says which the other's quote does not."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a claim is made of and checked against."""

    asked: Asked
    lang: str
    """Language of the answer."""
    quotes: Sequence[Span]
    says: str
    """The short answer that the quotes give; empty where the question has none."""
    weights: Mapping[Term, float]
    """How much each term tells, as the search found."""
    standing: Standing = "agreed"
    """What stands behind the quotes."""


@dataclass(frozen=True, slots=True)
class Written:
    """What came of writing: a claim that holds, or none; and what was left out, with the reason."""

    claim: str = ""
    verdict: Verdict | None = None
    dropped: tuple[str, ...] = ()


def written(chat: ChatModel, evidence: Evidence, verifier: Verifier | None = None) -> Written:
    """Return the claim that `chat` makes of `evidence`, at the second try if the first fails."""
    dropped: list[str] = []
    asked, quotes = evidence.asked, evidence.quotes
    offer = offered(evidence)
    try:
        draft = write.write_claim(chat, asked, quotes, offer)
        claim, verdict = _judged(draft, evidence, verifier)
        if draft and verdict.problem:
            dropped.append(f"{claim} ({verdict.problem})")
            if verdict.problem == REPEATS:
                return Written(dropped=tuple(dropped))
            draft = write.write_again(chat, asked, quotes, offer, draft, verdict.problem)
            claim, verdict = _judged(draft, evidence, verifier)
            if draft and verdict.problem:
                dropped.append(f"{claim} ({verdict.problem})")
    except ChatError as error:
        dropped.append(f"(the model could not write: {error})")
        return Written(dropped=tuple(dropped))
    left_out = tuple(dict.fromkeys(dropped))  # some say the same thing twice
    return Written(dropped=left_out) if verdict.problem else Written(claim, verdict, left_out)


def offered(evidence: Evidence) -> Offer:
    """Return what our engine may write of the quotes: cuts that give their answer and say less."""
    quotes = evidence.quotes[: write.QUOTES_READ]
    texts = [write.plain(quote.text) for quote in quotes]
    short = bool(evidence.says)
    cuts = [(at, cut) for at, text in enumerate(texts) for cut in cuts_of(text, short=short)]
    scores = _scores(evidence, [(cut, texts[at]) for at, cut in cuts])
    is_less = [len(cut) <= LESS * len(texts[at]) for at, cut in cuts]
    best = max((score for score, less in zip(scores, is_less, strict=True) if less), default=0.0)
    alone: list[list[str]] = [[] for _ in texts]
    good: list[list[str]] = [[] for _ in texts]
    for (at, cut), score, less in zip(cuts, scores, is_less, strict=True):
        if score and score >= sides.AS_GOOD * best:
            good[at].append(cut)
            alone[at] += [cut] if less else []
    if sides.has_short_answer(evidence.asked):
        return Offer(alone, {})
    joined = {
        first: [
            [] if at == other else _following(first, second, texts[at], texts[other])
            for other, second in enumerate(good)
        ]
        for at, each in enumerate(alone)
        for first in each
    }
    return Offer(alone, joined)


def _following(first: str, cuts: Sequence[str], quote: str, other: str) -> list[str]:
    """Return which `cuts` of the quote `other` may follow `first`, a cut of `quote`: each says what
    the other's quote does not, so that both are needed, and both quotes say more."""
    said, whole = meaning(first), meaning(quote)
    beyond = said - meaning(other)
    room = min(MAX_CLAIM_CHARS - 2, int(LESS * len(quote + other))) - len(first)
    found = []
    for cut in cuts:
        says = meaning(cut)
        needed = max(_MORE, OF_ITS_OWN * len(says | said))
        if len(cut) <= room and min(len(says - whole), len(beyond)) >= needed:
            found.append(cut)
    return found[:_MOST_FOLLOWING]


def _judged(
    draft: Draft | None, evidence: Evidence, verifier: Verifier | None
) -> tuple[str, Verdict]:
    """Return the claim as it is shown, and what the check found."""
    if draft is None:
        return "", Verdict(0.0, (), "nothing was offered")
    claim, quotes = draft.text[:1].upper() + draft.text[1:], evidence.quotes
    if unknown := [n + 1 for n in draft.named if not 0 <= n < len(quotes)]:
        return claim, Verdict(0.0, (), f"names statement {unknown[0]}, which there is not")
    if evidence.standing == "agreed":
        verdict = _in_our_name(draft, evidence, verifier)
        if verdict is not None:
            return claim, _to_the_point(claim, evidence, verdict)
    verdict = _checked(draft, draft.named, evidence, verifier)
    frame: Frame = "one" if len(verdict.cites) < 2 else "some"
    if evidence.standing == "rumoured":
        frame = "rumour"
    shown = framed(draft.text, frame, evidence.lang)
    return shown, _to_the_point(shown, evidence, verdict)


def _in_our_name(draft: Draft, evidence: Evidence, verifier: Verifier | None) -> Verdict | None:
    """Return what the check found, if enough voices carry the claim for us to say it: where a
    question has no short answer, two that each say all of it."""
    if sides.has_short_answer(evidence.asked):
        return _checked(draft, draft.named, evidence, verifier)
    places = range(len(evidence.quotes))
    saying = [at for at in places if not _checked(draft, (at,), evidence).problem]
    enough = len(saying) >= OPEN_VOICES and set(draft.named) <= set(saying)
    return _checked(draft, saying, evidence, verifier) if enough else None


def _checked(
    draft: Draft, named: Sequence[int], evidence: Evidence, verifier: Verifier | None = None
) -> Verdict:
    """Check a claim against the quotes that it names, or against all where it names none."""
    places = sorted(named) or range(len(evidence.quotes))
    quotes = [evidence.quotes[at] for at in places]
    verdict = verify(draft.text, quotes, verifier=verifier)
    return replace(verdict, cites=tuple(places[at] for at in verdict.cites))


def _to_the_point(claim: str, evidence: Evidence, verdict: Verdict) -> Verdict:
    """Return `verdict`, with a problem if a true claim adds nothing to its quotes, or does not give
    the answer that they give."""
    if verdict.problem:
        return verdict
    said = unframed(claim)
    if _repeats(said, [evidence.quotes[at].text for at in verdict.cites]):
        return replace(verdict, problem=REPEATS)
    context = " ".join(evidence.quotes[at].text for at in verdict.cites)
    if not evidence.says or any(_scores(evidence, [(said, context)])):
        return verdict
    return replace(verdict, problem=f"answers otherwise than its quotes: {evidence.says}")


def _repeats(claim: str, quotes: Sequence[str]) -> bool:
    """Whether a claim says in words of its quotes, and in their order, all that they say."""
    texts = [write.plain(quote).casefold() for quote in quotes]
    parts = [part.strip(" .!?\"'“”。！？") for part in parts_of(claim.casefold())]
    if not all(any(part in text for text in texts) for part in parts):
        return False
    of = [text for text in texts if any(part in text for part in parts)]
    return sum(map(len, parts)) > LESS * sum(map(len, of))


def _scores(evidence: Evidence, cuts: Sequence[tuple[str, str]]) -> list[float]:
    """Return how well each cut, beside the quote that it is of, answers; 0 where it does not give
    the answer that the quotes give."""
    spans = [_as_span(*cut, evidence.lang, str(at)) for at, cut in enumerate(cuts)]
    weighed = weigh.weigh(evidence.asked, [*evidence.quotes, *spans], evidence.weights)
    read = sides.stances(evidence.asked, weighed, [Origin(n, n) for n in range(len(weighed))])
    score_of = {
        each.span.post.id: each.score
        for s in read
        if s.says == evidence.says
        for each, _ in s.spans
    }
    return [score_of.get(span.post.id, 0.0) for span in spans]


def _as_span(cut: str, quote: str, lang: str, name: str) -> Span:
    """Return a cut as if somebody had posted it with its quote, to be read as quotes are."""
    post = Post(
        id=f"cut {name}", network="", author="", author_id="", text=f"{cut}\n{quote}", lang=lang,
        created_ms=0, seen_ms=0,
    )  # fmt: skip
    return Span(post, 0, len(cut))
