"""Two answers side by side, and one post explained."""

import pytest

from fairwitness.answers import UnknownPost, changes, difference, explain
from fairwitness.posts.post import Deleted

QUESTION = "What happened to the lighthouse of Marwick?"


def test_a_difference_says_what_came_and_what_went(scene) -> None:
    scene.say("The lighthouse of Marwick is on fire")
    before = scene.ask(QUESTION)
    at_ms = scene.now_ms
    scene.say("Fire in the top of the Marwick lighthouse, seen from a boat")
    told = difference(scene.ask(QUESTION, as_of_ms=at_ms), scene.ask(QUESTION))
    assert told.before.but_for_time() == before.but_for_time()
    assert [c.what for c in told.changes] == ["new", "corroborated"]
    assert told.after.sentences[told.changes[0].at].text.startswith("Fire in")
    back = difference(told.after, told.before)
    assert [c.what for c in back.changes] == ["gone"]


def test_an_alert_counts_who_agrees_on_an_open_question_too(scene) -> None:
    scene.say("The lighthouse of Marwick is on fire")
    before = scene.ask(QUESTION)
    scene.say("Fire in the top of the Marwick lighthouse, seen from a boat")
    after = scene.ask(QUESTION)
    assert (before.witnesses, after.witnesses) == (1, 2)
    told = {c.what: c.why for c in changes(before, after, scene.index, alert=2)}
    assert told["alert"] == "2 independent witnesses"
    assert told["corroborated"] == "1 → 2 witnesses"
    assert "alert" not in {c.what for c in changes(before, after, scene.index, alert=3)}


def test_the_same_answer_has_not_changed(scene) -> None:
    scene.say("The lighthouse of Marwick is on fire")
    one, other = scene.ask(QUESTION), scene.ask(QUESTION)
    assert difference(one, other).changes == ()
    assert changes(one, other, scene.index, alert=1) == []


def test_a_count_rests_on_all_its_posts(scene) -> None:
    posts = scene.say(
        "Ana Ruiz won the Portville race by a metre", "Ana Ruiz wins! What a Portville race"
    )
    before = scene.ask("Who won the Portville race?")
    scene.happen(Deleted(posts[0].id, scene.now_ms))
    after = scene.ask("Who won the Portville race?")
    assert after.abstained
    told = changes(before, after, scene.index)
    kinds = [before.sentences[c.at].kind for c in told if c.what == "withdrawn"]
    assert sorted(kinds) == ["count", "quote"]


def test_a_post_is_explained_with_thread_denial_and_others(scene, checked) -> None:
    (root,) = scene.say("Anyone near the Marwick lighthouse?", author="kim")
    (post,) = scene.say("The lighthouse of Marwick is on fire", author="ana", reply_to=root.id)
    scene.say("@ana that is fake", author="rui", reply_to=post.id, mentions=("ana",))
    scene.say("@ana stay safe", author="lee", reply_to=post.id, mentions=("ana",))
    scene.say("Fire at Marwick lighthouse, the coast guard is on its way", author="bo")
    scene.say("Bread is half price in Oldtown")
    told = explain(scene.desk(), post.id)
    checked(told)
    assert told.standing == "denied"
    assert [s.text for s in told.sentences] == [
        post.text,
        "It answers this post.",
        root.text,
        "Denied by those who answer: 1.",
        "@ana that is fake",
        "Other answers: 1.",
        "@ana stay safe",
        "Independent witnesses who report the same: 1.",
        "Fire at Marwick lighthouse, the coast guard is on its way",
    ]


def test_a_post_that_nobody_else_reports_is_said_to_be_alone(scene) -> None:
    (post,) = scene.say("The lighthouse of Marwick is on fire")
    told = explain(scene.desk(), post.id)
    assert (told.standing, told.sentences[-1].text) == ("lone", "Nobody else reports it.")


def test_what_is_gone_is_not_explained(scene) -> None:
    (post,) = scene.say("The lighthouse of Marwick is on fire")
    scene.happen(Deleted(post.id, scene.now_ms))
    with pytest.raises(UnknownPost, match="no such post"):
        explain(scene.desk(), post.id)
