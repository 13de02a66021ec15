"""The road of a question: understand, retrieve, weigh, witness, quote, write, verify, answer.

`ask` yields each sentence the moment it is verified and ends with the whole answer. Quotes come
first: they are true by construction and quick. Then what we counted, then a claim in the model's
words if the quotes carry it. When nobody witnessed an answer it says so, and what was searched.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from fairwitness.answers import (
    denied,
    dispute,
    pages,
    quote,
    sides,
    summary,
    voice,
    weigh,
    witness,
)
from fairwitness.answers.answer import (
    Answer,
    Finished,
    Freshness,
    Said,
    Spread,
    Standing,
    Timing,
    Told,
    text_of,
)
from fairwitness.answers.claims import Evidence, written
from fairwitness.answers.court import Court
from fairwitness.answers.fresh import freshness_of
from fairwitness.answers.length import NORMAL, Measure
from fairwitness.answers.offered import weigh_offered
from fairwitness.answers.policy import Decline
from fairwitness.answers.retrieve import Retrieved
from fairwitness.answers.rounds import in_rounds
from fairwitness.answers.sides import Stance
from fairwitness.answers.spread import spread_of
from fairwitness.answers.understand import Asked
from fairwitness.engine.chat import ChatModel
from fairwitness.index import LiveIndex
from fairwitness.models.verifier import Verifier, the_verifier
from fairwitness.posts.clock import to_iso
from fairwitness.posts.health import HealthReport

OUTCOME_WITNESSES = 2
"""Who won, who died: said only when this many independent witnesses say the same. A count that one
gives is shown as one voice: counts are disputed anyway, and the first one saves lives."""


@dataclass(frozen=True)
class Desk:
    """What an answer is made from."""

    index: LiveIndex
    now_ms: Callable[[], int]
    """The clock of the home: the machine's, or a replay's."""
    health: Callable[[int], Sequence[HealthReport]]
    """How the sources stand at a moment."""
    chat: Callable[[], ChatModel | None]
    """The model that writes claims; None answers with quotes and counts alone."""
    verifier: Callable[[], Verifier | None] = the_verifier
    """The model that reads claims after the rules have; None leaves it to the rules."""

    def reads(self, lang: str) -> Verifier | None:
        """Return the model that reads claims in a language, if there is one: English alone."""
        return self.verifier() if lang == "en" else None


def answered(desk: Desk, court: Court, tries: int = 3) -> Iterator[Told]:
    """Yield the sentences that answer one question, then its whole answer.

    What is taken back in mid-answer is not in the whole answer, found anew in so many `tries`.
    """
    asked = court.asked
    heard = hear(desk, court)
    sided = sides.disputed(asked, heard)
    leading = leading_of(asked, heard, court.measure)
    if leading:
        yield from _testify(court, leading)
        yield from _contradict(desk, court, leading)
        if sided and court.standing == "agreed":
            court.standing = "disputed"
        if court.standing != "denied":
            yield from _write(desk, court, leading)
    answer = _answer(desk, court, leading, sided, outcome_pending=bool(heard))
    yield Finished(_of_what_stands(desk, court, answer, tries))


def _of_what_stands(desk: Desk, court: Court, answer: Answer, tries: int) -> Answer:
    """Return `answer`, or one without the model where a source was taken back meanwhile."""
    posts = {id: desk.index.get(id, as_of_ms=court.as_of_ms) for id in court.sources}
    if all(post and post.text == court.sources[id].text for id, post in posts.items()):
        return answer
    again = Court(
        court.asked, court.mode, court.lang, court.as_of_ms, court.started_s, court.measure
    )
    if not tries:
        return _answer(desk, again, outcome_pending=False)
    *_, last = answered(replace(desk, chat=lambda: None), again, tries - 1)
    assert isinstance(last, Finished)
    return last.answer


def hear(desk: Desk, court: Court) -> list[Stance]:
    """Search in rounds, and return what the posts that were found say."""
    heard: list[Stance] = []

    def listen(found: Retrieved) -> int:
        nonlocal heard
        court.retrieved = found
        court.search_ms = court.search_ms or court.elapsed_ms()
        heard = _heard(court)
        leading = leading_of(court.asked, heard)
        return len({origin.witness for each in leading for _, origin in each.spans})

    court.rounds = in_rounds(desk.index, court.asked, court.as_of_ms, listen)
    return heard


def _heard(court: Court) -> list[Stance]:
    court.copies.clear()
    asked = court.asked
    if not (asked.terms or asked.speakers or asked.asks == "happening"):
        return []  # only "what is happening?", and what somebody says, may be about anything
    spans = [span for hit in court.retrieved.hits for span in quote.spans_of(hit.post)]
    weights = court.retrieved.weights
    court.heard = weighed = (
        weigh_offered(asked, spans, weights, court.as_of_ms)
        if asked.among
        else weigh.weigh(asked, spans, weights)
    )
    court.floods = witness.flooding(court.retrieved.hits)
    origins = witness.origins([each.span for each in weighed], court.floods)
    for each, origin in zip(weighed, origins, strict=True):
        court.copies.setdefault(origin.statement, set()).add(each.span.post.id)
    return sides.stances(asked, weighed, origins)


def leading_of(asked: Asked, heard: Sequence[Stance], measure: Measure = NORMAL) -> list[Stance]:
    """Return the stances that the answer is made of; none when it must abstain.

    A short answer is made of what a normal one is; it shows less of it.
    """
    if not heard:
        return []
    if asked.asks == "summary":
        return summary.points(asked, heard, measure.points)
    lead = heard[0]
    if lead.says:
        needed = OUTCOME_WITNESSES if asked.outcome and asked.asks != "how_many" else 1
        return [lead] if lead.witnesses >= needed or _reported([lead]) else []
    good = [side for side in heard if side.best >= sides.AS_GOOD * lead.best]
    if asked.outcome and len(good) < OUTCOME_WITNESSES and not _reported(good):
        return []
    return good[: max(measure.quotes, NORMAL.quotes)]


def _reported(good: Sequence[Stance]) -> bool:
    """Whether a page of news tells the outcome: whoever writes one writes when it has happened."""
    return any(pages.is_page(each.span.post) for stance in good for each, _ in stance.spans)


def _testify(court: Court, leading: Sequence[Stance]) -> Iterator[Said]:
    """Yield the quotes, then how many witnesses stand behind them."""
    citations = []
    for stance, span, origin in sides.quoted(leading, court.measure):
        citation = court.cite(span, stance.witnesses, origin)
        citations.append(citation)
        yield court.say(span.text, "quote", [citation], 1.0)
    told = [(each.span, origin) for stance in leading for each, origin in stance.spans]
    witnesses = len({origin.witness for _, origin in told})
    court.witnesses = _agreeing(court.asked, leading)
    court.says = leading[0].says
    court.standing = _standing(leading, court.witnesses)
    if court.asked.asks == "summary":
        newest = _clock(max(stance.latest_ms for stance in leading))
        facts = {"points": len(leading), "witnesses": witnesses, "newest": newest}
        yield court.say(_voiced(court, "points", **facts), "count", citations, 1.0)
    if court.standing != "agreed" or leading[0].says:
        facts = {"witnesses": witnesses, "first": _clock(leading[0].first_seen_ms)}
        apart = court.standing == "lone" and witnesses > 1
        text = _voiced(court, "apart" if apart else _COUNTED[court.standing], **facts)
        yield court.say(text, "count", citations, 1.0)


def _agreeing(asked: Asked, leading: Sequence[Stance]) -> int:
    """Return how many independent witnesses say the same."""
    if leading[0].says:
        return leading[0].witnesses
    if sides.has_short_answer(asked):
        return 1  # a name or number was asked for, and none was read: nobody bears that out
    return max(1, sides.bearing_out(asked, leading))


def _standing(leading: Sequence[Stance], agreeing: int) -> Standing:
    told = [pair for each in leading for pair in each.spans]
    firm = {o.witness for each, o in told if sides.vouches(each.span)}
    if len({origin.witness for _, origin in told}) == 1:
        return "lone"
    if len(firm) < 2:
        return "rumoured"
    return "agreed" if leading[0].says or agreeing > 1 else "lone"


_COUNTED = {"agreed": "agree", "lone": "lone", "rumoured": "hearsay"}


def _contradict(desk: Desk, court: Court, leading: Sequence[Stance]) -> Iterator[Said]:
    """Yield how many deny what was quoted, with two of them, unless they are few beside it."""
    if court.asked.asks == "whether" and leading[0].says == "no":
        return
    quoted = [span for _, span, _ in sides.quoted(leading)]
    spans = denied.denials(desk.index, quoted, court.heard, court.as_of_ms, court.floods)
    origins = witness.origins(spans)
    witnesses = len({origin.witness for origin in origins})
    if not witnesses or witnesses < denied.needed(leading[0].witnesses):
        return
    court.standing = "denied"
    court.denials = list(zip(spans, origins, strict=True))
    for span, origin in court.denials:
        court.copies.setdefault(origin.statement, set()).add(span.post.id)
    shown = court.denials[: court.measure.denials]
    citations = [court.cite(span, 1, origin) for span, origin in shown]
    said = {sentence.text for sentence in court.sentences}
    for span, citation in zip(spans, citations, strict=False):
        if span.text not in said:
            yield court.say(span.text, "quote", [citation], 1.0)
    yield court.say(_voiced(court, "denied", witnesses=witnesses), "count", citations, 1.0)


def _voiced(court: Court, which: str, **facts: object) -> str:
    return voice.say(which, court.asked, court.mode, court.lang, **facts)


def _write(desk: Desk, court: Court, leading: Sequence[Stance]) -> Iterator[Said]:
    """Yield a claim that the model makes of the quotes, if they carry it."""
    chat = desk.chat() if court.measure.claim else None
    if chat is None:
        return
    cited = sides.quoted(leading)
    evidence = Evidence(
        court.asked,
        court.lang,
        [span for _, span, _ in cited],
        leading[0].says,
        court.retrieved.weights,
        court.standing,
    )
    found = written(chat, evidence, desk.reads(court.lang))
    court.dropped += found.dropped
    if found.verdict is None:
        return
    carrying = (cited[at] for at in found.verdict.cites)
    citations = [court.cite(span, stance.witnesses, origin) for stance, span, origin in carrying]
    support, entailed = found.verdict.support, found.verdict.entailed
    yield court.say(found.claim, "claim", citations, support, entailed)


def _answer(
    desk: Desk,
    court: Court,
    leading: Sequence[Stance] = (),
    sided: Sequence[Stance] = (),
    *,
    outcome_pending: bool,
) -> Answer:
    disputes = dispute.disputes(court, leading, sided) if leading else []
    spread = _spread(court, leading) if leading else None
    freshness = freshness_of(
        desk.index,
        desk.health(court.as_of_ms),
        court.asked.window,
        court.as_of_ms,
        court.retrieved.searched,
    )
    abstained = not court.sentences
    text = (
        _abstain(court, freshness, pending=outcome_pending and court.asked.outcome)
        if abstained
        else text_of(court.sentences)
    )
    chat = None if abstained else desk.chat()
    verifier = desk.reads(court.lang) if chat else None
    return Answer(
        question=court.asked.text,
        as_of=to_iso(court.as_of_ms),
        mode=court.mode,
        lang=court.lang,
        model=chat.name if chat else "",
        answer=text,
        abstained=abstained,
        standing=court.standing,
        sentences=tuple(court.sentences),
        sources=tuple(court.sources.values()),
        disputes=tuple(disputes),
        dropped=tuple(court.dropped),
        freshness=freshness,
        timing_ms=Timing(court.search_ms, court.first_ms, court.elapsed_ms()),
        verifier=verifier.name if verifier else "",
        witnesses=court.witnesses,
        says=court.says,
        rounds=court.rounds,
        spread=spread,
    )


def _spread(court: Court, leading: Sequence[Stance]) -> Spread | None:
    """Return how what leads spread; None where it is not one thing."""
    told = [(each.span, origin) for stance in leading for each, origin in stance.spans]
    witnesses = len({origin.witness for _, origin in told})
    if court.standing == "lone" and witnesses > 1:
        return None
    return spread_of(court, told, witnesses)


def declined(desk: Desk, court: Court, why: Decline) -> Answer:
    """Return the answer that says what is not helped with; nothing is searched for it."""
    court.lang = "en"
    parts = ("declined", "help") if why.help else ("declined",)
    said = (voice.say(part, court.asked, "regular", "en", about=why.about) for part in parts)
    answer = _answer(desk, court, outcome_pending=False)
    return msgspec.structs.replace(answer, answer=" ".join(said), standing="declined")


def _abstain(court: Court, freshness: Freshness, *, pending: bool) -> str:
    facts = {
        "searched": f"{court.retrieved.searched:,}",
        "terms": ", ".join(_sought(court.asked)) or "—",
        "newest": freshness.newest_seen_at.removesuffix("Z").replace("T", " ") or "—",
    }
    parts = ("pending" if pending else "none", "sought", "widen")
    return " ".join(_voiced(court, part, **facts) for part in parts)


def _sought(asked: Asked) -> list[str]:
    return [*(f"@{name}" for name in asked.speakers), *(term.shown for term in asked.terms)]


def _clock(moment_ms: int) -> str:
    return to_iso(moment_ms // 1000 * 1000).removesuffix("Z").replace("T", " ")
