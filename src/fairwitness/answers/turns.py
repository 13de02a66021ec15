"""Follow-ups: what a question leaves out, taken from the question before it.

"And in Paris?", "since when?", "how old is he?" say only what is other than before. What is carried
over stands behind the question in brackets, so that a reader sees it; nothing is carried that the
question before did not say, except who did what it asked: that is what the posts say.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from fairwitness.answers import words
from fairwitness.answers.grammar import WHO_SAYS
from fairwitness.answers.speakers import handles_in
from fairwitness.answers.understand import (
    CAPITALS_ARE_NAMES,
    Asked,
    Term,
    asks_something,
    is_glue,
    kind_of,
    merged,
    term_of,
)

_LED = re.compile(
    r"^[\s¿¡«\"]*(?:and|but|so|or|what about|how about|and what about|y|pero|e|ma|mas|et|mais|und"
    r"|aber|а|и|но|que tal|et pour|was ist mit|а как насчет|那么|那|では|じゃあ)(?![^\W\d_])[\s,]*"
    r"|呢[?？]?\s*$|は[?？]\s*$",
)
"""How a question begins, or ends, that goes on from another one; on the folded question."""

_PERSON = re.compile(
    r"\b(?:he|she|him|his|her|hers|they|them|their|ellos|ellas|ella|lui|lei|loro|ele|ela|eles|elas"
    r"|elle|ils|elles|ihn|ihm|ihr|он|она|они|его|ее|ему|ей|их)\b|\b(?:él)\b|他|她|彼女?"
)
_THING = re.compile(
    r"(?<!is )(?<!was )\bit\b|\bits\b"
    r"|(?<!is )(?<!are )(?<!was )(?<!were )(?<!has )(?<!have )\bthere\b"
    r"|\b(?:that|this|those|these)[\s?]*$|\b(?:is|was|did|does|has|will) (?:it|this|that)\b"
    r"|\b(?:eso|esto|alli|ahi|cio|li|isso|isto|ali|ca|cela|dort|там|это|этого)\b"
    r"|那里|那儿|那个|这个|それ|そこ"
)
"""What stands for somebody, and for something; the latter on the folded question."""

_SMALL = frozenset(
    "since about from until ever still again yet else really right ok okay him desde depuis seit"
    " seither allora então entonces alors then sobre hasta bis ella ellos ellas lui lei loro ele"
    " ela elle ils elles ihn ihm eso esto alli ahi cio li isso isto ali ca cela dort того с каких"
    " пор там это него нее них ним 时候 几点 何时 何人 地方 か"
    " next afterwards later sure certain true despues luego dopo poi depois apres danach потом"
    " verdad cierto seguro vero sicuro verdade certo vrai wahr sicher правда точно".split()
)
_PLACED = frozenset(
    "in at near from of en a de para desde em na no nas nos da do di del della dell nel nella nello"
    " au aux à dans du des im am bei aus von nach в во на из под".split()
)
"""Words before a name that make it a place, or the whole of which something is part."""

_PEOPLE = frozenset({"dead", "hurt", "missing", "evacuate"})
_MOST_WORDS = 4
"""A question with more words of its own that does not say so goes on from nothing."""


_MARKS = " ¿¡?!？！。.…"
_GOES_ON = re.compile(r"^(?:那么|那|では|じゃあ)[，,、]?")


def bare(question: str) -> str:
    """Return `question` without what in scripts without spaces says that it goes on: it would be
    read as a part of its first word."""
    return _GOES_ON.sub("", question) if question.endswith(("呢", "呢?", "呢？")) else question


def follow(asked: Asked, before: Asked, who: Callable[[Asked], str]) -> Asked:
    """Return `asked` with what it leaves out; itself when it leaves out nothing.

    `who` tells whom the posts name in answer to a question, empty when nobody.
    """
    own = [term for term in asked.terms if not _small(term)]
    folded = words.fold(asked.text)
    led = _LED.search(folded) is not None
    if WHO_SAYS.fullmatch(folded.strip(_MARKS)):
        return replace(_same_matter(asked, before), asks=before.asks)  # its sources say who
    if before.speakers and (spoken := _spoken(asked, own, before)):
        return spoken
    thing = _THING.search(folded) is not None
    if _refers_to_person(asked.text, own) and (own or not thing):
        return _carrying(asked, own, _persons(before, who, own), before)
    if not own:
        return _same_matter(asked, before)
    if not asks_something(_LED.sub("", folded)):
        other = led or (asked.text.endswith(("?", "？")) and len(own) <= _MOST_WORDS)
        return _other_matter(asked, own, before) if other else asked
    named = any(term.name for term in own)
    if led or (not named and thing) or leans(own):
        # "It" stands for what was spoken of, whatever else is asked of it.
        roles = {_role(term, asked.text) for term in own} - ({"word"} if thing else set())
        carried = [t for t in topic(before.terms) if _role(t, before.text) not in roles]
        return _carrying(asked, own, carried, before)
    return asked


def _spoken(asked: Asked, own: Sequence[Term], before: Asked) -> Asked | None:
    """ "And @esa?", "what did they say about Mars?": of others, or of another matter."""
    others = asked.speakers or handles_in(asked.text)
    if others and all(f"@{term.shown}".casefold() in asked.text.casefold() for term in own):
        text = f"{before.text} ({' '.join(f'@{name}' for name in others)})"
        return replace(before, text=text, speakers=others)
    if others or not own or not _refers_to_person(asked.text, own):
        return None
    names = " ".join(f"@{name}" for name in before.speakers)
    return replace(asked, text=f"{asked.text} ({names})", speakers=before.speakers)


def leaning_on(asked: Asked, after: Asked) -> Asked:
    """Return the first of two questions that one sentence joins, with what only the second says:
    "how many died and how many were hurt in Oldtown"."""
    if not leans(asked.terms):
        return asked
    return _carrying(asked, asked.terms, topic(after.terms), after)


def leans(terms: Sequence[Term]) -> bool:
    """Whether all of `terms` say what happened, and none to what: "who won", "how many died"."""
    return bool(terms) and all(map(_happens, terms))


def topic(terms: Sequence[Term]) -> list[Term]:
    """Return those of `terms` that say what a question is about, not what it asks of it."""
    return [term for term in terms if not _happens(term)] or list(terms)


def _happens(term: Term) -> bool:
    return term.sense is not None and (term.sense.outcome or term.sense.name in _PEOPLE)


def _small(term: Term) -> bool:
    folded = words.fold(term.shown)
    return is_glue(term.shown) or folded in _SMALL


def _refers_to_person(question: str, own: Sequence[Term]) -> bool:
    """Whether a pronoun stands for somebody whom the question has not named before it."""
    match = _PERSON.search(question.casefold())
    if match is None:
        return False
    before = question[: match.start()]
    return not any(term.name and term.shown in before for term in own)


def _persons(before: Asked, who: Callable[[Asked], str], own: Sequence[Term]) -> list[Term]:
    """Return whom a pronoun stands for, and in what matter, where the same deed is asked about."""
    if before.asks == "who" and (name := who(before)):
        deeds = {term.sense for term in own} & {t.sense for t in before.terms} - {None}
        return [term_of(name, name=True), *(topic(before.terms) if deeds else ())]
    named = [term for term in before.terms if term.name]
    people = [term for term in named if _role(term, before.text) == "name"]
    return people or named or topic(before.terms)


def _same_matter(asked: Asked, before: Asked) -> Asked:
    """ "Since when?", "and yesterday?": the question before, asked otherwise."""
    window = before.window if asked.window.whole else asked.window
    return replace(
        before,
        text=f"{asked.text} ({before.text})",
        asks=kind_of(asked.text) or before.asks,
        window=window,
    )


def _other_matter(asked: Asked, own: Sequence[Term], before: Asked) -> Asked:
    """ "And in Paris?": the question before, of something else."""
    own = [_as_name(term, asked.lang) for term in own]
    gone = _replaced(asked, own, before)
    left = [term for term in before.terms if term not in gone]
    window = before.window if asked.window.whole else asked.window
    return replace(
        before,
        text=_reworded(before.text, gone, _as_said(own, asked.text)),
        terms=tuple(merged([*left, *own])),
        window=window,
        phrases=asked.phrases,
    )


def _carrying(asked: Asked, own: Sequence[Term], carried: Sequence[Term], before: Asked) -> Asked:
    known = {stem for term in own for stem in term.stems}
    more = [term for term in carried if not term.stems & known]
    if not more:
        return asked
    window = before.window if asked.window.whole else asked.window
    terms = tuple(merged([*own, *more]))
    return replace(asked, text=f"{asked.text} ({_phrase(more)})", terms=terms, window=window)


def _replaced(asked: Asked, own: Sequence[Term], before: Asked) -> list[Term]:
    """Return the terms of `before` in whose place those of a follow-up stand."""
    if all(words.is_unspaced(term.shown) and term.sense is None for term in own):
        return _first_run(before.terms)
    roles = {_role(term, asked.text) for term in own}
    gone = [term for term in before.terms if _role(term, before.text) in roles - {"word"}]
    if gone or "name" not in roles:
        return gone
    return [term for term in before.terms if _role(term, before.text) == "place"]


def _first_run(terms: Sequence[Term]) -> list[Term]:
    """Return the pairs of the first run of a script without spaces: its name or place."""
    run: list[Term] = []
    for term in terms:
        if term.sense is not None or not words.is_unspaced(term.shown):
            if run:
                break
        elif not run or run[-1].shown[-1] == term.shown[0]:
            run.append(term)
        else:
            break
    return run


def _role(term: Term, question: str) -> str:
    """Return what a term is in its question: terms of one role take each other's place."""
    if term.shown[0].isdigit():
        return "number"
    if _placed(term, question):
        return "place"
    if term.name:
        return "name"
    if term.sense is None:
        return "word"
    if term.sense.name in _PEOPLE:
        return "people"
    return "outcome" if term.sense.outcome else "event"


def _placed(term: Term, question: str) -> bool:
    """Whether a capital is a place: the words before it, over capitals, end with "in" or so."""
    if not term.shown[0].isupper() or term.sense is not None:
        return False
    at = question.find(term.shown)
    before = re.findall(r"[^\W_]+", question[: max(at, 0)])
    while before and before[-1][0].isupper() and words.fold(before[-1]) not in _PLACED:
        before.pop()
    return bool(before) and before[-1].casefold() in _PLACED


def _reworded(question: str, gone: Sequence[Term], phrase: str) -> str:
    """Return `question` with `phrase` for what is gone, or behind it where that is no one run."""
    places = sorted(
        (at, at + len(term.shown)) for term in gone if (at := question.find(term.shown)) >= 0
    )
    if not places or len(places) < len(gone) or not _is_run(places):
        return f"{question} ({phrase})"
    start, end = _from_capitals(question, places[0][0]), max(until for _, until in places)
    return f"{question[:start]}{phrase}{question[end:]}"


def _as_said(terms: Sequence[Term], question: str) -> str:
    """Return terms as `question` says them, with "New" before "York", where they are one run."""
    places = sorted(
        (at, at + len(term.shown)) for term in terms if (at := question.find(term.shown)) >= 0
    )
    if len(places) < len(terms) or not _is_run(places):
        return _phrase(terms)
    return question[_from_capitals(question, places[0][0]) : places[-1][1]]


def _is_run(places: Sequence[tuple[int, int]]) -> bool:
    return all(after - until <= 1 for (_, until), (after, _) in pairwise(places))


def _from_capitals(question: str, at: int) -> int:
    """Return where the capitals begin that stand before the place `at`, if it is one itself."""
    capitals = re.search(r"(?<=[^\W_] )(?:[A-ZÀ-ÞА-Я]\w*\s)+$", question[:at])
    return capitals.start() if capitals and question[at : at + 1].isupper() else at


def _as_name(term: Term, lang: str) -> Term:
    """Return a term that a capital makes a name, though it begins its question."""
    capital = term.shown[0].isupper() and term.sense is None and lang in CAPITALS_ARE_NAMES
    return replace(term, name=True) if capital else term


def _phrase(terms: Sequence[Term]) -> str:
    """Return terms as they are said; pairs of a script without spaces as the run they are from."""
    said = ""
    for term in terms:
        if words.is_unspaced(term.shown) and said[-1:] == term.shown[:1] and len(term.shown) > 1:
            said += term.shown[1:]
        else:
            said += f" {term.shown}"
    return said.strip()
