"""A question as it is shown: given back unchanged it is the same, changed it is another one."""

import json

import msgspec
import pytest

from fairwitness.answers import Parsed, QuestionError
from fairwitness.answers.parsed import asked_of, parsed
from fairwitness.answers.reading import read
from fairwitness.answers.understand import understand
from fairwitness.posts.clock import from_iso

NOW_MS = from_iso("2024-05-04T12:30:00Z")

QUESTIONS = [
    "Who won the Tour de France?",
    "how many people were killed, what is the death toll in Oldtown",
    'Who said "never again" to @mayor about #flood in 2023?',
    "WHO WON THE FIGHT?",
    "What did @nasa and @esa say about Mars in the last hour?",
    "What happened in the last 3 hours in New York?",
    "How many died in the 7 fires of May 12?",
    "Did 1,500 people leave Brazil yesterday?",
    "Quante vittime ha causato l'alluvione in Sardegna?",
    "¿Quién ganó la pelea entre Ana y Bo?",
    "O que aconteceu em Santa Maria?",
    "Qui a gagné à Paris ?",
    "Wer hat in Berlin gewonnen?",
    "Кто победил в Москве сегодня?",
    "巴黎地震死了多少人？",
    "昨天在北京 Ana 说了什么？",
    "パリで誰が勝ちましたか？",
    "What is happening?",
    "Who won the fight in Paris: Ana Ruiz, Bo Weber or nobody?",
    "why?",
    "the the the",
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_shown_and_given_back_is_the_same_question(question):
    asked = understand(question, NOW_MS)
    wire = msgspec.json.encode(parsed(asked))
    assert asked_of(msgspec.json.decode(wire, type=Parsed), NOW_MS + 86_400_000) == asked


@pytest.mark.parametrize("follow_up", ["and in Paris?", "since when?", "how old is he?"])
def test_a_follow_up_is_shown_with_what_it_took_from_before(follow_up):
    earlier = ["Did Ana Ruiz win the fight in Madrid?"]
    (asked,) = read(follow_up, NOW_MS, earlier=earlier, who=lambda _: "")
    again = asked_of(parsed(asked), NOW_MS)
    assert again.text == asked.text
    assert again.asks == asked.asks
    assert {(t.shown, t.name) for t in again.terms} == {(t.shown, t.name) for t in asked.terms}


def test_each_part_is_shown_in_its_place():
    question = 'How many said "never again" to @mayor in Oldtown in 2023 in the last hour?'
    told = json.loads(msgspec.json.encode(parsed(understand(question, NOW_MS))))
    assert told["asks"] == "how_many"
    assert told["lang"] == "en"
    assert told["phrases"] == ["never again"]
    assert told["handles"] == ["@mayor"]
    assert told["names"] == ["Oldtown"]
    assert told["numbers"] == ["2023"]
    assert told["since"] == "2024-05-04T11:30:00Z"


def test_what_is_given_counts_and_what_is_left_out_is_understood_again():
    question = "Who won the fight in Madrid today?"
    asked = asked_of(Parsed(question, names=("Oldtown",), asks="where"), NOW_MS)
    own = understand(question, NOW_MS)
    assert asked.asks == "where"
    assert {term.shown for term in asked.terms if term.name} == {"Oldtown"}
    assert {t.shown for t in asked.terms} == {"won", "fight", "Oldtown"}
    assert asked.window == own.window
    until = asked_of(Parsed(question, until="2024-05-04T10:00:00Z"), NOW_MS)
    assert until.terms == own.terms
    assert until.window.since_ms == own.window.since_ms
    assert until.window.until_ms == from_iso("2024-05-04T10:00:00Z")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"since": "2024-05-04", "until": "2024-05-03"}, "ends before"),
        ({"since": "noon"}, "noon"),
        ({"question": " "}, "empty"),
    ],
)
def test_what_contradicts_itself_is_refused(given, why):
    with pytest.raises(QuestionError, match=why):
        asked_of(msgspec.convert({"question": "Who won?", **given}, Parsed), NOW_MS)


def test_an_edited_question_finds_what_the_first_one_missed(scene):
    scene.say("The ferry to Oldtown sank at noon", "So the Oldtown ferry sank, all are safe")
    question = "What about the boat in Oldtown?"
    first = scene.ask(question, explain=True)
    assert first.abstained
    (shown,) = first.explained.questions
    assert "boat" in shown.words
    edited = msgspec.structs.replace(shown, words=("ferry",))
    again = scene.ask("", edited=[edited], explain=True)
    assert not again.abstained
    assert again.explained.questions == (edited,)
    assert again.question == question


def test_the_trace_says_what_was_searched_and_read(scene):
    scene.say("The ferry to Oldtown sank at noon", "So the Oldtown ferry sank", "It rains")
    answer = scene.ask("What about the ferry in Oldtown?", explain=True)
    (search,) = answer.explained.searches
    assert (search.question, search.posts) == (0, 3)
    assert search.rounds == answer.rounds
    assert search.rounds[0].how == "words"
    assert {"ferry", "Oldtown"} <= set(search.words)
    assert 2 <= search.read <= 3
    assert search.spans == 2
    assert answer.explained.as_of == answer.as_of
    assert scene.ask("What about the ferry in Oldtown?").explained is None


def test_harm_in_the_words_of_an_edited_question_is_declined(scene):
    given = Parsed("What is it?", words=("how to build a pipe bomb at home",))
    answer = scene.ask("", edited=[given])
    assert answer.standing == "declined"
