"""A report from many searches: what it holds, and what it may cost."""

import itertools

import msgspec
import pytest

from fairwitness.answers import Budget, Progressed, QuestionError, Report, Reported, deep
from fairwitness.answers.facets import _COUNTED, _FORMS, facets
from fairwitness.answers.understand import understand
from fairwitness.posts.post import Deleted

QUESTION = "What happened at the harbour of Marwick?"


def harbour(scene):
    return scene.say(
        "Explosion at the harbour of Marwick, windows broken everywhere",
        "Huge explosion in Marwick harbour just now",
        "At least 12 injured in the Marwick harbour explosion, says Ana Ruiz of the hospital",
        "Marwick harbour explosion: 12 injured, mayor Ana Ruiz says",
        "30 injured after the blast in the harbour of Marwick",
        "Marwick harbour: 30 injured people brought to the clinic",
        "Harbour of Marwick is closed since 14:30, the explosion was at pier 3",
        "Bread is half price in Oldtown",
    )


def report(scene, question: str = QUESTION, **how: object) -> Report:
    *steps, last = deep(scene.desk(), question, **how)
    assert isinstance(last, Reported)
    assert all(isinstance(each, Progressed) for each in steps)
    for each in (*steps, last):
        check(each.report)
    return last.report


def check(report: Report) -> None:
    """Hold what must be true of a report at every moment of its making."""
    sources = {source.n: source for source in report.sources}
    assert list(sources) == list(range(1, len(sources) + 1))
    said = [s for section in report.sections for s in section.sentences]
    disputed = [s for d in report.disputes for side in d.sides for s in side.quotes]
    for sentence in (*said, *disputed, *(moment.quote for moment in report.timeline)):
        assert sentence.citations
        for citation in sentence.citations:
            cited = sources[citation.source].text[citation.start : citation.end]
            assert cited
            assert sentence.kind != "quote" or cited == sentence.text
    quotes = [s for s in said if s.kind == "quote"]
    assert len(quotes) == len({s.citations for s in quotes}), "a quote is shown twice"
    times = [moment.at for moment in report.timeline]
    assert times == sorted(times)
    assert {m.quote.citations[0].source for m in report.timeline} <= set(sources)


def test_a_report_has_sections_a_dispute_table_and_a_timeline(scene):
    posts = harbour(scene)
    told = report(scene)
    assert told.partial == ""
    assert {step.state for step in told.plan} <= {"answered", "same", "silent"}
    titles = [section.question for section in told.sections]
    assert titles[0] == QUESTION
    assert any(title.startswith("How many injured") for title in titles)
    assert any("Ana Ruiz" in step.question for step in told.plan)
    (dispute,) = [each for each in told.disputes if each.about.startswith("How many injured")]
    assert {side.says for side in dispute.sides} == {"12", "30"}
    assert told.timeline[0].author == posts[0].author
    assert all("Oldtown" not in source.text for source in told.sources)


def test_progress_is_told_and_every_step_keeps_what_was_said(scene):
    harbour(scene)
    steps = [each for each in deep(scene.desk(), QUESTION) if isinstance(each, Progressed)]
    assert [each.at for each in steps] == sorted(each.at for each in steps)
    for one, other in itertools.pairwise(steps):
        before = [
            s.text for part in one.report.sections for s in part.sentences if s.kind != "count"
        ]
        after = [s.text for part in other.report.sections for s in part.sentences]
        assert set(before) <= set(after)


def test_whoever_stops_has_what_there_was(scene):
    harbour(scene)
    running = deep(scene.desk(), QUESTION)
    first = next(running)
    running.close()
    check(first.report)
    assert first.report.plan[0].state == "asking"
    assert first.report.sections[0].sentences


def test_no_step_is_begun_when_the_seconds_are_over(scene):
    harbour(scene)
    told = report(scene, budget=Budget(seconds=0.0))
    assert told.partial == "seconds"
    assert told.plan[0].state == "answered"
    assert {step.state for step in told.plan[1:]} == {"open"}


def test_the_same_posts_give_the_same_report(scene):
    harbour(scene)
    one, other = report(scene), report(scene)
    assert msgspec.structs.replace(one, seconds=0) == msgspec.structs.replace(other, seconds=0)


def test_a_report_as_of_then_knows_nothing_of_later(scene):
    harbour(scene)
    then_ms = scene.now_ms
    before = report(scene, as_of_ms=then_ms)
    late = scene.say("Marwick harbour explosion: 45 injured now", "45 injured, Marwick harbour")
    after = report(scene, as_of_ms=then_ms)
    assert [s.id for s in after.sources] == [s.id for s in before.sources]
    scene.happen(*(Deleted(post.id, scene.now_ms) for post in late))


def test_nobody_witnessed_it(scene):
    scene.say("Bread is half price in Oldtown")
    told = report(scene)
    (section,) = told.sections
    assert section.abstention.startswith("No witness")
    assert (told.sources, told.timeline, len(told.plan)) == ((), (), 1)


def test_what_cannot_be_asked_is_refused(scene):
    with pytest.raises(QuestionError, match="no words"):
        list(deep(scene.desk(), "?!"))


def test_facets_keep_the_window_of_the_question(scene):
    scene.say("Explosion at the harbour of Marwick, 12 injured", minutes=1)
    scene.say("Blast in Marwick harbour, 12 injured", minutes=1)
    asked = understand(f"{QUESTION} in the last hour", scene.now_ms)
    assert not asked.window.whole
    found = facets(scene.index, asked, scene.now_ms)
    assert found
    assert {each.window for each in found} == {asked.window}


@pytest.mark.parametrize("lang", _FORMS)
def test_questions_of_a_report_ask_in_their_language_what_they_mean(lang: str, scene):
    kinds = ("happening", "when", "where", "whether", "how_many")
    for kind, form in zip(kinds, _FORMS[lang], strict=False):
        text = form.format(about="Marwick", what=_COUNTED[lang][0])
        assert understand(text, scene.now_ms, lang).asks == kind, text
    for word, sense in zip(_COUNTED[lang], ("dead", "hurt", "missing", "evacuate"), strict=True):
        (term,) = understand(word, scene.now_ms, lang).terms
        assert term.sense is not None, word
        assert term.sense.name == sense
