"""A question, taken apart: what it asks for, about what, in which stretch of time.

Nothing is guessed that the words do not say: what is understood is shown to the reader, and each
part of it can be given by hand instead.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from fairwitness.answers import unspaced, words
from fairwitness.answers.among import offers
from fairwitness.answers.answer import QuestionError
from fairwitness.answers.explained import Asks
from fairwitness.answers.grammar import ASKING, GLUE, GLUE_OF
from fairwitness.answers.requests import matter_of
from fairwitness.answers.senses import SAME_PLACE, SENSES, Sense
from fairwitness.answers.speakers import speakers_in
from fairwitness.answers.when import TimeWindow, window_in
from fairwitness.posts import language

MAX_QUESTION_CHARS = 4_000
"""A longer question is a document; it is refused rather than half understood."""

_QUOTED = re.compile(r"[\"“«「『]([^\"”»」』]{2,80})[\"”»」』]")
_NAME = re.compile(r"[#@]?[^\W\d_][\w'’-]*", re.UNICODE)
_NUMBER = re.compile(r"\d[\d.,:]*\d|\d+")
_WHICH = re.compile(
    r"\b(?:what|which|que|cual|che|quale|o que|qual|quel\w*|was|welche\w*|что"
    r"|как(?:ои|ая|ое|ие|им|ую|ого))\b"
    r"|什么|哪|何|どんな|どの"
)
_HOW = re.compile(r"\b(?:how|como|comment|wie|как)\b|怎[么样]|どう")
CAPITALS_ARE_NAMES = frozenset(
    {"en", "es", "it", "pt", "fr", "nl", "sv", "ru", "uk", "pl", "und", "ca", "ro", "tr"}
)
"""German writes every noun with a capital, so there they tell nothing."""


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that the question is about."""

    shown: str
    stems: frozenset[str]
    """A span matches the term when it holds any of these."""
    search: tuple[str, ...]
    """Words to search for."""
    own: str = ""
    """The stem of the question's own word, where `stems` hold those of a whole sense."""
    name: bool = False
    """A name, number, tag or quoted phrase: a post without it is about something else."""
    sense: Sense | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, understood."""

    text: str
    lang: str
    asks: Asks
    terms: tuple[Term, ...]
    window: TimeWindow
    phrases: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    """Handles whose own posts are asked for, without @; empty for everybody's."""
    among: tuple[str, ...] = ()
    """What it may be answered with, where it says so."""

    @property
    def stems(self) -> frozenset[str]:
        """The stems of the words that it is about, as they stand in the question."""
        return words.stems(" ".join(term.shown for term in self.terms))

    @property
    def outcome(self) -> bool:
        """Whether the answer is only true once it has happened; not what somebody says of it."""
        return not self.speakers and any(
            term.sense is not None and term.sense.outcome and term.own not in _THINGS
            for term in self.terms
        )


def understand(question: str, now_ms: int, lang: str = "") -> Asked:
    """Take `question` apart as asked at `now_ms`; `lang` overrides its detected language.

    Raises QuestionError when it is empty, too long, or has no words.
    """
    text = unicodedata.normalize("NFC", question).strip()
    if not text:
        raise QuestionError("the question is empty")
    if len(text) > MAX_QUESTION_CHARS:
        raise QuestionError(
            f"the question has {len(text):,} characters; the most is {MAX_QUESTION_CHARS:,}"
        )
    about, among = _alternatives(text)
    spoken = lang or language_of(about)
    summary = matter_of(about)
    speakers, of_matter = speakers_in(summary or about)
    window, without_time = window_in(of_matter, now_ms)
    phrases = tuple(phrase.strip() for phrase in _QUOTED.findall(about))
    terms = _terms(without_time, spoken, phrases)
    asks: Asks = "summary" if summary else kind_of(about) or "what"
    if among and asks == "happening":
        asks = "what"
    if asks != "why":
        # "How many deaths did it cause": only a why asks about causes.
        terms = tuple(t for t in terms if t.sense is None or t.sense.name != "cause") or terms
    if not terms and not speakers and asks not in ("happening", "what", "summary"):
        terms = _terms(without_time, spoken, phrases, keep_glue=True)
    if not any(char.isalnum() for char in text):
        raise QuestionError(f"the question has no words: {text[:60]!r}")
    return Asked(text, spoken, asks, terms, window, phrases, speakers, among)


def _alternatives(text: str) -> tuple[str, tuple[str, ...]]:
    """Return what asks in `text`, and what it offers, if anything."""
    for about, among, marked in offers(text):
        if _may_offer(about, marked=marked):
            return about, among
    return text, ()


def _may_offer(about: str, *, marked: bool) -> bool:
    """Whether `about` asks for one of several things; before a colon it may ask how, too, or for
    what is the latest."""
    folded = words.fold(about)
    if marked and (_HOW.search(folded) or _WHICH.search(folded)):
        return True
    return asks_something(about) and kind_of(about) != "happening"


def language_of(question: str) -> str:
    """Return the language that `question` is surely in, else that of most of its small words."""
    detected, confidence = language.detect(question)
    if confidence >= 0.4:
        return detected
    said = [words.fold(match.group()) for match in words.spaced(question)]
    glue = {lang: sum(word in small for word in said) for lang, small in GLUE_OF.items()}
    return max(glue, key=lambda lang: (glue[lang], lang == "en"))


def kind_of(question: str) -> Asks | None:
    """Return what `question` asks for, None when no word of it says so."""
    folded = words.fold(question).lstrip("¿¡ ")
    which = _WHICH.search(folded)
    for kind, pattern in ASKING:
        match = re.search(pattern, folded)
        # "What was she doing when it fell": after what is asked, these only bind.
        bound = which is not None and match is not None and which.start() < match.start()
        if match and not (bound and kind in ("when", "where")):
            return cast(Asks, kind)
    return None


def asks_something(text: str) -> bool:
    """Whether a word of `text` asks, if only for "what" or "which"."""
    return kind_of(text) is not None or _WHICH.search(words.fold(text)) is not None


def _terms(
    text: str, lang: str, phrases: tuple[str, ...], *, keep_glue: bool = False
) -> tuple[Term, ...]:
    quoted = {words.fold(word) for phrase in phrases for word in phrase.split()}
    found: dict[str, Term] = {}
    shouting = text.isupper() or (text.istitle() and len(text.split()) > 3)
    for at, match in enumerate(words.spaced(text)):
        word = match.group()
        folded = words.fold(word)
        bare = re.sub(r"['’]\w+$", "", folded)
        glue = is_glue(word) or bare in _FOLDED_GLUE
        marked = text[match.start() - 1 : match.start()] in ("#", "@")
        if glue and not marked and not keep_glue:
            continue
        capital = word[0].isupper() and at > 0 and lang in CAPITALS_ARE_NAMES and not shouting
        name = marked or capital or folded in quoted or (word[0].isdigit() and len(word) > 1)
        term = term_of(word, name=name)
        found.setdefault(min(term.stems), term)
    for piece, named in unspaced.pieces(text):
        found.setdefault(piece, term_of(piece, name=named))
    return tuple(merged(found.values()))


def is_glue(word: str) -> bool:
    """Whether a search does without `word`: it only glues, or is a letter."""
    folded = words.fold(word)
    return folded in _FOLDED_GLUE or (len(folded) == 1 and folded.isalpha())


def term_of(word: str, *, name: bool) -> Term:
    """Return `word` as a thing that a question is about."""
    folded = words.fold(word)
    same = _SAME_PLACE.get(folded)
    if same:
        return Term(word, frozenset(map(words.stem, same)), same, name=True)
    sense = None if name else _SENSE_OF.get(words.stem(word))
    if sense:
        stems = frozenset(stem for each in sense.words for stem in words.stems(each))
        own = words.stem(word)
        return Term(word, stems | {own}, (word, *sense.words), own, sense=sense)
    if words.is_unspaced(word):
        return Term(word, frozenset({word}), (word,), name=name)
    return Term(word, frozenset({words.stem(word)}), (word, *_forms(word)), name=name)


def merged(terms: Iterable[Term]) -> list[Term]:
    """Return `terms`, with one of the words of one sense ("people killed, the death toll")."""
    kept: list[Term] = []
    by_sense: dict[str, int] = {}
    for term in terms:
        if term.sense is None or term.sense.name not in by_sense:
            if term.sense is not None:
                by_sense[term.sense.name] = len(kept)
            kept.append(term)
            continue
        at = by_sense[term.sense.name]
        kept[at] = Term(
            f"{kept[at].shown} {term.shown}",
            kept[at].stems | term.stems,
            kept[at].search,
            kept[at].own,
            sense=term.sense,
        )
    return kept


def _forms(word: str) -> tuple[str, ...]:
    """Return likely other forms of a word, to search for: the index knows only whole words."""
    folded = words.fold(word)
    if len(folded) < 4 or not folded.isalpha():
        return ()
    stem = words.stem(word)
    if words.is_cyrillic(word):
        return tuple(sorted({stem, *(stem + ending for ending in words.CYRILLIC_FORMS)} - {word}))
    forms = {folded, stem, stem + "s", folded + "s"}
    if folded[-1] in "aeiou" or folded[-1] == "s":
        forms |= {stem + ending for ending in ("a", "e", "i", "o", "os", "as", "es")}
    else:
        forms |= {stem + ending for ending in ("ed", "ing", "es")}
    return tuple(sorted(forms - {word}))


_THINGS = frozenset(stem for sense in SENSES for each in sense.things for stem in words.stems(each))
_FOLDED_GLUE = frozenset(map(words.fold, GLUE))
_SENSE_OF: dict[str, Sense] = {
    stem: sense for sense in reversed(SENSES) for word in sense.words for stem in words.stems(word)
}
_SAME_PLACE: dict[str, tuple[str, ...]] = {name: row for row in SAME_PLACE for name in row}
