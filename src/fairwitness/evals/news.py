"""RealTimeQA as it happened: each week's questions before its pages came, and after.

Questions and pages: https://github.com/realtimeqa/realtimeqa_public. The questions of a week are
asked, then the pages that were found for them are taken in, each seen on the day it was published,
and the questions are asked again, both times as of the end of their own day. The choices are never
shown to whoever answers; they only judge: an answer is right when it names the right choice before
it names any other.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fairwitness.answers import Answer, QuestionError
from fairwitness.evals.cited import share
from fairwitness.evals.hearing import Hearing
from fairwitness.posts import clean
from fairwitness.posts.clock import from_iso
from fairwitness.posts.compose import Parts, compose_all
from fairwitness.posts.post import Post

_DAY_MS = 86_400_000
_WORD = re.compile(r"[^\W_]+")

Row = Mapping[str, Any]


class News(msgspec.Struct, frozen=True):
    """Shares of 1. An answer with a hedge says that one alone, or nobody outright, says so."""

    answerable: int
    """Questions whose right choice stands in a page that was found for them, published by then."""
    accuracy: float
    """Of these, answered rightly."""
    abstained_unanswerable: float
    wrong_confident: float
    """Of all questions, answered otherwise and without a hedge."""
    wrong_hedged: float
    abstained_before_feed: float
    asked: int


@dataclass(frozen=True)
class Told:
    """One question, and what came of it."""

    question: str
    right: str
    answerable: bool
    before: Answer | None
    after: Answer | None
    """None where the question could not be asked."""
    outcome: str
    """`right`, `wrong` or `abstained`."""


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
        before = [_ask(hearing, row) for row in asked]
        hearing.take_posts(_posts([page for row in asked for page in found[row["question_id"]]]))
        for row, earlier in zip(asked, before, strict=True):
            outcomes.append(_told(row, found[row["question_id"]], earlier, _ask(hearing, row)))
            told(len(outcomes), len(questions))
    return outcomes


def news(outcomes: Sequence[Told]) -> News:
    """Count what came of the questions."""
    answerable = [each for each in outcomes if each.answerable]
    rest = [each for each in outcomes if not each.answerable]
    wrong = [each.after for each in outcomes if each.outcome == "wrong" and each.after]
    sure = sum(answer.standing == "agreed" for answer in wrong)
    before = [each.before is None or each.before.abstained for each in outcomes]
    return News(
        answerable=len(answerable),
        accuracy=share([each.outcome == "right" for each in answerable]),
        abstained_unanswerable=share([each.outcome == "abstained" for each in rest]),
        wrong_confident=round(sure / max(1, len(outcomes)), 4),
        wrong_hedged=round((len(wrong) - sure) / max(1, len(outcomes)), 4),
        abstained_before_feed=share(before),
        asked=len(outcomes),
    )


def of_the_time(questions: Sequence[Row], pages: Sequence[Row], most: int) -> list[Row]:
    """Return the questions of the weeks in which `pages` were searched, `most` of them evenly."""
    days = sorted(page["search_time"][:10] for page in pages)
    first, last = (from_iso(day.replace("/", "-")) for day in (days[0], days[-1]))
    kept = [row for row in questions if first - 7 * _DAY_MS <= _day_ms(row) <= last]
    step = max(1, len(kept) // most) if most else 1
    return kept[::step]


def _ask(hearing: Hearing, row: Row) -> Answer | None:
    question = clean.from_html(row["question_sentence"]).text
    try:
        return hearing.ask(question, as_of_ms=_day_ms(row) + _DAY_MS - 1)
    except QuestionError:
        return None


def _told(row: Row, pages: Sequence[Row], before: Answer | None, after: Answer | None) -> Told:
    choices = [_plain(choice) for choice in row["choices"]]
    right = choices[int(row["answer"][0])]
    by_then = _day_ms(row) + _DAY_MS
    read = (page for page in pages if _published_ms(page) < by_then)
    answerable = any(right in _plain(f"{page['title']} {page['text']}") for page in read)
    if after is None or after.abstained:
        outcome = "abstained"
    else:
        said = _plain(" ".join(sentence.text for sentence in after.sentences))
        others = [c for c in choices if c != right and c not in right]
        outcome = "right" if _first(right, [*others], said) else "wrong"
    return Told(row["question_sentence"], right.strip(), answerable, before, after, outcome)


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
