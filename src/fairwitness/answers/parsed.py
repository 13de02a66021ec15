"""A question as it was understood, to be shown, changed and given back.

What is shown is all that the road goes by: given back unchanged it is the same question, and each
part of it that is given otherwise counts. What is left out is understood from the question again.
"""

from dataclasses import replace

from msgspec import UNSET, UnsetType

from fairwitness.answers import words
from fairwitness.answers.answer import QuestionError
from fairwitness.answers.explained import Parsed, Words
from fairwitness.answers.understand import Asked, Term, is_glue, merged, term_of, understand
from fairwitness.answers.when import TimeWindow
from fairwitness.posts.clock import from_iso, to_iso
from fairwitness.posts.post import FOREVER_MS


def parsed(asked: Asked) -> Parsed:
    """Return `asked` as it is shown."""
    quoted = {words.fold(word) for phrase in asked.phrases for word in phrase.split()}
    told: dict[str, list[str]] = {"words": [], "names": [], "handles": [], "numbers": []}
    for term in asked.terms:
        if words.fold(term.shown) not in quoted:
            told[_place(term, asked.text)] += _shown(term, asked.text)
    return Parsed(
        question=asked.text,
        lang=asked.lang,
        asks=asked.asks,
        words=tuple(told["words"]),
        phrases=asked.phrases,
        names=tuple(told["names"]),
        handles=tuple(told["handles"]),
        speakers=tuple(f"@{name}" for name in asked.speakers),
        numbers=tuple(told["numbers"]),
        among=asked.among,
        since="" if asked.window.since_ms <= -FOREVER_MS else to_iso(asked.window.since_ms),
        until="" if asked.window.until_ms >= FOREVER_MS else to_iso(asked.window.until_ms),
    )


def asked_of(given: Parsed, now_ms: int) -> Asked:
    """Return the question that is given, with its own words for what is not.

    Raises QuestionError for a question that cannot be asked, a time that is none, and a window that
    ends before it begins.
    """
    base = understand(given.question, now_ms, given.lang or "")
    own = parsed(base)
    window = _window(_or(given.since, own.since), _or(given.until, own.until))
    asks = base.asks if given.asks is UNSET else given.asks
    phrases = base.phrases if given.phrases is UNSET else given.phrases
    base = replace(base, speakers=_names_of(given.speakers, base.speakers))
    among = _list(given.among, own.among)
    lists = (given.words, given.phrases, given.names, given.handles, given.numbers)
    if all(each is UNSET for each in lists):
        return replace(base, asks=asks, window=window, among=among)
    terms = [
        *(term_of(word, name=False) for word in _list(given.words, own.words)),
        *(term_of(w, name=True) for p in phrases for w in _spaced(p) if not is_glue(w)),
        *(term_of(name, name=True) for name in _list(given.names, own.names)),
        *(term_of(name.lstrip("@"), name=True) for name in _list(given.handles, own.handles)),
        *(term_of(n, name=len(n) > 1) for n in _list(given.numbers, own.numbers)),
    ]
    return replace(
        base,
        asks=asks,
        terms=tuple(merged(_in_order(terms, base.text))),
        window=window,
        phrases=phrases,
        among=among,
    )


def _names_of(given: Words, own: tuple[str, ...]) -> tuple[str, ...]:
    return own if given is UNSET else tuple(name.lstrip("@").lower() for name in given)


def _place(term: Term, question: str) -> str:
    if term.shown[0].isdigit():
        return "numbers"
    if not term.name:
        return "words"
    return "handles" if f"@{term.shown}" in question else "names"


def _shown(term: Term, question: str) -> list[str]:
    if term.name:
        return [f"@{term.shown}" if f"@{term.shown}" in question else term.shown]
    return term.shown.split()


def _spaced(phrase: str) -> list[str]:
    return [match.group() for match in words.spaced(phrase)]


def _in_order(terms: list[Term], question: str) -> list[Term]:
    """Return `terms`, each once, as they stand in the question; those of unspaced scripts last."""
    known: dict[str, Term] = {}
    for term in terms:
        known.setdefault(min(term.stems), term)

    def place(term: Term) -> tuple[bool, int]:
        at = question.find(term.shown)
        return words.is_unspaced(term.shown), at if at >= 0 else len(question)

    return sorted(known.values(), key=place)


def _window(since: str, until: str) -> TimeWindow:
    try:
        since_ms = from_iso(since) if since else -FOREVER_MS
        until_ms = from_iso(until) if until else FOREVER_MS
    except ValueError as error:
        raise QuestionError(f"the window of time cannot be read: {error}") from None
    if since_ms >= until_ms:
        raise QuestionError(f"the window of time begins at {since} and ends before, at {until}")
    return TimeWindow(since_ms, until_ms)


def _or(given: str | UnsetType, own: str | UnsetType) -> str:
    return given if given is not UNSET else own or ""


def _list(given: Words, own: Words) -> tuple[str, ...]:
    return given if given is not UNSET else own or ()
