"""A message read as the questions that it asks, in the light of those asked before it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from fairwitness.answers.answer import QuestionError
from fairwitness.answers.compare import compared_in
from fairwitness.answers.explained import Parsed
from fairwitness.answers.parsed import asked_of
from fairwitness.answers.split import questions_in
from fairwitness.answers.turns import bare, follow, leaning_on
from fairwitness.answers.understand import MAX_QUESTION_CHARS, Asked, asks_something, understand

MAX_EARLIER = 8
"""Questions of a conversation that are looked back on."""


def read(
    message: str,
    now_ms: int,
    *,
    lang: str = "",
    earlier: Sequence[str] = (),
    edited: Sequence[Parsed] = (),
    who: Callable[[Asked], str],
) -> list[Asked]:
    """Return what `message` asks at `now_ms`, or what is given `edited` instead.

    `earlier` are the messages before it, the oldest first. Raises QuestionError when there is
    nothing to ask.
    """
    if edited:
        return [asked_of(each, now_ms) for each in edited]
    if sides := compared_in(message):
        return [_side(each, now_ms, lang) for each in sides]
    before = None
    for past in filter(_asks, earlier[-MAX_EARLIER:]):
        try:
            before = _questions(past, now_ms, lang, before, who)[-1]
        except QuestionError:
            continue  # what was asked before it still stands
    return _questions(message, now_ms, lang, before, who)


def _side(text: str, now_ms: int, lang: str) -> Asked:
    """Return what is asked about one of two things that are compared: its main statements."""
    return replace(understand(text, now_ms, lang), asks="summary")


def _asks(past: str) -> bool:
    """Whether a message of a conversation is more than a greeting or thanks."""
    return asks_something(past) or "?" in past or len(past.split()) > SHORT_WORDS


def _questions(
    message: str, now_ms: int, lang: str, before: Asked | None, who: Callable[[Asked], str]
) -> list[Asked]:
    if len(message) > MAX_QUESTION_CHARS or not message.strip():
        return [understand(message, now_ms, lang)]  # which refuses it
    found: list[Asked] = []
    for joined in questions_in(message):
        clauses = []
        for text in joined:
            before = _question(text, now_ms, lang, before, who)
            clauses.append(before)
        for at in range(len(clauses) - 1):
            clauses[at] = leaning_on(clauses[at], clauses[-1])
        found += clauses
    return found


def _question(
    text: str, now_ms: int, lang: str, before: Asked | None, who: Callable[[Asked], str]
) -> Asked:
    if before is None:
        return understand(text, now_ms, lang)
    short = len(text.split()) <= SHORT_WORDS
    asked = understand(bare(text), now_ms, lang or (before.lang if short else ""))
    return follow(asked, before, who)


SHORT_WORDS = 3
"""Too few words to tell a language by: theirs is that of the question before."""
