"""What the sources say, side by side: spans that give one answer stand together.

For a question that has a short answer (a name, a number, yes or no) each span is read for it, and
those that read the same are one side, whatever words they use. The side with more independent
witnesses leads; another side that is not a lone voice is a dispute, shown and not judged.
"""

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fairwitness.answers import attitude, figures, names, pages, words
from fairwitness.answers.among import Alternatives
from fairwitness.answers.grammar import GLUE
from fairwitness.answers.length import NORMAL, Measure
from fairwitness.answers.passing import second_hand
from fairwitness.answers.quote import Span
from fairwitness.answers.understand import Asked
from fairwitness.answers.verify import meaning
from fairwitness.answers.weigh import Weighed
from fairwitness.answers.witness import Origin

AS_GOOD = 0.75
"""Share of the best score from which another span answers an open question too."""

MIN_DISPUTE_SHARE = 0.2
"""A side with fewer of the leading side's witnesses than this is noise, not a dispute."""

WHOLE = 0.8
"""Share of the question's weight from which a span holds it whole."""

ALL = 0.92
"""The same where each of its words must be said, if by another word of its sense."""

_TIME = re.compile(
    r"\d{1,2}(?:[:.h]\d\d\b|\s*(?:[ap]\.?m\b|uhr|h\b|час))|\b(?:1[5-9]|20)\d\d\b|\b\d{1,2}[./-]\d{1,2}\b"
    r"|\b\d{1,2}(?:st|nd|rd|th)\b|\d+\s*(?:years?|months?|weeks?|days?|hours?|min|años?|mes|días?|horas?"
    r"|anni|mesi|giorni|ore|anos|dias|лет|год|месяц|дн|недел|час|minut)"
    r"|day\b|\b(?:night|morning|noon|evening|midnight|tonight|weekend|year|month|week|hour|ago|since|until"
    r"|noche|tarde|mañana|ayer|hoy|anoche|semana|año|medianoche|notte|sera|mattin\w*|ieri|oggi|domani|anno"
    r"|settimana|noite|manhã|ontem|hoje|amanhã|ano|nacht|abend|gestern|heute|morgen|nuit|soir|hier|demain"
    r"|вчера|сегодня|завтра|ноч\w+|утр\w+|вечер\w*|год\w*|недел\w+)\b"
    r"|\b(?:jan|feb|mar|apr|abr|may|mai|mag|jun|giu|jul|lug|aug|ago|sep|set|oct|ott|out|okt|nov|dec|dic"
    r"|dez|gen|ene)[a-zçé]*\b"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|\b(?:lunes|martes|miércoles|jueves|viernes|sábado|domingo"
    r"|lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica|(?:segunda|terça|quarta|quinta|sexta)-feira)\b"
    r"|январ|феврал|\bмарт|апрел|\bмая\b|\bмай\b|июн|июл|август|сентябр|октябр|ноябр|декабр|понедельник"
    r"|вторник|\bсред[аеу]\b|четверг|пятниц|суббот|воскресен"
    r"|\d+\s*[年月日时時点點分]|[昨今明]|年内|[上下]午|时候|時に|星期|周[一二三四五六日]|曜",
    re.IGNORECASE,
)
"""What tells when; a number by itself does not."""


@dataclass(frozen=True, slots=True)
class Stance:
    """One answer, and the spans that give it, best first, each with its origin."""

    says: str
    spans: tuple[tuple[Weighed, Origin], ...]

    @property
    def witnesses(self) -> int:
        """How many independent origins give this answer."""
        return len({origin.witness for _, origin in self.spans})

    @property
    def first_seen_ms(self) -> int:
        """When we first saw it said."""
        return min(each.span.post.seen_ms for each, _ in self.spans)

    @property
    def latest_ms(self) -> int:
        """When we last saw it said."""
        return max(each.span.post.seen_ms for each, _ in self.spans)

    @property
    def middle_ms(self) -> int:
        """When half of those who say it had said it."""
        seen = sorted(each.span.post.seen_ms for each, _ in self.spans)
        return seen[len(seen) // 2]

    @property
    def best(self) -> float:
        """The score of its best span."""
        return self.spans[0][0].score


def stances(asked: Asked, weighed: Sequence[Weighed], origins: Sequence[Origin]) -> list[Stance]:
    """Group spans by the answer that they give, the leading one first.

    A span that gives no answer of the asked kind is left out. Questions without a short answer
    have one stance per statement.
    """
    keys = _keys(asked, weighed)
    groups: dict[str, list[tuple[Weighed, Origin]]] = defaultdict(list)
    for each, origin, key in zip(weighed, origins, keys, strict=True):
        if key is not None:
            groups[key or f"\0{origin.statement}"].append((each, origin))
    found = [Stance(key.split("\0")[0], tuple(spans)) for key, spans in groups.items()]
    counts = asked.asks == "how_many"
    since_ms = min((s.first_seen_ms for s in found), default=0)
    until_ms = max((s.middle_ms for s in found), default=0)

    def strength(stance: Stance) -> float:
        # A count grows: the figure that is still being given outweighs the one of the first hour.
        age = (until_ms - stance.middle_ms) / max(1, until_ms - since_ms) if counts else 0.0
        if not stance.says:
            # An open question is answered best by what many pass on.
            return stance.best * (1 + 0.05 * math.log(len(stance.spans)))
        return stance.best * (1 + math.log(stance.witnesses)) * (1 - 0.4 * age)

    return sorted(found, key=lambda s: (-strength(s), s.first_seen_ms, s.says))


Quoted = tuple[Stance, Span, Origin]


def quoted(leading: Sequence[Stance], measure: Measure = NORMAL) -> list[Quoted]:
    """Return what is quoted of `leading` within `measure`: a span of each witness.

    Where few answer an open question, more of what their pages say follows: the sentence that is
    most about the question is often beside the one that answers it.
    """
    each = measure.each
    chosen = [(stance, *pair) for stance in leading for pair in one_per_witness(stance)[:each]]
    if leading[0].says:
        return chosen[: measure.side]
    if len(chosen) >= measure.quotes or each == 1:
        return chosen if measure.quotes >= NORMAL.quotes else chosen[: measure.quotes]
    enough = AS_GOOD * max(stance.best for stance in leading)
    said = {span.text for _, span, _ in chosen}
    more = [
        (told.score, (stance, told.span, origin))
        for stance in leading
        for told, origin in stance.spans
        if pages.is_page(told.span.post) and told.score >= enough and told.span.text not in said
    ]
    more.sort(key=lambda pair: -pair[0])
    return chosen + [one for _, one in more[: measure.quotes - len(chosen)]]


def one_per_witness(stance: Stance) -> list[tuple[Span, Origin]]:
    """Return the best span of each witness."""
    chosen: dict[int, tuple[Span, Origin]] = {}
    for each, origin in stance.spans:
        chosen.setdefault(origin.witness, (each.span, origin))
    return list(chosen.values())


def has_short_answer(asked: Asked) -> bool:
    """Whether spans are read for a name, a number, or yes or no."""
    return bool(asked.among) or asked.asks in ("who", "how_many", "whether")


def disputed(asked: Asked, ordered: Sequence[Stance]) -> list[Stance]:
    """Return the stances that contradict each other, the leading one first; empty when none do."""
    if not has_short_answer(asked) or len(ordered) < 2:
        return []
    lead = ordered[0]
    needed = max(2.0, lead.witnesses * MIN_DISPUTE_SHARE)
    others = [s for s in ordered[1:] if s.witnesses >= needed and s.best >= 0.7 * lead.best]
    return [lead, *others[:3]] if others else []


def is_firm(span: Span) -> bool:
    """Whether whoever says it vouches for it: neither span nor post calls it a rumour, and it asks
    nothing."""
    around = span.text if pages.is_page(span.post) else span.post.text
    return not (attitude.hearsay(around) or span.text.endswith(("?", "？")))


def vouches(span: Span) -> bool:
    """Whether whoever says it is firm, and has it from nobody else by his own words."""
    own = pages.is_page(span.post) or not second_hand(span.post.text)
    return own and is_firm(span)


def bearing_out(asked: Asked, leading: Sequence[Stance]) -> int:
    """Return how many independent witnesses of an open question say one thing.

    Being about the same is not enough: they share a telling word that the question does not have.
    """
    known = meaning(asked.text) | _SMALL_STEMS
    sharing: dict[str, set[int]] = defaultdict(set)
    for stance in leading:
        for each, origin in stance.spans:
            if vouches(each.span):
                for stem in meaning(each.span.text) - known:
                    sharing[stem].add(origin.witness)
    return max(map(len, sharing.values()), default=0)


_SMALL_STEMS = frozenset(words.stem(word) for word in GLUE)


def _keys(asked: Asked, weighed: Sequence[Weighed]) -> list[str | None]:
    """Return per span: the answer it gives, `` when any is as good, None when it gives none."""
    if asked.among:
        offered = Alternatives(asked.among, asked.stems)
        return [offered.named_in(each.span.text) for each in weighed]
    match asked.asks:
        case "who":
            return _or_whole(asked, weighed, names.people(asked, weighed))
        case "how_many":
            return _or_whole(asked, weighed, [figures.figure(asked, each) for each in weighed])
        case "where":
            return ["" if _places(each, asked) else None for each in weighed]
        case "when":
            return ["" if _TIME.search(each.span.text) else None for each in weighed]
        case "whether":
            return _whether(asked, weighed)
        case _:
            return [""] * len(weighed)


def _or_whole(asked: Asked, weighed: Sequence[Weighed], keys: list[str | None]) -> list[str | None]:
    """Return `keys`; where no span has one, those that hold the question whole answer it as open.

    Whoever has no capital ("a judge", "two women") is not read as a name, and a number far from
    what is counted not as its count.
    """
    counts = asked.asks == "how_many"
    if (
        asked.outcome
        or any(key is not None for key in keys)
        or (counts and figures.of_people(asked))
    ):
        return keys
    # A page has titles that hold the names of a question and nothing that it asks.
    whole = (
        each.coverage >= (ALL if pages.is_page(each.span.post) else WHOLE) and each.real
        for each in weighed
    )
    return [
        "" if holds and not (counts and not figures.numbers_in(each.span.text)) else None
        for holds, each in zip(whole, weighed, strict=True)
    ]


def _whether(asked: Asked, weighed: Sequence[Weighed]) -> list[str | None]:
    exclusive = any(t.sense is not None and t.sense.name in _ONE_TAKES_ALL for t in asked.terms)
    named = [words.squeezed(t.shown) for t in asked.terms if t.name]
    if not exclusive or not named:
        asked_for = figures.numbers_in(asked.text)
        return [_yes_or_no(each, asked_for) for each in weighed]
    candidates = [names.subjects(each, asked, of_question=True) for each in weighed]
    known = names.Known.of(candidates)
    keys: list[str | None] = []
    for each, subjects in zip(weighed, candidates, strict=True):
        person = known.first(subjects)
        if person is None or known.count[person] < 2:
            keys.append(None)
            continue
        itself = any(name in person or person in name for name in named)
        keys.append("yes" if itself and not _denies(each) else "no")
    return keys


def _yes_or_no(each: Weighed, asked_for: frozenset[float]) -> str | None:
    """Return what a span says; None when it gives another number than the question asks about."""
    if asked_for and (given := figures.numbers_in(each.span.text)) and not given & asked_for:
        return None
    return "no" if _denies(each) else "yes"


_ONE_TAKES_ALL = frozenset({"win", "elected"})
"""Where one name's yes is every other name's no."""


def _places(each: Weighed, asked: Asked) -> bool:
    text = each.span.text
    found = names.names_in(text, asked)
    if pages.is_page(each.span.post):
        # A page names many who are no places.
        return any(_PLACED.search(text[: match.start()]) for match in found)
    return bool(found) or words.is_unspaced(text)


_PLACED = re.compile(
    r"\b(?:in|at|near|from|to|off|outside|inside|around|across|into|through|of|en|a|de|del|em|no|na|do"
    r"|da|nel\w*|al\w*|à|au|aux|dans|im|aus|nach|bei|в|во|на|из|под|около)(?:\s+(?:the|el|la|los|las|il|lo"
    r"|le|les|o|os|as|der|den|dem))?\s+$|,\s$",
    re.IGNORECASE,
)
"""What stands before the name of a place."""


def _denies(each: Weighed) -> bool:
    return each.negated or attitude.doubts(each.span.text)
