"""A message answered: the questions that it asks, each by the road of a question, in one answer.

It is understood by itself and from what was asked before it, or given already understood. What
asks for help with harm is declined as a whole.
"""

import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from fairwitness.answers import policy
from fairwitness.answers.answer import Answer, Finished, Mode, Said, Told
from fairwitness.answers.compare import beside, compared_in
from fairwitness.answers.court import Court
from fairwitness.answers.explained import Explained, Parsed, Search
from fairwitness.answers.length import MEASURES, Length
from fairwitness.answers.parsed import parsed
from fairwitness.answers.reading import read
from fairwitness.answers.requests import length_in
from fairwitness.answers.road import Desk, answered, declined, hear, leading_of
from fairwitness.answers.several import joined, said_of
from fairwitness.answers.understand import Asked
from fairwitness.posts.clock import to_iso


def ask(
    desk: Desk,
    question: str | Asked,
    *,
    mode: Mode = "regular",
    lang: str = "",
    as_of_ms: int | None = None,
    earlier: Sequence[str] = (),
    edited: Sequence[Parsed] = (),
    explain: bool = False,
    length: Length = "normal",
) -> Iterator[Told]:
    """Answer `question` from what was visible at `as_of_ms` (None: now).

    One that is understood already is asked as it is. `earlier` are the messages of the conversation
    before it, the oldest first; what it leaves out is taken from them. `edited` are questions that
    are asked as they are given, in its place. `length` is a budget of sentences for each question;
    where it is "normal", words of `question` may ask for another ("in one sentence").
    Raises QuestionError when it cannot be asked.
    """
    started_s = time.perf_counter()
    moment_ms = desk.now_ms() if as_of_ms is None else as_of_ms
    if isinstance(question, Asked):
        questions, message = [question], question.text
    else:
        asked_for, question = length_in(question)
        length = asked_for if length == "normal" else length
        earlier = [length_in(each)[1] for each in earlier]
        who = _teller(desk, moment_ms)
        questions = read(question, moment_ms, lang=lang, earlier=earlier, edited=edited, who=who)
        message = unicodedata.normalize("NFC", question).strip() or " ".join(
            each.text for each in questions
        )
    measure = MEASURES[length]
    courts = [
        Court(
            each,
            mode,
            lang or each.lang,
            moment_ms,
            started_s,
            measure.of_summary if each.asks == "summary" else measure,
        )
        for each in questions
    ]
    answers: list[Answer] = []
    decline = next(filter(None, map(policy.declined, (message, *map(_said_by, questions)))), None)
    if decline:
        answers.append(declined(desk, courts[0], decline))
        courts = courts[:1]
    for court in courts if decline is None else ():
        cited = sum(len(answer.sources) for answer in answers)
        for told in answered(desk, court):
            if isinstance(told, Finished):
                answers.append(told.answer)
            else:
                yield told if len(courts) == 1 else said_of(told, court.asked.text, cited)
    total_ms = courts[0].elapsed_ms()
    answer = joined(message, answers, total_ms) if len(answers) > 1 else answers[0]
    if _compares(message, questions) and not answer.abstained:
        answer = beside(answer, courts)
        yield Said(answer.sentences[-1], ())
    if explain:
        answer = replace(answer, explained=_explained(courts))
    yield Finished(answer)


def _compares(message: str, questions: Sequence[Asked]) -> bool:
    sides = compared_in(message)
    return sides is not None and [each.text for each in questions] == list(sides)


def _said_by(asked: Asked) -> str:
    """Return all that a question says: an edited one says more in its words than in its text."""
    return " ".join((asked.text, *(t.shown for t in asked.terms if t.shown not in asked.text)))


def _teller(desk: Desk, moment_ms: int) -> Callable[[Asked], str]:
    """Return what tells whom the posts name in answer to a question."""

    def who(asked: Asked) -> str:
        court = Court(asked, "regular", asked.lang, moment_ms, time.perf_counter())
        leading = leading_of(asked, hear(desk, court))
        return leading[0].says if leading else ""

    return who


def _explained(courts: Sequence[Court]) -> Explained:
    searches = (
        Search(
            place,
            tuple(dict.fromkeys(word for term in court.asked.terms for word in term.search)),
            posts=court.retrieved.searched,
            read=len(court.retrieved.hits),
            spans=len(court.heard),
            rounds=court.rounds,
        )
        for place, court in enumerate(courts)
        if court.retrieved.searched
    )
    as_of = to_iso(courts[0].as_of_ms)
    return Explained(as_of, tuple(parsed(court.asked) for court in courts), tuple(searches))
