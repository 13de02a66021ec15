"""Claims against quotes: what carries, and each way in which small models go wrong."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.answers.quote import Span
from fairwitness.answers.verify import verify
from fairwitness.models.encoder_download import pull_encoder
from fairwitness.models.verifier import Verifier, open_verifier
from fairwitness.posts.post import Post


def quotes(*texts: str) -> list[Span]:
    posts = [
        Post(id=t, network="t", author="", author_id="", text=t, created_ms=0, seen_ms=0)
        for t in texts
    ]
    return [Span(post, 0, len(post.text)) for post in posts]


FIRE = quotes(
    "At least 12 people dead in the Oldtown fire, police say",
    "Fire in Oldtown: twelve killed, mayor Ana Ruiz confirms",
)


def test_a_claim_that_its_quotes_carry_cites_them():
    verdict = verify("12 people were killed in the Oldtown fire.", FIRE)
    assert verdict.problem == ""
    assert verdict.support == 1.0
    assert verdict.cites == (0, 1)


@pytest.mark.parametrize(
    ("claim", "problem"),
    [
        ("", "empty"),
        ("13 people were killed in the Oldtown fire.", "number 13"),
        ("12 people were killed in the Newtown fire.", "newtown"),
        ("12 people were killed in the Oldtown flood.", "flood"),
        ("Nobody was killed in the Oldtown fire.", "nobody"),
        ("12 people were not killed in the Oldtown fire.", "not"),
        ("Mayor Ana Ruiz was killed in the fire on the 12th.", "12th"),
        ("Were 12 people killed in the Oldtown fire?", "asks"),
        ("12 killed in Oldtown fire, see https://evil.example", "link"),
        ("![x](https://evil.example/12) killed in the Oldtown fire", "link"),
        ("<b>12 killed</b> in the Oldtown fire", "markup"),
        ("12 killed. " * 60, "too long"),
        ("It is so.", "too little"),
    ],
)
def test_a_claim_that_its_quotes_do_not_carry_is_refused(claim, problem):
    verdict = verify(claim, FIRE)
    assert problem in verdict.problem
    assert verdict.cites == ()


def test_who_beat_whom_cannot_be_turned_round():
    said = quotes("Ruiz beats Weber in Oldtown", "Ruiz has beaten Weber")
    assert verify("Ruiz beats Weber in Oldtown.", said).problem == ""
    assert "changed places" in verify("Weber beats Ruiz in Oldtown.", said).problem


def test_a_guess_is_not_stated_as_fact():
    said = quotes(
        "Ruiz will probably close the Oldtown bridge", "I think Ruiz may close the bridge"
    )
    assert "suppose" in verify("Ruiz close the Oldtown bridge.", said).problem


def test_what_somebody_says_is_not_stated_as_fact():
    said = quotes("Bo claims that Ana Ruiz stole the bike", "Ana Ruiz stole a bike, Bo says")
    assert "somebody says" in verify("Ana Ruiz stole the bike.", said).problem
    assert verify("Bo says that Ana Ruiz stole the bike.", said).problem == ""
    firm = quotes("I saw how Ana Ruiz stole the bike")
    assert verify("Ana Ruiz stole the bike.", [*said, *firm]).problem == ""


ATTRIBUTED = {
    "en": (
        "Ana stole the bike.",
        "Ana stole the bike, according to Bo",
        "Bo accused Ana: Ana stole the bike",
    ),
    "es": (
        "Ana robó la bici.",
        "Según Bo, Ana robó la bici",
        "Bo declaró que Ana robó la bici",
        "Ana robó la bici, sostiene Bo",
    ),
    "it": (
        "Ana rubò la bici.",
        "Bo ha detto che Ana rubò la bici",
        "Stando a Bo, Ana rubò la bici",
        "Bo riferisce che Ana rubò la bici",
    ),
    "pt": (
        "Ana roubou a bicicleta.",
        "Bo afirmou que Ana roubou a bicicleta",
        "Bo alega que Ana roubou a bicicleta",
        "Bo garantiu que Ana roubou a bicicleta",
    ),
    "fr": (
        "Ana vola le vélo.",
        "Bo assure que Ana vola le vélo",
        "D’après Bo, Ana vola le vélo",
        "Bo a déclaré que Ana vola le vélo",
    ),
    "de": (
        "Ana stahl das Rad.",
        "Bo sagt, Ana stahl das Rad",
        "Bo zufolge stahl Ana das Rad",
        "Angeblich stahl Ana das Rad",
        "Bo erklärte, Ana stahl das Rad",
    ),
    "ru": (
        "Анна украла велосипед.",
        "Борис сообщил, что Анна украла велосипед",
        "Как утверждает Борис, Анна украла велосипед",
        "По данным полиции, Анна украла велосипед",
        "Борис рассказал: Анна украла велосипед",
        "Со слов Бориса, Анна украла велосипед",
    ),
    "zh": (
        "安娜偷了自行车。",
        "博称安娜偷了自行车",
        "博指出安娜偷了自行车",
        "据博说，安娜偷了自行车",
        "博说：安娜偷了自行车",
    ),
    "ja": (
        "アナが自転車を盗んだ。",
        "ボーによるとアナが自転車を盗んだ",
        "アナが自転車を盗んだと話した",
        "アナが自転車を盗んだと発表した",
        "アナが自転車を盗んだとのこと",
    ),
}
FIRM = {
    "en": "I saw: Ana stole the bike",
    "es": "Vi como Ana robó la bici",
    "it": "Ecco, Ana rubò la bici",
    "pt": "Vi que Ana roubou a bicicleta",
    "fr": "Hier Ana vola le vélo",
    "de": "Gestern stahl Ana das Rad",
    "ru": "Вчера Анна украла велосипед",
    "zh": "昨天安娜偷了自行车",
    "ja": "昨日アナが自転車を盗んだ",
}


@pytest.mark.parametrize("lang", ATTRIBUTED)
def test_what_somebody_says_is_not_stated_as_fact_in_any_language(lang: str) -> None:
    claim, *said = ATTRIBUTED[lang]
    for each in said:
        assert "somebody says" in verify(claim, quotes(each)).problem, each
    assert verify(claim, quotes(*said, FIRM[lang])).problem == ""


def test_a_denial_is_not_stated_as_fact():
    said = quotes("The Oldtown bridge is not closed", "No, the Oldtown bridge has not been closed")
    assert "deny" in verify("The Oldtown bridge closed.", said).problem


def test_an_open_question_needs_two_voices():
    said = quotes("Long queues at the Oldtown ferry", "Ferry to Oldtown cancelled at 18:00")
    claim = "The Oldtown ferry is cancelled at 18:00."
    assert verify(claim, said).problem == ""
    assert "one voice" in verify(claim, said, voices=2).problem


@given(st.text(max_size=400))
def test_nothing_that_a_model_can_write_breaks_the_check(claim):
    verdict = verify(claim, FIRE)
    assert bool(verdict.cites) != bool(verdict.problem)


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return open_verifier(pull_encoder())


def test_how_surely_a_claim_follows_is_told_and_drops_nothing(verifier: Verifier) -> None:
    claim = "12 people were killed in the Oldtown fire."
    read, unread = verify(claim, FIRE, verifier=verifier), verify(claim, FIRE)
    assert read.entailed is not None
    assert read.entailed >= verifier.threshold
    assert unread == replace(read, entailed=None)


def test_rules_judge_alone_what_is_not_in_english(verifier: Verifier) -> None:
    fire = [replace(q, post=msgspec.structs.replace(q.post, lang="es")) for q in FIRE]
    verdict = verify("12 people were killed in the Oldtown fire.", fire, verifier=verifier)
    assert (verdict.problem, verdict.entailed) == ("", None)


def test_what_the_rules_drop_is_not_read(verifier: Verifier) -> None:
    verdict = verify("13 people were killed in the Oldtown fire.", FIRE, verifier=verifier)
    assert "number 13" in verdict.problem
    assert verdict.entailed is None
