"""What is denied is never stated as fact, and what one voice says is said to be one voice's."""

import pytest

from fairwitness.answers.attitude import attitude_of
from fairwitness.posts.post import Deleted

LIE = "Sharks swim through the streets of Portville after the flood"


def test_a_denial_that_repeats_no_word_is_found_in_the_conversation(scene) -> None:
    (lie,) = scene.say(LIE, author="ana")
    scene.say("@ana no they haven't, stop spreading this", reply_to=lie.id, mentions=("ana",))
    answer = scene.ask("Are there sharks in Portville?")
    assert answer.standing == "denied"
    assert "Denied by 1 of those who answer." in answer.answer
    assert any("stop spreading" in s.text for s in answer.sentences if s.kind == "quote")


def test_a_denial_that_answers_nobody_is_found_by_its_words(scene) -> None:
    scene.say(LIE, "The sharks in the streets of Portville are fake, says the mayor")
    answer = scene.ask("What happened in the streets of Portville?")
    assert answer.standing == "denied"


def test_an_answer_to_another_post_denies_nothing_here(scene) -> None:
    scene.say(LIE, author="ana")
    scene.say("@ana that is fake", reply_to="test:elsewhere", mentions=("ana",))
    assert scene.ask("Are there sharks in Portville?").standing == "lone"


def test_one_heckler_does_not_outweigh_many_witnesses(scene) -> None:
    posts = scene.say(
        "Ana Ruiz won the Portville race by a metre",
        "What a day, Ana Ruiz wins the Portville race",
        "Ana Ruiz beats everybody in the Portville race under heavy rain",
        "It is over: the Portville race was won by Ana Ruiz",
        "My neighbour Ana Ruiz won our Portville race, so proud",
        "Winner of the Portville race: Ana Ruiz, on her third attempt",
        "Nobody saw it coming but Ana Ruiz won the Portville race today",
    )
    first = posts[0].author
    scene.say(f"@{first} wrong", reply_to=posts[0].id, mentions=(first,))
    assert scene.ask("Who won the Portville race?").standing == "agreed"


def test_whoever_is_deleted_denies_no_more(scene) -> None:
    (lie,) = scene.say(LIE, author="ana")
    (denial,) = scene.say("@ana fake", reply_to=lie.id, mentions=("ana",))
    scene.happen(Deleted(denial.id, scene.now_ms))
    assert scene.ask("Are there sharks in Portville?").standing == "lone"


def test_what_one_voice_says_is_hedged_and_what_two_say_is_not(scene) -> None:
    scene.say("The old bridge in Portville collapsed at noon")
    alone = scene.ask("What happened in Portville?")
    assert (alone.standing, alone.sentences[-1].kind) == ("lone", "count")
    scene.say("Bridge down in Portville, cars in the river, police everywhere")
    assert scene.ask("What happened in Portville?").standing == "agreed"


@pytest.mark.parametrize(
    ("reply", "stance"),
    [
        ("@ana no he hasn't", "deny"),
        ("@ana This is FAKE news", "deny"),
        ("@ana é mentira", "deny"),
        ("这是谣言", "deny"),
        ("@ana is this confirmed?", "query"),
        ("@ana source", "query"),
        ("@ana confirmed by my cousin", "support"),
        ("@ana so sad", "comment"),
    ],
)
def test_stances(reply: str, stance: str) -> None:
    assert attitude_of(reply) == stance


def test_a_boat_is_no_rumour_in_portuguese(scene) -> None:
    scene.say("Fire in Portville harbour", "Portville harbour on fire, seen from a boat")
    assert scene.ask("What happened in Portville harbour?").standing == "agreed"


def test_a_rumour_that_many_pass_on_stays_a_rumour(scene) -> None:
    scene.say(
        "Prince rumoured to be playing a surprise show in Portville tonight",
        "Is it true? Rumours of a surprise show by Prince in Portville",
        "Portville: unconfirmed reports of a Prince show, the hall is silent",
    )
    answer = scene.ask("Is Prince playing a show in Portville?")
    assert answer.standing in ("rumoured", "lone")
    scene.say("I am at the Prince show in Portville, he plays Kiss right now")
    scene.say("Prince on stage in Portville, what a show")
    assert scene.ask("Is Prince playing a show in Portville?").standing == "agreed"


def test_another_number_does_not_confirm_the_one_that_was_asked_about(scene) -> None:
    scene.say("Police: shooting in Portville at two places", "Shooting in Portville at 3 places")
    answer = scene.ask("Is it true that there was a shooting in Portville at two places?")
    assert answer.standing == "lone"
