"""Questions taken apart."""

import msgspec
import pytest

from fairwitness.answers.understand import understand
from fairwitness.answers.when import TimeWindow, window_in
from fairwitness.posts.clock import from_iso

NOW_MS = from_iso("2024-05-04T12:30:00Z")
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("Who won the fight?", "who"),
        ("¿Quién ganó la pelea?", "who"),
        ("Chi ha vinto?", "who"),
        ("谁夺冠了？", "who"),
        ("How many people died in Oldtown?", "how_many"),
        ("¿Cuántos muertos hubo?", "how_many"),
        ("Quante vittime ci sono?", "how_many"),
        ("Quantas pessoas morreram?", "how_many"),
        ("骗走多少养老钱？", "how_many"),
        ("How strong was the quake?", "how_many"),
        ("Did Ana win?", "whether"),
        ("È vero che il ponte è crollato?", "whether"),
        ("是不是真的下雨了吗", "whether"),
        ("Where was the fire?", "where"),
        ("地震在哪里？", "where"),
        ("When did it start?", "when"),
        ("Why is the bridge closed?", "why"),
        ("¿Por qué está cerrado el puente?", "why"),
        ("What happened in Oldtown?", "happening"),
        ("O que aconteceu em Santa Maria?", "happening"),
        ("Cosa è successo in Sardegna?", "happening"),
        ("What did the mayor say?", "what"),
    ],
)
def test_what_a_question_asks_for(question, asks):
    assert understand(question, NOW_MS).asks == asks


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Who won the Tour de France?", {"Tour", "France"}),
        ("What happened in Santa Maria?", {"Santa", "Maria"}),
        ("who won the fight?", set()),
        ("What about #flood and @mayor?", {"flood", "mayor"}),
        ('Who said "never again" today?', {"never", "again"}),
        ("WHO WON THE FIGHT?", set()),
        ("Quanti morti in Emilia?", {"Emilia"}),
    ],
)
def test_names_that_an_answer_must_hold(question, names):
    terms = understand(question, NOW_MS).terms
    assert {term.shown for term in terms if term.name} == names


def test_glue_is_no_term_and_elision_is_taken_off():
    terms = understand("Quante vittime ha causato l'alluvione in Sardegna?", NOW_MS).terms
    assert {term.sense.name for term in terms if term.sense} == {"dead", "flood"}
    assert "Sardegna" in {term.shown for term in terms}


def test_one_place_is_found_under_its_names():
    (term,) = [t for t in understand("What happened in Brazil?", NOW_MS).terms if t.name]
    assert {"brasil", "brasile", "巴西"} <= set(term.search)


@pytest.mark.parametrize(
    ("question", "since", "until"),
    [
        ("What happened in the last hour?", NOW_MS - HOUR_MS, NOW_MS + 1),
        ("What happened in the last 3 hours?", NOW_MS - 3 * HOUR_MS, NOW_MS + 1),
        ("¿Qué pasó en las últimas 2 horas?", NOW_MS - 2 * HOUR_MS, NOW_MS + 1),
        ("最近2小时发生了什么？", NOW_MS - 2 * HOUR_MS, NOW_MS + 1),
        ("What is new today?", from_iso("2024-05-04"), from_iso("2024-05-05")),
        ("昨天发生了什么？", from_iso("2024-05-03"), from_iso("2024-05-04")),
    ],
)
def test_time_in_a_question_becomes_a_window(question, since, until):
    window, rest = window_in(question, NOW_MS)
    assert window == TimeWindow(since, until)
    assert len(rest) < len(question)


def test_a_question_without_time_looks_at_all_of_it():
    assert window_in("Who won the fight?", NOW_MS)[0].whole


@pytest.mark.parametrize(
    ("question", "speakers", "about"),
    [
        ("What did @nasa say about the launch?", ("nasa",), {"launch"}),
        ("Has @NASA ever announced a delay?", ("nasa",), {"delay"}),
        ("What did @nasa and @esa.int say about Mars?", ("nasa", "esa.int"), {"Mars"}),
        ("How many died according to @ap@press.example?", ("ap@press.example",), {"died"}),
        ("¿Qué dijo @nasa sobre el lanzamiento?", ("nasa",), {"lanzamiento"}),
        ("Cosa ha detto @nasa del lancio?", ("nasa",), {"lancio"}),
        ("O que disse @nasa sobre o foguete?", ("nasa",), {"foguete"}),
        ("Что сказал @nasa о ракете?", ("nasa",), {"ракете"}),
        ("@nasa说了什么关于火箭？", ("nasa",), {"火箭"}),
        ("@nasa はロケットについて何と言いましたか？", ("nasa",), None),
        ("Who attacked @mayor?", (), {"attacked", "mayor"}),
        ('Who said "never again" to @mayor?', (), {"never", "again", "mayor"}),
        ("Who wrote to a@b.example that he said no?", (), None),
    ],
)
def test_a_handle_that_says_something_is_whose_words_are_asked_for(question, speakers, about):
    asked = understand(question, NOW_MS)
    assert asked.speakers == speakers
    assert about is None or {term.shown for term in asked.terms} == about


def test_only_what_the_account_itself_posted_answers_what_it_said(scene):
    scene.say("Our launch is delayed by two days", author="nasa")
    scene.say("I heard that @nasa delays the launch by a month", "The launch was great!")
    answer = scene.ask("What did @NASA say about the launch?", explain=True)
    assert {source.author for source in answer.sources} == {"nasa"}
    assert answer.standing == "lone"
    (shown,) = answer.explained.questions
    assert shown.speakers == ("@nasa",)
    anybody = scene.ask("", edited=[msgspec.structs.replace(shown, speakers=())])
    assert len({source.author for source in anybody.sources}) > 1
    nobody = scene.ask("What did @esa say about the launch?")
    assert nobody.abstained
    assert "@esa" in nobody.answer
    assert scene.ask("What did @nasa say?").sources[0].author == "nasa"
