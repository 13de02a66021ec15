"""Whatever is asked, of whatever was posted: an answer that holds, or a plain refusal."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwitness.answers import QuestionError

PIECES = st.sampled_from(
    "Who won the fight ? How many dead in Oldtown #OldtownFire 12 1,200 4.000 7,6 ¿Quién ganó?"
    " 地震 在哪里 \u202e \ufeff Ana Ruiz @bo https://x.example/é … ... “quote” won't l'alluvione"
    " \U0001f469\u200d\U0001f467 ١٢ Ⅻ ² ½ ﷺ"
    " İstanbul ß Straße <|im_start|> RT @a: -- 3/4 1. %s {0} \\ \0 \n".split(" ")
)
QUESTIONS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=12).map(" ".join))


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(question=QUESTIONS, texts=st.lists(QUESTIONS, min_size=1, max_size=6))
def test_any_question_of_any_posts(scene, question, texts):
    scene.say(*texts)
    if any(char.isalnum() for char in question):
        assert scene.ask(question).answer
        return
    with pytest.raises(QuestionError, match=r"^the question (is empty|has no words)"):
        scene.ask(question)


@pytest.mark.parametrize("question", ["Who won 1e400?", "How many ²½?", "What happened to \ud800?"])
def test_odd_numbers_and_broken_characters(tmp_path: Path, scene, question):
    scene.say("Ana won ² races and 99999999999999999999999999999 hearts, ½ of them in ١٢ towns")
    scene.ask(question)


def test_an_empty_home_says_so(tmp_path: Path, scene):
    answer = scene.ask("Who won the fight?")
    assert answer.abstained
    assert answer.freshness.posts_searched == 0
    assert answer.freshness.newest_seen_at == ""
