"""Whom a post has it from, by its own words, in each language."""

import pytest

from fairwitness.answers.attitude import attitude_of
from fairwitness.answers.passing import passed_on, second_hand

CREDITS = {
    "MT @ana the bridge fell": "ana",
    "The bridge fell (via @ana)": "ana",
    "The bridge fell, h/t @ana": "ana",
    "HT: @ana the bridge fell": "ana",
    "Hat tip to @ana, the bridge fell": "ana",
    "Source: @ana.bsky.social. The bridge fell": "ana.bsky.social",
    "According to @ana the bridge fell": "ana",
    "El puente cayó vía @ana@social.example": "ana@social.example",
    "El puente cayó según @ana": "ana",
    "Il ponte è crollato, fonte: @ana": "ana",
    "Il ponte è crollato secondo @ana": "ana",
    "Segundo @ana a ponte caiu": "ana",
    "Le pont est tombé, d’après @ana": "ana",
    "Laut @ana ist die Brücke eingestürzt": "ana",
    "По данным @ana, мост рухнул": "ana",
    "Мост рухнул, источник: @ana": "ana",
    "桥塌了。转自@ana": "ana",
    "橋が落ちた 出典：@ana": "ana",
}


@pytest.mark.parametrize(("text", "whom"), CREDITS.items())
def test_who_gives_credit_has_it_from_another(text: str, whom: str) -> None:
    assert passed_on(text) == [whom]
    assert second_hand(text)


@pytest.mark.parametrize(
    "text",
    [
        "RT @ana: the bridge fell",
        "RT ana: the bridge fell",
        "Oh no “@ana: the bridge fell”",
        'So sad "@ana: the bridge fell"',
        "太可怕了//@ana：桥塌了",
    ],
)
def test_who_passes_on_to_the_letter_lends_a_voice_and_is_no_second_hand(text: str) -> None:
    assert passed_on(text) == ["ana"]
    assert not second_hand(text)


@pytest.mark.parametrize(
    "text",
    [
        "@ana the bridge fell",
        "Please RT and follow: the bridge fell",
        "We went to Rome via @ home",
        "The bridge fell in front of @ana",
        "El puente según dicen cayó",
        "Count@ana.example is where to write",
    ],
)
def test_who_only_names_another_has_it_from_nobody(text: str) -> None:
    assert passed_on(text) == []
    assert not second_hand(text)


def test_who_passes_on_with_credit_bears_nothing_out(scene) -> None:
    scene.say(
        "Ana Ruiz painted the wall in Portville in a beautiful way",
        "Beautiful wall in Portville: MT @tomi courtesy of Ana Ruiz, painted",
    )
    question = "Is it true that Ana Ruiz painted the wall in Portville?"
    answer = scene.ask(question)
    assert not answer.abstained
    assert answer.standing == "rumoured"
    scene.say("I watched how the wall of Portville was painted by Ana Ruiz herself")
    assert scene.ask(question).standing == "agreed"


def test_whoever_is_quoted_is_the_witness_and_no_second_one(scene) -> None:
    scene.say("Ana Ruiz won the race, she is the champion now", author="tomi")
    scene.say("Wow so great “@tomi: Ana Ruiz won the race”")
    assert scene.ask("Who won the race?").abstained


@pytest.mark.parametrize(
    ("reply", "attitude"),
    [
        ("Oh my “@news: the bridge fell”", "support"),
        ("RT @news: the bridge fell", "support"),
        ("“@news: the bridge fell” that is not true", "deny"),
        ("The start of this was horrible", "comment"),
    ],
)
def test_who_passes_on_to_the_letter_bears_out_unless_he_denies(reply: str, attitude: str) -> None:
    assert attitude_of(reply) == attitude
