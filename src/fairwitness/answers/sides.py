"""What the sources say, side by side: spans that give one answer stand together.

For a question that has a short answer (a name, a number, yes or no) each span is read for it, and
those that read the same are one side, whatever words they use. The side with more independent
witnesses leads; another side that is not a lone voice is a dispute, shown and not judged.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fairwitness.answers import words
from fairwitness.answers.grammar import GLUE, NUMBER_WORDS
from fairwitness.answers.senses import DENIALS
from fairwitness.answers.understand import Asked
from fairwitness.answers.weigh import Weighed

MIN_DISPUTE_SHARE = 0.2
"""A side with fewer of the leading side's witnesses than this is noise, not a dispute."""

_REACH_WORDS = 6
_NAME = re.compile(
    r"(?:[@#]\w+|[A-ZÀ-ÞА-Я][\w'’-]+)(?:\s+(?:de |van |von |da |di |del )?[A-ZÀ-ÞА-Я][\w'’-]+)*"
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_PASSIVE = re.compile(
    r"\b(?:by|por|da|dal|dalla|par|von|to|congrats|felicidades|complimenti|parab[eé]ns)\b\s*:?\s*$",
    re.IGNORECASE,
)
_CONGRATULATES = re.compile(
    r"\b(?:congrat\w*|felicidades|felicitaciones|complimenti|parab[eé]ns|f[eé]licitations|gratul\w*)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Stance:
    """One answer, and the spans that give it, best first, each with the number of its witness."""

    says: str
    spans: tuple[tuple[Weighed, int], ...]

    @property
    def witnesses(self) -> int:
        """How many independent origins give this answer."""
        return len({witness for _, witness in self.spans})

    @property
    def first_seen_ms(self) -> int:
        """When we first saw it said."""
        return min(each.span.post.seen_ms for each, _ in self.spans)

    @property
    def best(self) -> float:
        """The score of its best span."""
        return self.spans[0][0].score


def stances(asked: Asked, weighed: Sequence[Weighed], witness: Sequence[int]) -> list[Stance]:
    """Group spans by the answer that they give, the leading one first.

    A span that gives no answer of the asked kind is left out. Questions without a short answer
    have one stance per witness.
    """
    keys = _keys(asked, weighed)
    groups: dict[str, list[tuple[Weighed, int]]] = defaultdict(list)
    for each, number, key in zip(weighed, witness, keys, strict=True):
        if key is None:
            continue
        groups[key or f"\0{number}"].append((each, number))
    found = [Stance(key.split("\0")[0], tuple(spans)) for key, spans in groups.items()]
    return sorted(found, key=lambda s: (-_strength(s), s.first_seen_ms, s.says))


def disputed(asked: Asked, ordered: Sequence[Stance]) -> list[Stance]:
    """Return the stances that contradict each other, the leading one first; empty when none do."""
    if asked.asks not in ("who", "how_many", "whether") or len(ordered) < 2:
        return []
    lead = ordered[0]
    needed = max(2.0, lead.witnesses * MIN_DISPUTE_SHARE)
    others = [s for s in ordered[1:] if s.witnesses >= needed and s.best >= 0.7 * lead.best]
    return [lead, *others[:3]] if others else []


def _strength(stance: Stance) -> float:
    return stance.best * (1 + math.log(stance.witnesses))


def _keys(asked: Asked, weighed: Sequence[Weighed]) -> list[str | None]:
    """Return per span: the answer it gives, `` when any is as good, None when it gives none."""
    match asked.asks:
        case "who":
            return _who(asked, weighed)
        case "how_many":
            return [_how_many(asked, each) for each in weighed]
        case "where":
            return [
                "" if _names_in(each.span.text, asked) or _unspaced(each) else None
                for each in weighed
            ]
        case "when":
            return [
                ""
                if re.search(
                    r"\d|day|night|morning|noche|notte|sera|mañana|日|点|时", each.span.text
                )
                else None
                for each in weighed
            ]
        case "whether":
            return ["no" if _denies(each) else "yes" for each in weighed]
        case _:
            return [""] * len(weighed)


def _unspaced(each: Weighed) -> bool:
    return words.is_unspaced(each.span.text)


def _denies(each: Weighed) -> bool:
    return each.negated or bool(_DENIAL_STEMS & words.stems(each.span.text))


_DENIAL_STEMS = frozenset(stem for word in DENIALS for stem in words.stems(word))


# ── who ──────────────────────────────────────────────────────────────────────────────────────────


def _who(asked: Asked, weighed: Sequence[Weighed]) -> list[str | None]:
    nearest = [_subject(each, asked) for each in weighed]
    known = Counter(words.squeezed(name.split()[-1]) for name in nearest if name)
    return [
        _canonical(name, known) if name else ("" if _unspaced(each) else None)
        for name, each in zip(nearest, weighed, strict=True)
    ]


def _subject(each: Weighed, asked: Asked) -> str | None:
    """Return the name that does what the question asks about: before its verb, or after "by"."""
    text = each.span.text
    if each.anchor < 0 or each.negated:
        return None
    names = _names_in(text, asked)
    before = [m for m in names if m.end() <= each.anchor and _near(text, m.end(), each.anchor)]
    after = [m for m in names if m.start() >= each.anchor and _near(text, each.anchor, m.start())]
    congratulated = _CONGRATULATES.search(text)
    if congratulated:
        praised = [m for m in names if m.start() >= congratulated.end()]
        return praised[0].group() if praised else None
    for match in after:
        if _PASSIVE.search(text[: match.start()]):
            return match.group()
    return before[-1].group() if before else None


def _near(text: str, start: int, end: int) -> bool:
    between = text[start:end]
    return len(words.spaced(between)) <= _REACH_WORDS and not re.search(r"[.!?;]\s", between)


def _names_in(text: str, asked: Asked) -> list[re.Match[str]]:
    known = {stem for term in asked.terms for stem in term.stems}
    found = []
    for match in _NAME.finditer(text):
        folded = [words.fold(w) for w in re.findall(r"\w+", match.group())]
        if all(w in _SMALL or len(w) < 3 for w in folded):
            continue
        if any(words.stem(w) in known for w in folded):
            continue
        found.append(match)
    return found


_SMALL = frozenset(map(words.fold, GLUE)) | frozenset(
    "rt via breaking update video watch live photo lol omg wow yes no well so and but round fight"
    " boxing congratulations congrats everyone everybody nobody he she they him her".split()
)


def _canonical(name: str, known: Counter[str]) -> str:
    """Return the name that most sources use for whoever `name` is (`Floyd` in #FloydMayweather)."""
    squeezed = words.squeezed(name)
    inside = [(count, len(k), k) for k, count in known.items() if len(k) >= 4 and k in squeezed]
    if not inside:
        return words.squeezed(name.split()[-1])
    return max(inside)[2]


# ── how many ─────────────────────────────────────────────────────────────────────────────────────


def _how_many(asked: Asked, each: Weighed) -> str | None:
    """Return the number that stands nearest to what is counted, as plain digits."""
    text = each.span.text
    if each.anchor < 0:
        return None
    counted = sorted(_numbers(text, asked), key=lambda n: abs(n[0] - each.anchor))
    for at, value in counted:
        between = text[min(at, each.anchor) : max(at, each.anchor)]
        if len(words.spaced(between)) <= _REACH_WORDS + 1 and len(between) < 60:
            return f"{value:g}" if value < 1e6 else f"{value:.0f}"
    return None


def _numbers(text: str, asked: Asked) -> list[tuple[int, float]]:
    found = []
    for match in _NUMBER.finditer(text):
        if (
            text[match.start() - 1 : match.start()] in ("#", "@", "/")
            or match.group() in asked.text
        ):
            continue
        value = _value(match.group())
        if re.match(r"\s*(?:%|am|pm|:\d)", text[match.end() :], re.IGNORECASE) or _is_year(
            match.group()
        ):
            continue
        found.append((match.start(), value * _scale(text[match.end() :])))
    for word in words.spaced(text):
        small = NUMBER_WORDS.get(words.fold(word.group()))
        if small is not None and small > 1:
            found.append((word.start(), small))
    return found


def _is_year(digits: str) -> bool:
    return len(digits) == 4 and digits[:2] in ("19", "20")


def _value(digits: str) -> float:
    """Read 1,234 and 1.234 as thousands, 7.6 and 7,6 as a fraction."""
    grouped = re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits)
    plain = re.sub(r"[.,]", "", digits) if grouped else digits.replace(",", ".")
    try:
        return float(plain)
    except ValueError:
        return float(re.sub(r"\D", "", digits))


def _scale(after: str) -> float:
    match = re.match(
        r"\s*(?:(thousand|mil(?:a|le)?\b|k\b|千)|(million\w*|millon\w*|milion\w*|milh\w*)|(万)|(亿))",
        after,
        re.IGNORECASE,
    )
    return (1e3, 1e6, 1e4, 1e8)[match.lastindex - 1] if match and match.lastindex else 1.0
