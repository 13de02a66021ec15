"""The questions in seven languages are whole, and whoever answers them wrongly is found out."""

from collections import Counter, defaultdict
from pathlib import Path

import msgspec
import pytest

from fairwitness.evals.bench_answers import FILES, NEEDS, bench_answers
from fairwitness.evals.hearing import Hearing, made, posts_in
from fairwitness.evals.languages import (
    BUNDLED,
    Asking,
    Outcome,
    askings,
    came_of,
    languages,
    outcomes,
)

TOLD = "The Portville ferry sank with 1,215 people on board."


def test_each_language_has_thirty_questions_that_posts_answer_and_five_that_none_does() -> None:
    answerable = Counter(each.lang for each in askings(BUNDLED) if each.spans)
    rest = Counter(each.lang for each in askings(BUNDLED) if not each.spans)
    assert set(answerable) == set(rest) == {"en", "zh", "es", "pt", "it", "ru", "ja"}
    assert min(answerable.values()) >= 30
    assert min(rest.values()) >= 5
    assert all(bool(each.spans) == bool(each.post) for each in askings(BUNDLED))


def test_the_post_that_a_question_names_holds_the_answer(shared: Path) -> None:
    wanted = {each.post for each in askings(BUNDLED) if each.post}
    said = {
        post.id: post.text.casefold()
        for name in NEEDS["languages"]
        for post in posts_in(shared / "data" / FILES[name])
        if post.id in wanted
    }
    without = [
        each.ask
        for each in askings(BUNDLED)
        if each.post and not any(span.casefold() in said[each.post] for span in each.spans)
    ]
    assert without == []


@pytest.mark.parametrize(
    ("span", "came"), [("1,215", "right"), ("215", "hedged"), ("1", "hedged"), ("Ferry", "right")]
)
def test_a_number_inside_another_is_not_the_answer(tmp_path: Path, span: str, came: str) -> None:
    hearing = Hearing(tmp_path, lambda: None)
    hearing.take_posts(made([("ana", TOLD, 1_000)], "p"))
    answer = hearing.ask("How many people were on board of the Portville ferry?")
    hearing.close()
    assert came_of(Asking("en", "", (span,), "p:0"), answer) == came


def test_the_wrong_and_sure_the_silent_and_both_halves_are_counted(tmp_path: Path) -> None:
    hearing = Hearing(tmp_path, lambda: None)
    hearing.take_posts(made([("ana", TOLD, 1_000)], "p"))
    asked = [
        Asking("en", "How many people were on the Portville ferry?", ("1,215",), "p:0"),
        Asking("en", "Who won the Oldtown election?", (), ""),
    ]
    told: list[tuple[int, int]] = []
    found = outcomes(hearing, asked, lambda done, total: told.append((done, total)))
    hearing.close()
    assert told == [(1, 2), (2, 2)]
    counted = languages(found)["en"]
    assert (counted.all.right, counted.all.abstained) == (1.0, 1.0)
    assert (counted.mended_by.answerable, counted.held_back.unanswerable) == (1, 1)
    sure = msgspec.structs.replace(found[0].answer, standing="agreed")
    wrong = Asking("en", "", ("90",), "p:0")
    assert came_of(wrong, sure) == "sure"
    assert languages([Outcome(wrong, "sure", sure)])["en"].all.wrong_sure == 1.0


def test_without_its_posts_the_part_is_missing_and_says_so() -> None:
    report = bench_answers({}, ("languages",), lambda: None, most=0, tell=lambda *_: None)
    assert report.missing["languages"] == "no file for --crises"


def test_questions_are_not_asked_twice() -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    for each in askings(BUNDLED):
        assert each.ask not in seen[each.lang]
        seen[each.lang].add(each.ask)
