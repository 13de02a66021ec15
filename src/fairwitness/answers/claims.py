"""A claim of the model, from the first try to what is shown: written, checked, repaired once.

A claim that fails its check is asked for again, with the check that it failed named, and only in
words that its quotes have: our engine decodes under a pattern of these words, a model server is
asked for JSON of a schema. What fails twice is dropped. Whoever writes, the check is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairwitness.answers import sides, weigh, write
from fairwitness.answers.quote import Span
from fairwitness.answers.understand import Asked, Term
from fairwitness.answers.verify import Verdict, verify
from fairwitness.answers.witness import Origin
from fairwitness.engine.chat import ChatError, ChatModel
from fairwitness.models.verifier import Verifier
from fairwitness.posts.post import Post

REPEATS = "repeats a quote"
"""Why a claim is left out that is true: there is nothing to repair."""


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


@dataclass(frozen=True, slots=True)
class Written:
    """What came of writing: a claim that holds, or none; and what was left out, with the reason."""

    claim: str = ""
    verdict: Verdict | None = None
    dropped: tuple[str, ...] = ()


def written(chat: ChatModel, evidence: Evidence, verifier: Verifier | None = None) -> Written:
    """Return the claim that `chat` makes of `evidence`, at the second try if the first fails."""
    dropped: list[str] = []
    try:
        claim = write.write_claim(chat, evidence.asked, evidence.quotes)
        verdict, problem = _judged(claim, evidence, verifier)
        if problem:
            dropped.append(f"{claim} ({problem})")
            if problem == REPEATS:
                return Written(dropped=tuple(dropped))
            claim = write.write_again(chat, evidence.asked, evidence.quotes, claim, problem)
            verdict, problem = _judged(claim, evidence, verifier)
            if problem:
                dropped.append(f"{claim} ({problem})")
    except ChatError as error:
        dropped.append(f"(the model could not write: {error})")
        return Written(dropped=tuple(dropped))
    left_out = tuple(dict.fromkeys(dropped))  # some say the same thing twice
    return Written(dropped=left_out) if problem else Written(claim, verdict, left_out)


def _judged(claim: str, evidence: Evidence, verifier: Verifier | None) -> tuple[Verdict, str]:
    """Return what the check found, and why the claim is not shown; empty when it is."""
    voices = 1 if sides.has_short_answer(evidence.asked) else 2
    verdict = verify(claim, evidence.quotes, voices=voices, verifier=verifier)
    return verdict, verdict.problem or _beside_the_point(claim, evidence)


def _beside_the_point(claim: str, evidence: Evidence) -> str:
    """Return why `claim` adds nothing, or does not give the answer that its quotes give."""
    plain = claim.strip(" .!?\"'“”").casefold()
    if any(plain in span.text.casefold() for span in evidence.quotes):
        return REPEATS
    if not evidence.says:
        return ""
    claimed = _as_span(claim, evidence.lang)
    weighed = weigh.weigh(evidence.asked, [*evidence.quotes, claimed], evidence.weights)
    read = sides.stances(evidence.asked, weighed, [Origin(n, n) for n in range(len(weighed))])
    says = next((s.says for s in read if any(e.span is claimed for e, _ in s.spans)), "nothing")
    return "" if says == evidence.says else f"answers {says}, its quotes {evidence.says}"


def _as_span(claim: str, lang: str) -> Span:
    """Return a claim as if somebody had posted it, to be read as quotes are."""
    post = Post(
        id="", network="", author="", author_id="", text=claim, lang=lang, created_ms=0, seen_ms=0
    )
    return Span(post, 0, len(claim))
