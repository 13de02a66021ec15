"""A search that goes on until it suffices, and says what each round brought."""

import time

import pytest

from fairwitness.answers import rounds
from fairwitness.answers.chorus import chorus
from fairwitness.answers.retrieve import CANDIDATES
from fairwitness.answers.understand import understand
from fairwitness.posts.post import Deleted

QUESTION = "What happened to the lighthouse of Marwick?"


def how(answer) -> list[str]:
    return [each.how for each in answer.rounds]


def test_what_suffices_is_not_looked_for_again(scene):
    scene.say(
        "The lighthouse of Marwick is on fire",
        "Fire in the top of the Marwick lighthouse, seen from a boat",
    )
    answer = scene.ask(QUESTION)
    assert [(each.how, each.found, each.witnesses) for each in answer.rounds] == [("words", 2, 2)]


def test_a_lone_witness_and_nobody_are_looked_for_by_meaning_too(scene):
    assert how(scene.ask(QUESTION)) == ["words", "meaning"]
    scene.say("The lighthouse of Marwick is on fire")
    answer = scene.ask(QUESTION)
    assert how(answer) == ["words", "meaning"]
    assert answer.rounds[-1].witnesses == 1
    assert answer.standing == "lone"


def test_names_narrow_a_search_that_found_more_than_is_read(scene):
    # Long enough that its words count for little, and short enough to be a post.
    talk = " ".join(f"word{n}" for n in range(90))
    (fire,) = scene.say(f"There was a fire in Marwick. {talk}")
    scene.now_ms += 30 * 86_400_000
    noise = (f"fire flames blaze burning by lane{n} and mill{n * 7}" for n in range(400))
    scene.say(*noise, minutes=0)
    answer = scene.ask("Was there a fire in Marwick?")
    assert how(answer)[:2] == ["words", "names"]
    first, names, *_ = answer.rounds
    assert (first.found, first.witnesses) == (CANDIDATES, 0)
    assert (names.found, names.witnesses) == (1, 1)
    assert [source.id for source in answer.sources] == [fire.id]


def test_a_reply_brings_what_it_answers_as_it_stood_then(scene):
    (root,) = scene.say("Smoke over the bay, does anybody know more?")
    scene.say("@a the lighthouse of Marwick burns", reply_to=root.id, thread=root.id)
    answer = scene.ask(QUESTION)
    talk = next(each for each in answer.rounds if each.how == "conversations")
    assert talk.found == 1
    scene.happen(Deleted(root.id, scene.now_ms))
    assert scene.ask(QUESTION).rounds[-1].found == 0


def test_no_round_looks_outside_the_window_of_the_question(scene):
    (root,) = scene.say("Smoke over the bay, does anybody know more?")
    scene.now_ms += 3 * 3_600_000
    scene.say("@a the lighthouse of Marwick burns", reply_to=root.id)
    answer = scene.ask(f"{QUESTION} in the last hour")
    assert {each.how: each.found for each in answer.rounds}["conversations"] == 0


def test_no_round_is_begun_when_as_much_was_read_as_may_be(scene, monkeypatch: pytest.MonkeyPatch):
    scene.say("The lighthouse of Marwick is on fire", "It rains, and the sea is rough")
    assert how(scene.ask(QUESTION)) == ["words", "meaning"]
    monkeypatch.setattr(rounds, "READ_CHARS", 36)
    assert how(scene.ask(QUESTION)) == ["words"]


def test_a_slow_machine_searches_as_a_quick_one_does(scene, monkeypatch: pytest.MonkeyPatch):
    scene.say("The lighthouse of Marwick is on fire", "It rains, and the sea is rough")
    quick = scene.ask(QUESTION)
    search = scene.index.search

    pauses_s = iter((1.1, 0.0, 0.0))

    def slow(*query: object, **how: object) -> object:
        time.sleep(next(pauses_s))
        return search(*query, **how)

    monkeypatch.setattr(scene.index, "search", slow)
    assert scene.ask(QUESTION).but_for_time() == quick.but_for_time()


def test_what_half_say_alike_is_gone_round_and_no_copy_hides_a_witness(scene):
    scene.say(
        "Ana Ruiz won the race here in Marwick", "I saw how Ana Ruiz won it, the race in Marwick"
    )
    for lie in ("Bo Weber won the race of Marwick!", "Cy Young has won it, the Marwick race"):
        scene.say(*(f"{lie} #{n}" for n in range(CANDIDATES)), minutes=0)
    answer = scene.ask("Who won the race in Marwick?")
    assert how(answer)[:4] == ["words", "names", "others", "others"]
    assert answer.rounds[-1].witnesses == 2
    assert {source.text[:8] for source in answer.sources} >= {"Ana Ruiz"}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["oh Bo Weber won the race", "Bo Weber won the race!", "it rains"], "bo weber won the"),
        (["who won the race in Marwick", "ah, won the race in Marwick"], ""),
        (["it is a fine day in town", "a bad day for all of us", "rain again and again"], ""),
        (["速报比赛冠军是韦伯先生", "转发：比赛冠军是韦伯先生啊"], "冠军是韦伯先"),
        ([], ""),
    ],
)  # fmt: skip
def test_a_chorus_is_what_half_say_beside_the_words_of_the_question(texts, said):
    asked = understand("Who won the race in Marwick?", 0)
    found = chorus(asked, texts)
    assert said in found if said else found == ""
