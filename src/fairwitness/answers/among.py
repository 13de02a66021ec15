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


class _Word(NamedTuple):
    """A word as matching sees it."""

    stem: str
    small: bool
    found_by: frozenset[str]
    """Any of these in a text is the word."""
    shows: frozenset[str]
    """What the word in a text is found by."""


class Alternatives:
    """What a question offers, ready to be looked for in spans."""

    def __init__(self, offered: Sequence[str], known: frozenset[str] = frozenset()) -> None:
        """Take what is offered; `known` are the stems of the question, which tell nothing."""
        said = {each: _words(each) for each in offered}
        count = Counter(stem for each in said.values() for stem in {word.stem for word in each})
        self._telling: dict[str, tuple[_Word, ...]] = {}
        self._needed: dict[str, float] = {}
        for each, all_words in said.items():
            apart = [
                w for w in all_words if count[w.stem] == 1 and not w.small and w.stem not in known
            ]
            self._telling[each] = tuple(apart or all_words)
            # Where no word is its own, only all of them together name it.
            self._needed[each] = (NAMED if apart else 1.0) * len(self._telling[each])

    def named_in(self, text: str) -> str | None:
        """Return the alternative that `text` names; None when it names none, or several."""
        found = self.found_in(text)
        return found.answer if found else None

    def found_in(self, text: str) -> "Named | None":
        """Return how `text` names the one alternative that it names."""
        shown = frozenset(key for word in _words(text) for key in word.shows)
        named = [
            each
            for each, telling in self._telling.items()
            if telling and sum(bool(w.found_by & shown) for w in telling) >= self._needed[each]
        ]
        if len(named) != 1:
            return None
        telling = self._telling[named[0]]
        whole = all(word.found_by & shown for word in telling)
        return Named(named[0], whole, frozenset(word.stem for word in telling))


class Named(NamedTuple):
    """An alternative that a text names."""

    answer: str
    whole: bool
    """Whether all of its telling words are there."""
    stems: frozenset[str]
    """Those of its telling words."""


def _words(text: str) -> list[_Word]:
    """Return the words of `text` as matching sees them, each once, each number in digits.

    Two words with capitals are one name only if nothing but a plural parts them: `France` is not
    `Francis`, though both have one stem.
    """
    text = _FRACTION.sub("point", _GROUP.sub("", text))
    found = []
    for match in words.spaced(text):
        word, folded = match.group(), words.fold(match.group())
        stem, small = words.stem(word), folded in _SMALL
        number = NUMBER_WORDS.get(folded)
        if number is not None:
            stem = f"{number:g}"
            found.append(_Word(stem, small, frozenset({stem}), frozenset({stem})))
        elif word[0].isupper():
            name = "^" + _PLURAL.sub("", folded)
            found.append(_Word(stem, small, frozenset({stem, name}), frozenset({"~" + stem, name})))
        else:
            found.append(_Word(stem, small, frozenset({stem, "~" + stem}), frozenset({stem})))
    for run in words.unspaced_runs(text):
        pairs = (frozenset({pair}) for pair in sorted(words.stems(run.group())))
        found += [_Word(min(pair), small=False, found_by=pair, shows=pair) for pair in pairs]
    return list(dict.fromkeys(found))


_PLURAL = re.compile(r"(?:['’]s|s|es)$")
_SMALL = frozenset(map(words.fold, GLUE))
