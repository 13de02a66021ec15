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
from fairwitness.answers.grammar import GLUE, NOT_A_NUMBER_IN, NUMBER_WORDS
from fairwitness.answers.senses import DENIALS
from fairwitness.answers.understand import Asked
from fairwitness.answers.weigh import Weighed
from fairwitness.answers.witness import Origin

MIN_DISPUTE_SHARE = 0.2
"""A side with fewer of the leading side's witnesses than this is noise, not a dispute."""

_REACH_WORDS = 6
_NAME = re.compile(
    r"(?:[@#]\w+|[A-ZÀ-ÞА-Я][\w'’-]+)(?:\s+(?:de |van |von |da |di |del )?[A-ZÀ-ÞА-Я][\w'’-]+)*"
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OTHER_UNIT = re.compile(
    r"\s*(?:%|:\d|[ap]\.?m\b|(?:year|a[nñ]os?|ann[io]|ans|jahre|hour|hora|ore|heure|stund|minut"
    r"|min|days?|d[ií]as?|giorn[io]|jours?|tage?|km|miles?|mi)(?![^\W_])|years|hours|horas|heures"
    r"|minut[eoi]s?|年|月|日|小时|天|分钟|公里|[€$£])",
    re.IGNORECASE,
)
"""What stands after a number that counts something else: hours, years, a share."""

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


def has_short_answer(asked: Asked) -> bool:
    """Whether spans are read for a name, a number, or yes or no."""
    return asked.asks in ("who", "how_many", "whether")


def disputed(asked: Asked, ordered: Sequence[Stance]) -> list[Stance]:
    """Return the stances that contradict each other, the leading one first; empty when none do."""
    if not has_short_answer(asked) or len(ordered) < 2:
        return []
    lead = ordered[0]
    needed = max(2.0, lead.witnesses * MIN_DISPUTE_SHARE)
    others = [s for s in ordered[1:] if s.witnesses >= needed and s.best >= 0.7 * lead.best]
    return [lead, *others[:3]] if others else []


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
            return _whether(asked, weighed)
        case _:
            return [""] * len(weighed)


def _whether(asked: Asked, weighed: Sequence[Weighed]) -> list[str | None]:
    exclusive = any(t.sense is not None and t.sense.name in _ONE_TAKES_ALL for t in asked.terms)
    named = [words.squeezed(t.shown) for t in asked.terms if t.name]
    if not exclusive or not named:
        return ["no" if _denies(each) else "yes" for each in weighed]
    candidates = [_subjects(each, asked, of_question=True) for each in weighed]
    known = _Known.of(candidates)
    keys: list[str | None] = []
    for each, names in zip(weighed, candidates, strict=True):
        person = known.first(names)
        if person is None or known.count[person] < 2:
            keys.append(None)
            continue
        itself = any(name in person or person in name for name in named)
        keys.append("yes" if itself and not _denies(each) else "no")
    return keys


_ONE_TAKES_ALL = frozenset({"win", "elected"})
"""Where one name's yes is every other name's no."""


def _unspaced(each: Weighed) -> bool:
    return words.is_unspaced(each.span.text)


def _denies(each: Weighed) -> bool:
    return each.negated or bool(_DENIAL_STEMS & words.stems(each.span.text))


_DENIAL_STEMS = frozenset(stem for word in DENIALS for stem in words.stems(word))


# ── who ──────────────────────────────────────────────────────────────────────────────────────────


def _who(asked: Asked, weighed: Sequence[Weighed]) -> list[str | None]:
    candidates = [_subjects(each, asked) for each in weighed]
    known = _Known.of(candidates)
    keys: list[str | None] = []
    for each, names in zip(weighed, candidates, strict=True):
        person = known.first(names)
        keys.append("" if person is None and _unspaced(each) else person)
    return keys


def _subjects(each: Weighed, asked: Asked, *, of_question: bool = False) -> list[str]:
    """Return the names that may do what is asked about, the likeliest first.

    That is who is congratulated, or who stands after "by", or before the verb, the nearest first.
    """
    text = each.span.text
    if each.anchor < 0 or each.negated:
        return []
    names = _names_in(text, None if of_question else asked)
    congratulated = _CONGRATULATES.search(text)
    if congratulated:
        return [m.group() for m in names if m.start() >= congratulated.end()][:1]
    after = [m for m in names if m.start() >= each.anchor and _near(text, each.anchor, m.start())]
    agents = [m.group() for m in after if _PASSIVE.search(text[: m.start()])]
    if agents:
        return agents[:1]
    before = [m for m in names if m.end() <= each.anchor and _near(text, m.end(), each.anchor)]
    return [m.group() for m in reversed(before)]


@dataclass(frozen=True, slots=True)
class _Known:
    """The names that sources use, and which of them are one person's."""

    count: Counter[str]
    """By the last word of each name that stands as words, not as a tag or handle."""
    last_of: dict[str, str]
    """`floyd` → `mayweather`, when some say the whole name."""

    @classmethod
    def of(cls, candidates: Sequence[Sequence[str]]) -> "_Known":
        plain = [n.split() for names in candidates for n in names if n[0] not in "#@"]
        count = Counter(words.squeezed(parts[-1]) for parts in plain)
        pairs = Counter(
            (words.squeezed(parts[0]), words.squeezed(parts[-1])) for parts in plain if parts[1:]
        )
        often = [pair for pair, times in pairs.most_common() if times > 1]
        last_of = dict(reversed(often))
        for first, last in last_of.items():
            count[last] += count.pop(first, 0)
        return cls(count, last_of)

    def first(self, names: Sequence[str]) -> str | None:
        """Return the first of `names` that is somebody, as most sources call them."""
        return next(filter(None, map(self.canonical, names)), None)

    def _alone(self, tag: str, name: str) -> bool:
        """Whether a tag holds `name` and at most its first name: no second person."""
        rest = tag.replace(name, "", 1)
        return len(rest) <= 2 or self.last_of.get(rest) == name

    def canonical(self, name: str) -> str | None:
        """Return whom `name` means; None for a tag of several names, or of none that we know."""
        squeezed = words.squeezed(name)
        inside = [k for k, n in self.count.items() if len(k) >= 4 and k in squeezed and n > 1]
        apart = [k for k in inside if not any(k != other and k in other for other in inside)]
        if name.startswith("#"):
            return apart[0] if len(apart) == 1 and self._alone(squeezed, apart[0]) else None
        if apart:
            return max(apart, key=lambda k: self.count[k])
        last = squeezed if name.startswith("@") else words.squeezed(name.split()[-1])
        return self.last_of.get(last, last)


def _near(text: str, start: int, end: int) -> bool:
    between = text[start:end]
    return len(words.spaced(between)) <= _REACH_WORDS and not re.search(r"[.!?;]\s", between)


def _names_in(text: str, asked: Asked | None) -> list[re.Match[str]]:
    """Return the names in `text` that the question does not name itself."""
    known = {stem for term in asked.terms for stem in term.stems} if asked else set()
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
    " boxing congratulations congrats everyone everybody nobody he she they him her one two three"
    " four five six seven eight nine ten first second third elle lui mon ma ils sie great good bad"
    " official confirmed report reports news update suspect suspects police man woman".split()
)


# ── how many ─────────────────────────────────────────────────────────────────────────────────────


def _how_many(asked: Asked, each: Weighed) -> str | None:
    """Return the number that stands nearest to what is counted, as plain digits."""
    text = each.span.text
    if each.anchor < 0:
        return None
    counted = sorted(
        _numbers(text, each.span.post.lang, asked), key=lambda n: abs(n[0] - each.anchor)
    )
    for at, value in counted:
        between = text[min(at, each.anchor) : max(at, each.anchor)]
        if len(words.spaced(between)) <= _REACH_WORDS + 1 and len(between) < 60:
            return f"{value:g}" if value < 1e6 else f"{value:.0f}"
    return None


def _numbers(text: str, lang: str, asked: Asked) -> list[tuple[int, float]]:
    found = []
    for match in _NUMBER.finditer(text):
        if (
            text[match.start() - 1 : match.start()] in ("#", "@", "/")
            or match.group() in asked.text
        ):
            continue
        value = _value(match.group())
        if _OTHER_UNIT.match(text, match.end()) or _is_year(match.group()):
            continue
        found.append((match.start(), value * _scale(text[match.end() :])))
    for word in words.spaced(text):
        folded = words.fold(word.group())
        small = NUMBER_WORDS.get(folded, 0)
        if small > 1 and lang not in NOT_A_NUMBER_IN.get(folded, ()):
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
