"""Questions in seven languages about posts in them, ours, and what a right quote holds.

`languages.jsonl` has for each question spans of real posts, any of which answers it, and the id of
a post that holds one; questions without spans are about what no post tells. The posts stay where
they are: crises of CrisisLex (MIT; en es it pt, some ja zh), channels of Telegram (CC BY 4.0; ru),
posts of Weibo (zh) and of X (ja). Every second question of a language is held back: rules are
mended by the first half alone, and both are reported.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from fairwitness.answers import Answer, QuestionError
from fairwitness.evals.cited import share
from fairwitness.evals.hearing import Hearing

BUNDLED = Path(__file__).with_name("languages.jsonl")


class Asking(msgspec.Struct, frozen=True):
    """One question of a set."""

    lang: str
    ask: str
    spans: tuple[str, ...]
    """A right quote holds one of these; empty where nobody answers."""
    post: str
    """The id of a post that holds one."""


class Half(msgspec.Struct, frozen=True):
    """What came of the questions of one language, or of half of them. Shares of 1."""

    answerable: int
    right: float
    """Of these, answered with a quote that holds the answer."""
    wrong_sure: float
    """Of these, answered otherwise and without a hedge."""
    wrong_hedged: float
    silent: float
    """Of these, abstained."""
    unanswerable: int
    abstained: float
    """Of what nobody answers, abstained."""


class Language(msgspec.Struct, frozen=True):
    """What came of the questions of one language."""

    all: Half
    mended_by: Half
    """The half by which rules were mended."""
    held_back: Half


class Outcome(msgspec.Struct, frozen=True):
    """One question, and what came of it."""

    asking: Asking
    came: str
    """`right`, `sure` or `hedged` when wrong, `silent`."""
    answer: Answer | None


def askings(path: Path) -> list[Asking]:
    """Return the questions of a file of JSON lines; raises msgspec.ValidationError."""
    lines = path.read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Asking) for line in lines if line.strip()]


def outcomes(
    hearing: Hearing, asked: Sequence[Asking], told: Callable[[int, int], None]
) -> list[Outcome]:
    """Ask each question; `told(done, total)` hears how far it is."""
    found = []
    for done, each in enumerate(asked, 1):
        answer = _ask(hearing, each.ask)
        found.append(Outcome(each, came_of(each, answer), answer))
        told(done, len(asked))
    return found


def languages(found: Sequence[Outcome]) -> dict[str, Language]:
    """Count what came of the questions of each language."""
    by_lang: dict[str, list[Outcome]] = {}
    for each in found:
        by_lang.setdefault(each.asking.lang, []).append(each)
    return {
        lang: Language(_half(some), _half(some[::2]), _half(some[1::2]))
        for lang, some in by_lang.items()
    }


def came_of(asking: Asking, answer: Answer | None) -> str:
    """Return what came of a question."""
    if answer is None or answer.abstained:
        return "silent"
    if any(s.kind == "quote" and _holds(s.text, asking.spans) for s in answer.sentences):
        return "right"
    return "sure" if answer.standing == "agreed" else "hedged"


def _half(some: Sequence[Outcome]) -> Half:
    answerable = [each.came for each in some if each.asking.spans]
    rest = [each.came for each in some if not each.asking.spans]
    return Half(
        answerable=len(answerable),
        right=share([came == "right" for came in answerable]),
        wrong_sure=share([came == "sure" for came in answerable]),
        wrong_hedged=share([came == "hedged" for came in answerable]),
        silent=share([came == "silent" for came in answerable]),
        unanswerable=len(rest),
        abstained=share([came == "silent" for came in rest]),
    )


def _ask(hearing: Hearing, question: str) -> Answer | None:
    try:
        return hearing.ask(question)
    except QuestionError:
        return None


def _holds(text: str, spans: Sequence[str]) -> bool:
    """Whether `text` holds a span: no part of a longer number, nor the end of a longer word."""
    said = _plain(text)
    return any(_pattern(_plain(span)).search(said) for span in spans)


def _pattern(span: str) -> re.Pattern[str]:
    before = r"(?<!\d)(?<!\d[.,])" if span[0].isdigit() else r"(?<![a-zà-ÿа-я])"
    after = r"(?!\d)(?![.,]\d)" if span[-1].isdigit() else ""
    return re.compile(before + re.escape(span) + after)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
