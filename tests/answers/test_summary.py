"""Summaries and comparisons: the main statements, and what is said of both."""

import string

import pytest

from fairwitness.answers import QuestionError
from fairwitness.answers.compare import compared_in
from fairwitness.answers.requests import matter_of
from fairwitness.answers.voice import _REGULAR

POSTS = (
    "The fire in Oldtown began in a bakery, says the mayor",
    "Bread is half price in Portville",
    "Oldtown fire: it began in the bakery of Hill Street",
    "Helicopters pour water on the Oldtown fire since noon",
    "Firemen lost control of the Oldtown fire, helicopters pour water now",
    "The school of Oldtown is closed because of the fire",
    "Oldtown fire is under control, the brigade goes home",
)


@pytest.mark.parametrize(
    ("question", "matter"),
    [
        ("Summarise the Oldtown fire", "the the Oldtown fire"),
        ("Please give me a short summary of Oldtown", "the Oldtown"),
        ("Resume el incendio de Oldtown", "the el incendio de Oldtown"),
        ("Riassumi l'incendio di Oldtown", "the l'incendio di Oldtown"),
        ("Resuma o incêndio de Oldtown", "the o incêndio de Oldtown"),
        ("Résumé de l'incendie", "the l'incendie"),
        ("Fasse den Großbrand in Oldtown zusammen", "the den Großbrand in Oldtown"),
        ("总结一下Oldtown火灾", "the Oldtown火灾"),
        ("Oldtownの火事をまとめて", "the Oldtownの火事"),
        ("Did flights resume in Oldtown?", ""),
        ("Who won the fight?", ""),
        ("Summarise", ""),
    ],
)
def test_what_a_summary_is_asked_of(question, matter):
    assert matter_of(question) == matter


@pytest.mark.parametrize(
    ("message", "sides"),
    [
        ("Compare Ana Ruiz and Bo Weber", ("Ana Ruiz", "Bo Weber")),
        (
            "compare the fire in Oldtown with Portville",
            ("the fire in Oldtown", "the fire in Portville"),
        ),
        ("Madrid vs. Paris", ("Madrid", "Paris")),
        (
            "Compare what @nasa and @esa say about the launch",
            ("what did @nasa say about the launch", "what did @esa say about the launch"),
        ),
        ("What's the difference between tea and coffee?", ("tea", "coffee")),
        ("Compara Madrid y París", ("Madrid", "París")),
        ("Qual è la differenza tra Roma e Milano?", ("Roma", "Milano")),
        ("Vergleiche Berlin und München", ("Berlin", "München")),
        ("比较北京和上海", ("北京", "上海")),
        ("Compare Madrid, Paris and Rome", ("Madrid", "Paris", "Rome")),
        ("Compare Madrid, Paris, and Rome", ("Madrid", "Paris", "Rome")),
        (
            "compare the fires in Oldtown, Portville and Lakeside",
            ("the fires in Oldtown", "the fires in Portville", "the fires in Lakeside"),
        ),
        ("Compare Oldtown, Utah with Portville", ("Oldtown, Utah", "Portville")),
        (
            "Compare what @nasa, @esa and @jaxa say about Mars",
            tuple(f"what did {name} say about Mars" for name in ("@nasa", "@esa", "@jaxa")),
        ),
        ("Madrid vs Paris vs Rome", ("Madrid", "Paris", "Rome")),
        ("Compara Madrid, París y Roma", ("Madrid", "París", "Roma")),
        ("Confronta Roma, Milano e Torino", ("Roma", "Milano", "Torino")),
        ("Compare Lisboa, Porto e Braga", ("Lisboa", "Porto", "Braga")),
        ("Compare Paris, Lyon et Nice", ("Paris", "Lyon", "Nice")),
        ("Vergleiche Berlin, Bonn und Köln", ("Berlin", "Bonn", "Köln")),
        ("Сравни Москву, Казань и Омск", ("Москву", "Казань", "Омск")),
        ("比较北京、上海和广州", ("北京", "上海", "广州")),
        ("Who won, Ana or Bo?", None),
        ("What did the mayor compare it to?", None),
    ],
)
def test_what_is_compared(message, sides):
    assert compared_in(message) == sides


def test_a_summary_is_the_main_points_newest_and_most_witnessed_first(scene):
    posts = scene.say(*POSTS)
    answer = scene.ask("Summarise the Oldtown fire")
    quotes = [each.text for each in answer.sentences if each.kind == "quote"]
    about = {post.text for post in posts if "Oldtown" in post.text}
    assert set(quotes) <= about
    assert len(quotes) >= 3
    assert sum("bakery" in each for each in quotes) == 1, "one point is said once"
    assert sum("elicopters" in each for each in quotes) == 1
    assert not any("Portville" in each for each in quotes)
    source = {s.n: s for s in answer.sources}
    (bakery,) = [s for s in answer.sentences if s.kind == "quote" and "bakery" in s.text]
    assert source[bakery.citations[0].source].witnesses == 2
    assert f"statements: {len(quotes)};" in answer.answer


def test_a_summary_is_as_long_as_asked(scene):
    scene.say(*POSTS)
    counts = [
        sum(
            s.kind == "quote"
            for s in scene.ask("Summarise the Oldtown fire", length=each).sentences
        )
        for each in ("short", "long")
    ]
    assert counts[0] == 3
    assert counts[1] > 3


def test_nothing_to_summarise_is_no_witness(scene):
    scene.say(*POSTS)
    assert scene.ask("Summarise the flood of Marwick").abstained


def test_a_comparison_has_a_side_each_what_both_say_and_what_one_alone_says(scene):
    scene.say(
        "Ana Ruiz promises free trams for all pupils",
        "Ana Ruiz wants to close the harbour at night",
        "Bo Weber also promises free trams, for pupils and for the old",
        "Bo Weber will build a stadium on the hill",
        "Cy Lund likes cake",
    )
    answer = scene.ask("Compare Ana Ruiz and Bo Weber")
    assert [part.question for part in answer.parts] == ["Ana Ruiz", "Bo Weber"]
    for sentence in answer.sentences:
        if sentence.kind == "quote":
            assert sentence.of in sentence.text
    told = answer.compared
    assert told.sides == ("Ana Ruiz", "Bo Weber")
    text = [each.text for each in answer.sentences]
    ((one, other),) = told.both
    assert "free trams" in text[one]
    assert "free trams" in text[other]
    assert ["harbour" in text[at] for at in told.only[0]] == [True]
    assert ["stadium" in text[at] for at in told.only[1]] == [True]
    assert "said of both: 1; only of the first: 1; only of the second: 1." in answer.answer
    assert "Cy Lund" not in answer.answer


def test_a_comparison_with_somebody_nobody_speaks_of_says_so(scene):
    scene.say("Ana Ruiz promises free trams for all pupils", "Ana Ruiz closes the harbour")
    answer = scene.ask("Compare Ana Ruiz and Bo Weber")
    assert [part.abstained for part in answer.parts] == [False, True]
    assert answer.compared.both == ()
    assert "No witness" in answer.answer


def test_they_are_counted_in_every_language_that_we_speak():
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for key in ("points", "compared"):
        assert len({frozenset(fields(row[key])) for row in _REGULAR.values()}) == 1


def test_three_are_compared_and_their_figures_stand_beside_each_other(scene):
    scene.say(
        "Oldtown fire leaves 12 people dead, the mayor resigns",
        "Portville fire: 1,340 dead in the harbour",
        "Lakeside fire with 3 killed, and 40 houses burnt",
        "Helicopters pour water on the Oldtown fire",
        "Helicopters pour water, says Lakeside, on their fire too",
    )
    answer = scene.ask("Compare the fires in Oldtown, Portville and Lakeside")
    told = answer.compared
    assert [side.split()[-1] for side in told.sides] == ["Oldtown", "Portville", "Lakeside"]
    (figure,) = told.figures
    assert figure.values == ("12", "1,340", "3")
    for side, value, place in zip(told.sides, figure.values, figure.quotes, strict=True):
        assert answer.sentences[place].of == side
        assert value in answer.sentences[place].text
    *_, numbers, counted = answer.sentences
    assert numbers.text == (
        "dead: the fires in Oldtown 12, the fires in Portville 1,340, the fires in Lakeside 3."
    )
    assert len(numbers.citations) == 3
    assert "said of more than one: 1;" in counted.text


def test_figures_of_other_kinds_and_of_several_values_are_not_set_off(scene):
    scene.say(
        "Oldtown fire leaves 12 dead",
        "Oldtown fire, now 14 dead say the firemen of the county",
        "Portville fire leaves 40 dead near the harbour",
    )
    told = scene.ask("Compare the fires in Oldtown and Portville").compared
    assert told.figures == ()


def test_more_things_than_can_be_searched_for_are_refused():
    with pytest.raises(QuestionError, match="9 things to compare; the most is 8"):
        compared_in("Compare A1, B1, C1, D1, E1, F1, G1, H1 and J1")
