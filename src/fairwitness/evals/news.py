"""RealTimeQA as it happened: each week's questions before its pages came, and after.

Questions and pages: https://github.com/realtimeqa/realtimeqa_public. The questions of a week are
asked, then the pages that were found for them are taken in, each seen on the day it was published,
and the questions are asked again, both times as of the end of their own day. Each is asked openly:
its choices are not shown, they only judge, and an answer is right when it names the right choice
before it names any other. And each is asked with its choices, as its makers do: then an answer is
right when the right choice leads it.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from fairwitness.answers import Answer, QuestionError, words
from fairwitness.answers.among import Alternatives
from fairwitness.answers.offered import learned_from
from fairwitness.answers.quote import Span, spans_of
from fairwitness.answers.understand import is_glue
from fairwitness.evals.cited import share
from fairwitness.evals.hearing import Hearing
from fairwitness.posts import clean
from fairwitness.posts.clock import from_iso
from fairwitness.posts.compose import Parts, compose_all
from fairwitness.posts.post import Post

_DAY_MS = 86_400_000
_WORD = re.compile(r"[^\W_]+")

Row = Mapping[str, Any]


class News(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of 1. An answer with a hedge says that one alone, or nobody outright, says so."""

    answerable: int
    """Questions whose right choice stands anywhere in a page that was found for them, published by
    then: `11` in a page of another matter counts too."""
    stated: int
    """Of these, those whose right choice stands in one sentence of such a page with two words of
    the question."""
    accuracy: float
    """Of these, answered rightly: the right choice stands in the answer, word for word, before any
    other."""
    accuracy_in_words: float
    """The same, where half of the words that tell a choice from the others name it: `Mamdani` for
    `Zohran Mamdani`, `Canada and Mexico` for `Mexico & Canada`."""
    accuracy_stated: float
    """The share of `stated` that is answered rightly."""
    accuracy_stated_in_words: float
    abstained_unanswerable: float
    abstained_unstated: float
    """Of all that are not `stated`, abstained."""
    wrong_confident: float
    """Of all questions, answered otherwise and without a hedge."""
    wrong_hedged: float
    abstained_before_feed: float
    wrong_before_feed: float
    """Of all questions, answered otherwise before their pages came, hedged or not: what older pages
    told rightly is left out."""
    asked: int
    offered: "News | None" = None
    """The same of the same questions when their choices are offered to whoever answers."""
    held_back: "News | None" = None
    """Where choices are offered: the same of the half by which no weight was learned."""


@dataclass(frozen=True)
class Told:
    """One question, and what came of it."""

    name: str
    question: str
    right: str
    answerable: bool
    stated: bool
    """Whether a sentence states the right choice, by the rule of `states`."""
    before: Answer | None
    after: Answer | None
    """None where the question could not be asked."""
    outcome_before: str
    outcome: str
    """`right`, `wrong` or `abstained`."""
    in_words: bool
    """Whether the right choice is named first, if not word for word."""
    offered: "Told | None" = None
    """The same question, asked with its choices."""


def ask_the_news(
    hearing: Hearing,
    questions: Sequence[Row],
    pages: Sequence[Row],
    told: Callable[[int, int], None],
) -> list[Told]:
    """Go through the weeks; `told(done, total)` hears how far it is."""
    by_week: dict[str, list[Row]] = defaultdict(list)
    for row in questions:
        by_week[row["question_id"].split("_")[0]].append(row)
    found: dict[str, list[Row]] = defaultdict(list)
    for page in pages:
        for name in page["questions"]:
            found[name].append(page)
    outcomes: list[Told] = []
    for week in sorted(by_week):
        asked = by_week[week]
        before = [_both(hearing, row) for row in asked]
        hearing.take_posts(_posts([page for row in asked for page in found[row["question_id"]]]))
        for row, earlier in zip(asked, before, strict=True):
            outcomes.append(_told(row, found[row["question_id"]], earlier, _both(hearing, row)))
            told(len(outcomes), len(questions))
    return outcomes


def news(outcomes: Sequence[Told]) -> News:
    """Count what came of the questions."""
    answerable = [each for each in outcomes if each.answerable]
    rest = [each for each in outcomes if not each.answerable]
    stated = [each for each in outcomes if each.stated]
    unstated = [each for each in outcomes if not each.stated]
    wrong = [each.after for each in outcomes if each.outcome == "wrong" and each.after]
    sure = sum(answer.standing == "agreed" for answer in wrong)
    before = [each.outcome_before == "abstained" for each in outcomes]
    offered = [each.offered for each in outcomes if each.offered]
    return News(
        answerable=len(answerable),
        stated=len(stated),
        accuracy=share([each.outcome == "right" for each in answerable]),
        accuracy_in_words=share([each.in_words for each in answerable]),
        accuracy_stated=share([each.outcome == "right" for each in stated]),
        accuracy_stated_in_words=share([each.in_words for each in stated]),
        abstained_unanswerable=share([each.outcome == "abstained" for each in rest]),
        abstained_unstated=share([each.outcome == "abstained" for each in unstated]),
        wrong_confident=round(sure / max(1, len(outcomes)), 4),
        wrong_hedged=round((len(wrong) - sure) / max(1, len(outcomes)), 4),
        abstained_before_feed=share(before),
        wrong_before_feed=share([each.outcome_before == "wrong" for each in outcomes]),
        asked=len(outcomes),
        offered=_offered(offered) if offered else None,
    )


def _offered(outcomes: Sequence[Told]) -> News:
    rest = [each for each in outcomes if not learned_from(each.name)]
    return msgspec.structs.replace(news(outcomes), held_back=news(rest))


def of_the_time(questions: Sequence[Row], pages: Sequence[Row], most: int) -> list[Row]:
    """Return the questions of the weeks in which `pages` were searched, `most` of them evenly."""
    days = sorted(page["search_time"][:10] for page in pages)
    first, last = (from_iso(day.replace("/", "-")) for day in (days[0], days[-1]))
    kept = [row for row in questions if first - 7 * _DAY_MS <= _day_ms(row) <= last]
    step = max(1, len(kept) // most) if most else 1
    return kept[::step]


Asked = tuple[Answer | None, Answer | None]
"""One question, asked openly and with its choices; None where it could not be asked."""


def _both(hearing: Hearing, row: Row) -> Asked:
    question = clean.from_html(row["question_sentence"]).text
    return _ask(hearing, row, question), _ask(hearing, row, _offering(question, row["choices"]))


def _offering(question: str, choices: Sequence[str]) -> str:
    """Return the question as somebody puts it who knows what the answer may be."""
    *sooner, last = (choice.strip().replace(";", ",") for choice in choices)
    return f"{question.rstrip(' ?.:')}: {'; '.join(sooner)}; or {last}?"


def _ask(hearing: Hearing, row: Row, question: str) -> Answer | None:
    try:
        return hearing.ask(question, as_of_ms=_day_ms(row) + _DAY_MS - 1)
    except QuestionError:
        return None


def _told(row: Row, pages: Sequence[Row], before: Asked, after: Asked) -> Told:
    choices = [_plain(choice) for choice in row["choices"]]
    right = choices[int(row["answer"][0])]
    by_then = _day_ms(row) + _DAY_MS
    read = [page for page in pages if _published_ms(page) < by_then]
    answerable = any(right in _plain(f"{page['title']} {page['text']}") for page in read)
    stated = answerable and any(_states(span.text, row) for span in _spans(read))
    others = [c for c in choices if c != right and c not in right]
    name, question, right_there = row["question_id"], row["question_sentence"], right.strip()

    def openly(answer: Answer | None) -> str:
        said = "" if answer is None else _plain(" ".join(s.text for s in answer.sentences))
        return _outcome(answer, _first(right, others, said))

    def offered(answer: Answer | None) -> str:
        return _outcome(answer, answer is not None and _plain(answer.says) == right)

    told = partial(
        Told,
        name=name,
        question=question,
        right=right_there,
        answerable=answerable,
        stated=stated,
    )
    return told(
        before=before[0],
        after=after[0],
        outcome_before=openly(before[0]),
        outcome=openly(after[0]),
        in_words=_plain(_first_named(row["choices"], after[0])) == right,
        offered=told(
            before=before[1],
            after=after[1],
            outcome_before=offered(before[1]),
            outcome=offered(after[1]),
            in_words=offered(after[1]) == "right",
        ),
    )


def states(sentence: str, question: str, choices: Sequence[str], right: str) -> bool:
    """Whether `sentence` holds the choice `right`, word for word, and two words of the question.

    Small words do not count, nor words of any choice. A question of one word needs that one.
    """
    if _plain(right) not in _plain(sentence):
        return False
    said = (match.group() for match in words.spaced(question))
    telling = {words.stem(word) for word in said if not is_glue(word)}
    telling -= words.stems(" ".join(choices))
    return len(telling & words.stems(sentence)) >= min(WORDS_BESIDE, len(telling))


WORDS_BESIDE = 2
"""Of the question, in the sentence that states the right choice."""


def _states(sentence: str, row: Row) -> bool:
    question = clean.from_html(row["question_sentence"]).text
    return states(sentence, question, row["choices"], row["choices"][int(row["answer"][0])])


def _spans(pages: Sequence[Row]) -> Iterator[Span]:
    return (span for post in _posts(pages) for span in spans_of(post))


def _first_named(choices: Sequence[str], answer: Answer | None) -> str:
    """Return the choice that the first sentence names that names one and no other, or nothing."""
    alternatives = Alternatives(choices)
    named = (alternatives.named_in(s.text) for s in (answer.sentences if answer else ()))
    return next(filter(None, named), "")


def _outcome(answer: Answer | None, right: bool) -> str:
    if answer is None or answer.abstained:
        return "abstained"
    return "right" if right else "wrong"


def _first(right: str, others: Sequence[str], said: str) -> bool:
    at = said.find(right)
    return at >= 0 and not any(0 <= said.find(other) < at for other in others)


def _plain(text: str) -> str:
    """Return words in lower case with a blank around each, so that only whole words are found."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def _day_ms(row: Row) -> int:
    return from_iso(row["question_date"].replace("/", "-"))


def _published_ms(page: Row) -> int:
    day = page["publish_date"]
    known = day if day and re.match(r"\d{4}", day) else page["search_time"][:10]
    return from_iso(known.replace("/", "-"))


def _posts(pages: Sequence[Row]) -> list[Post]:
    parts = {
        page["url"]: Parts(
            cleaned=clean.from_plain(f"{page['title']}\n\n{page['text']}"),
            id=page["url"],
            network="rss",
            author=page["url"].split("/")[2],
            author_id=page["url"].split("/")[2],
            created_ms=_published_ms(page),
            seen_ms=_published_ms(page),
            url=page["url"],
        )
        for page in pages
    }
    return compose_all(list(parts.values()))
