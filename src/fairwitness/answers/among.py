"""Alternatives: a question that offers its answers ("who won: Spain, Italy or France?").

What is offered is not what the question is about: nobody who answers names all of it. A span
answers when it names one of them and no other; those that name the same one stand together.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fairwitness.answers import words
from fairwitness.answers.grammar import GLUE, NUMBER_WORDS

MAX_OFFERED = 8
MAX_CHARS = 120
"""Of one alternative: a longer one is another question."""

NAMED = 0.5
"""Share of the telling words of an alternative that a span holds to name it: `Mayweather` alone is
enough for `Floyd Mayweather`."""

_OR = (
    r"(?:[,;]?\s+(?:or|o|u|oppure|ou|oder|или)\s+"
    r"|[，,、]?(?:还是|還是|それとも|または|或者?))"
)
_OFFER = re.compile(rf"(?P<sooner>.+?){_OR}(?P<last>.+?)[\s?？.。]*$", re.IGNORECASE | re.DOTALL)
_COLON = re.compile(r":\s+|：")
_COMMA = re.compile(r"[,，]\s*")
_GROUP = re.compile(r"(?<=\d)[,\u202f\u00a0](?=\d{3}(?!\d))")
_FRACTION = re.compile(r"(?<=\d)[.,](?=\d)")
_NAMES = re.compile(r"[\"“«「『$€£]?(?:[^\W\d_a-zß-ÿ]|\d)")
"""What an alternative that follows no colon begins with: a capital, a digit, or a sign of a script
that has no capitals."""


class Offer(NamedTuple):
    """One way to read a question: what it is about, and what it offers."""

    about: str
    among: tuple[str, ...]
    marked: bool
    """Whether a colon says that an offer follows; a comma may part anything."""


def offers(question: str) -> Iterator[Offer]:
    """Yield each way to read `question` as a question and its offer, the longest offer first."""
    for colon in _COLON.finditer(question):
        offered = _offered(question[colon.end() :])
        if offered:
            yield Offer(question[: colon.start()] + "?", offered, marked=True)
    for comma in _COMMA.finditer(question):
        offered = _offered(question[comma.end() :])
        if offered and all(_NAMES.match(each) for each in offered):
            yield Offer(question[: comma.start()] + "?", offered, marked=False)


def _offered(text: str) -> tuple[str, ...]:
    found = _OFFER.match(text)
    if found is None:
        return ()
    parting = ";" if ";" in text else "[,，、]"
    parts = [*re.split(parting, found["sooner"]), found["last"]]
    offered = tuple(dict.fromkeys(part.strip(" ;,") for part in parts))
    short = all(0 < len(each) <= MAX_CHARS for each in offered)
    return offered if short and 2 <= len(offered) <= MAX_OFFERED else ()


class Alternatives:
    """What a question offers, ready to be looked for in spans."""

    def __init__(self, offered: Sequence[str]) -> None:
        said = {each: _said(each) for each in offered}
        count = Counter(word for each in said.values() for word in each)
        self._telling = {
            each: frozenset(w for w in stems if count[w] == 1 and w not in _SMALL) or stems
            for each, stems in said.items()
        }

    def named_in(self, text: str) -> str | None:
        """Return the alternative that `text` names; None when it names none, or several."""
        said = _said(text)
        named = [
            each
            for each, telling in self._telling.items()
            if telling and len(telling & said) >= NAMED * len(telling)
        ]
        return named[0] if len(named) == 1 else None


def _said(text: str) -> frozenset[str]:
    """Return the words of `text` as matching sees them, each number one word in digits."""
    text = _FRACTION.sub("point", _GROUP.sub("", text))
    spelt = (NUMBER_WORDS.get(words.fold(match.group())) for match in words.spaced(text))
    return words.stems(text) | {f"{value:g}" for value in spelt if value is not None}


_SMALL = frozenset(words.stem(word) for word in GLUE)
