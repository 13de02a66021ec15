"""For and against: the sides of a question, with witnesses and who was first; no verdict."""

from collections.abc import Sequence

from fairwitness.answers import settle, witness
from fairwitness.answers.answer import Dispute, Sentence, Side
from fairwitness.answers.court import Court
from fairwitness.answers.quote import Span
from fairwitness.answers.settle import Camp
from fairwitness.answers.sides import Stance
from fairwitness.answers.spread import Told, spread_of

QUOTES = 2
"""Of each side."""


def disputes(court: Court, leading: Sequence[Stance], sided: Sequence[Stance]) -> list[Dispute]:
    """Return what the sources disagree about: the `sided`, or what leads and what denies it."""
    if sided:
        told = [(each.says, _told([each])) for each in sided]
        return [_dispute(court, told, denied=False)]
    if court.standing == "denied":
        told = [(leading[0].says, _told(leading)), ("", court.denials)]
        return [_dispute(court, told, denied=True)]
    return []


def _told(stances: Sequence[Stance]) -> list[Told]:
    return [(each.span, origin) for stance in stances for each, origin in stance.spans]


def _dispute(court: Court, told: Sequence[tuple[str, list[Told]]], *, denied: bool) -> Dispute:
    shown, camps = [], []
    for at, (says, spans) in enumerate(told):
        against = denied and at == len(told) - 1
        label = settle.label(says, court.lang, against=against)
        witnesses = len({origin.witness for _, origin in spans})
        camps.append(Camp(label, [span for span, _ in spans], witnesses))
        quotes = [_quoted(court, *pair, witnesses) for pair in _one_per_witness(spans)[:QUOTES]]
        spread = spread_of(court, spans, witnesses)
        says = says or label
        shown.append(Side(says, witnesses, spread.seen_at, tuple(quotes), spread))
    settling = settle.settling(court.asked, camps, court.lang, denied=denied)
    return Dispute(court.asked.text, tuple(shown), tuple(settling))


def _quoted(court: Court, span: Span, origin: witness.Origin, witnesses: int) -> Sentence:
    return Sentence(span.text, "quote", (court.cite(span, witnesses, origin),), 1.0)


def _one_per_witness(spans: Sequence[Told]) -> list[Told]:
    chosen: dict[int, Told] = {}
    for span, origin in spans:
        chosen.setdefault(origin.witness, (span, origin))
    return list(chosen.values())
