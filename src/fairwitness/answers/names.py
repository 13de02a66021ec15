"""Who: the name that does what a question asks about, in each span, as most sources call it.

Names are what capitals, tags and handles mark. A span's subject stands before the verb, or after
"by", or is congratulated; that `Floyd`, `#FloydMayweather` and `Mayweather` are one person is
learnt from the spans themselves. A tag that holds two people names neither.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fairwitness.answers import words
from fairwitness.answers.grammar import GLUE
from fairwitness.answers.understand import Asked
from fairwitness.answers.weigh import Weighed

_REACH_WORDS = 6  # between a name and its verb
_NAME = re.compile(
    r"(?:[@#]\w+|[A-ZÀ-ÞА-Я][\w'’-]+)(?:\s+(?:de |van |von |da |di |del )?[A-ZÀ-ÞА-Я][\w'’-]+)*"
)
_PASSIVE = re.compile(
    r"\b(?:by|por|da|dal|dalla|par|von|to|congrats|felicidades|complimenti|parab[eé]ns)\b\s*:?\s*$",
    re.IGNORECASE,
)
_CONGRATULATES = re.compile(
    r"\b(?:congrat\w*|felicidades|felicitaciones|complimenti|parab[eé]ns|f[eé]licitations|gratul\w*)\b",
    re.IGNORECASE,
)


def people(asked: Asked, weighed: Sequence[Weighed]) -> list[str | None]:
    """Return per span whom it says did what is asked, as most sources call them; else None."""
    candidates = [subjects(each, asked) for each in weighed]
    known = Known.of(candidates)
    keys: list[str | None] = []
    for each, names in zip(weighed, candidates, strict=True):
        person = known.first(names)
        keys.append("" if person is None and words.is_unspaced(each.span.text) else person)
    return keys


def subjects(each: Weighed, asked: Asked, *, of_question: bool = False) -> list[str]:
    """Return the names that may do what is asked about, the likeliest first.

    That is who is congratulated, or who stands after "by", or before the verb, the nearest first.
    """
    text = each.span.text
    if each.anchor < 0 or each.negated:
        return []
    names = names_in(text, None if of_question else asked)
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
class Known:
    """The names that sources use, and which of them are one person's."""

    count: Counter[str]
    """By the last word of each name that stands as words, not as a tag or handle."""
    last_of: dict[str, str]
    """`floyd` → `mayweather`, when some say the whole name."""

    @classmethod
    def of(cls, candidates: Sequence[Sequence[str]]) -> "Known":
        """Learn from the names that each span offers."""
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


def names_in(text: str, asked: Asked | None) -> list[re.Match[str]]:
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
