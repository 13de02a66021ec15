"""Statements made of real ones: what is false is false in the way it says."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.models.telling import sentences_of, telling
from fairwitness.train.pairs import (
    TAUGHT_FOLDS,
    Pair,
    WiceRow,
    fold_of,
    made_pairs,
    statements,
    wice_pairs,
)
from fairwitness.train.perturb import FALSIFIERS, falsified, kept, reworded

FIRE = "Police say 12 people may be dead after the fire in Oldtown, mayor Ana Ruiz said on Monday."
OTHERS = ("The old bridge in Portville collapsed after heavy rain on Sunday, and Karl Weber ran.",)
TOLD = [
    FIRE,
    *OTHERS,
    "The mayor of Portville will open a new hospital in the north on Friday, officials said.",
    "A dog that was lost for three weeks has been found in the woods near the old Oldtown mill.",
]


@pytest.mark.parametrize(
    ("kind", "gone"),
    [
        ("number", " 12 "),
        ("scale", "Monday"),
        ("opposite", ""),
        ("modality", " may "),
        ("name", ""),
        ("word", ""),
        ("roles", ""),
    ],
)
def test_each_falsehood_changes_what_it_is_named_after(kind: str, gone: str) -> None:
    made = falsified(FIRE, Random(1), OTHERS, kind)
    assert made is not None
    text, name = made
    assert name == kind
    assert text != FIRE
    if gone:
        assert gone not in text
    else:
        assert len(text.split()) == len(FIRE.split())


def test_a_denial_comes_and_goes() -> None:
    plain, denied = "The bridge was closed all day", "The bridge was not closed all day"
    assert falsified(denied, Random(1), (), "negation") == (plain, "negation")
    made = falsified(plain, Random(1), (), "negation")
    assert made is not None
    assert len(made[0].split()) == len(plain.split()) + 1


def test_what_was_said_or_added_is_longer() -> None:
    for kind in ("attribution", "addition"):
        made = falsified("The bridge in Oldtown was closed", Random(1), OTHERS, kind)
        assert made is not None
        assert len(made[0].split()) > 6


def test_nothing_is_falsified_where_nothing_fits() -> None:
    assert falsified("hm hm", Random(1), (), "number") is None


def test_other_words_say_the_same() -> None:
    said = {reworded("He isn't dead, says the firm", Random(seed)) for seed in range(40)}
    assert any("is not" in text for text in said)
    assert any("states" in text for text in said)
    assert not any("alive" in text for text in said)


@given(st.text(max_size=200), st.integers(0, 99), st.sampled_from([None, *FALSIFIERS]))
def test_any_text_can_be_tried(text: str, seed: int, kind: str | None) -> None:
    kept(text, Random(seed))
    made = falsified(text, Random(seed), (text,), kind)
    assert made is None or made[1] in FALSIFIERS


def test_half_of_the_pairs_hold_and_the_seed_decides() -> None:
    pairs = list(made_pairs(TOLD, 300, Random(3)))
    assert pairs == list(made_pairs(TOLD, 300, Random(3)))
    assert 0.4 < sum(pair.holds for pair in pairs) / len(pairs) < 0.65
    assert all(any(text.rstrip(".") in pair.evidence for text in TOLD) for pair in pairs)
    assert {pair.kind for pair in pairs} >= {"kept", "spoken", "speaker", "number", "negation"}


def test_statements_are_english_and_plain() -> None:
    posts = [
        "RT @ana: The bridge in Oldtown was closed at noon https://x.example/1",
        "El puente de la ciudad fue cerrado a mediodía por la policía",
        "Is the bridge in Oldtown closed to all of us at noon?",
        "ok",
    ]
    assert statements(posts + posts) == ["The bridge in Oldtown was closed at noon"]


def test_what_tells_most_of_a_claim_is_found_in_its_order() -> None:
    page = [f"Filler number {n} about nothing in particular." for n in range(40)]
    page[30], page[10] = "Oldtown burned in 1902.", "The mill of Oldtown was rebuilt."
    told = telling("Oldtown's mill was rebuilt after it burned in 1902", page, most=2)
    assert told == f"{page[10]} {page[30]}"


def test_wice_is_learned_from_by_what_people_marked() -> None:
    page = ["Ana was born in 1950.", "She died.", "The sky is blue."]
    supported = WiceRow("supported", [[0]], "Ana was born in 1950.", page)
    pairs = list(wice_pairs([supported], Random(1)))
    assert Pair(supported.claim, page[0], True, "marked") in pairs
    assert [pair.holds for pair in pairs if pair.kind == "unmarked"] == [False]
    partly = WiceRow("partially_supported", [[0]], "Ana, a spy, was born in 1950.", page)
    assert not any(pair.holds for pair in wice_pairs([partly], Random(1)))


def test_folds_are_the_same_everywhere() -> None:
    assert [fold_of(text) for text in ("a", "b", "c", "d")] == [2, 2, 1, 4]
    assert set(TAUGHT_FOLDS) < set(range(5))


def test_prose_falls_into_sentences() -> None:
    assert sentences_of("It rained. “Go,” he said. 3 left!") == [
        "It rained.",
        "“Go,” he said.",
        "3 left!",
    ]
