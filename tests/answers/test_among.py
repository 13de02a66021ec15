"""Questions that offer their answers."""

import pytest

from fairwitness.answers.among import Alternatives
from fairwitness.answers.offered import learned_from
from fairwitness.answers.understand import understand
from fairwitness.posts.clock import from_iso

NOW_MS = from_iso("2024-05-04T12:30:00Z")


@pytest.mark.parametrize(
    ("question", "among"),
    [
        ("Who won the fight, Mayweather or McGregor?", ("Mayweather", "McGregor")),
        ("In May, who won, Spain, Italy or France?", ("Spain", "Italy", "France")),
        ("Which city was hit: Oldtown, or Lakeside?", ("Oldtown", "Lakeside")),
        ("What was stolen: gold, silver; bread; or it?", ("gold, silver", "bread", "it")),
        ("¿Quién ganó, España o Italia?", ("España", "Italia")),
        ("谁赢了，西班牙还是意大利？", ("西班牙", "意大利")),
        ("How did it end: in a fire or in a flood?", ("in a fire", "in a flood")),
        ("What is the latest trend: McGregor or Italy?", ("McGregor", "Italy")),
        ("Latest news: McGregor or Mayweather?", ()),
        ("How many people were killed, injured or missing?", ()),
        ("Is the mayor dead or alive?", ()),
        ("Breaking: fire or explosion in Paris?", ()),
        ("What happened in Paris, Texas or Rome?", ()),
        ("Who said: never again?", ()),
    ],
)
def test_what_a_question_offers_is_found_and_is_not_what_it_is_about(question, among):
    asked = understand(question, NOW_MS)
    assert asked.among == among
    shown = {term.shown for term in asked.terms}
    assert not among or not shown & {
        "McGregor",
        "Italy",
        "France",
        "Lakeside",
        "silver",
        "Italia",
        "意大利",
    }


@pytest.mark.parametrize(
    ("offered", "text", "named"),
    [
        (("Floyd Mayweather", "Conor McGregor"), "Mayweather wins!", "Floyd Mayweather"),
        (("Floyd Mayweather", "Conor McGregor"), "Mayweather meets McGregor", None),
        (("14,000", "1,000"), "some 14,000 were arrested", "14,000"),
        (("14,000", "1,000"), "1 of 4 were arrested", None),
        (("$13.4 million", "$134 million"), "It cost $134 million.", "$134 million"),
        (("2", "16"), "two of them fell ill", "2"),
        (("Postal workers", "Health care workers"), "workers were paid", None),
        (("France", "Italy"), "Pope Francis died", None),
        (("France", "Italy"), "France's pope", "France"),
        (("5,000", "7,000"), "500 steps, or 700", None),
        (("Wild boar", "Hawk"), "wild boars are about", "Wild boar"),
        (("Paris", "Rome"), "a fire in Paris", "Paris"),
        (("Mexico & Canada", "India & Japan"), "goods from Canada and Mexico", "Mexico & Canada"),
    ],
)
def test_a_span_names_the_alternative_whose_telling_words_it_holds(offered, text, named):
    assert Alternatives(offered).named_in(text) == named


def test_a_word_of_the_question_tells_no_alternative_from_the_rest():
    asked = understand("Which movie topped the box office: A Paris Movie or Sinners?", NOW_MS)
    offered = Alternatives(asked.among, asked.stems)
    assert offered.named_in("The movie was honored in 2005.") is None
    assert offered.named_in("The Paris movie leads.") == "A Paris Movie"


def test_those_who_name_one_alternative_stand_together(scene):
    scene.say(
        "Spain won the final in Oldtown, what a night",
        "The final in Oldtown is over and Spain won it",
        "Italy won the final in Oldtown, says my cousin",
        "The final in Oldtown was loud",
    )
    answer = scene.ask("Who won the final in Oldtown: Italy, Spain or Peru?")
    assert (answer.says, answer.witnesses) == ("Spain", 2)
    assert all("Spain" in s.text for s in answer.sentences if s.kind == "quote")
    assert scene.ask("Who won the final in Oldtown: Peru or Chile?").abstained


PAGE = "The city council met at noon to talk of buses and of the price of bread. " * 12


def test_pages_bear_out_the_answer_that_stands_with_the_question_and_no_other(scene):
    scene.say(
        f"Ana Ruiz opens the new bridge in Portville\n\n{PAGE}Bo Weber sent flowers.\n{PAGE}",
        f"Bus fares rise, says Bo Weber\n\n{PAGE}The bridge in Portville is old.\n{PAGE}",
    )
    answer = scene.ask("Who opened the bridge in Portville: Ana Ruiz or Bo Weber?")
    assert (answer.says, answer.standing) == ("Ana Ruiz", "lone")


def test_a_page_that_names_an_answer_beside_another_matter_bears_out_none(scene):
    scene.say(f"Bus fares rise\n\n{PAGE}The bridge in Portville is old.\n{PAGE}Bo Weber left.")
    assert scene.ask("Who opened the bridge in Portville: Ana Ruiz or Bo Weber?").abstained


def test_what_is_learned_from_is_half():
    names = [f"20250{month}03_{number}" for month in range(1, 9) for number in range(20)]
    assert 60 < sum(map(learned_from, names)) < 100
