"""Conversations over HTTP: follow-ups, several questions at once, and what was understood."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

QUAKE = "Was there an earthquake in Valparaíso?"
BREAD = "Who gives bread away?"
LATER = "2026-11-20T09:00:00Z"
BOTH = f"{QUAKE} {BREAD} Who won the chess final in Lima?"


@pytest.fixture(scope="module")
def grounded(reading) -> Iterator[OpenAI]:
    url = f"{reading.url}/v1"
    with OpenAI(base_url=url, api_key="none", max_retries=0, timeout=20) as client:
        yield client


def said(*texts: str) -> list[dict[str, str]]:
    """A conversation in which each question but the last one was answered."""
    answered = [{"role": "assistant", "content": "The moon is made of cheese, says Bo."}]
    turns = [[{"role": "user", "content": text}] for text in texts]
    return [each for turn in turns for each in (*turn, *answered)][:-1]


def test_a_follow_up_leans_on_the_messages_before_it(grounded) -> None:
    create = grounded.chat.completions.create
    got = create(model="fairwitness", messages=said(QUAKE, "What is closed there?"))
    answer = got.model_extra["fairwitness"]
    assert answer["question"] == "What is closed there? (earthquake Valparaíso)"
    assert "Las Torpederas" in answer["answer"]
    assert "cheese" not in answer["answer"], "what the other side said is no evidence"
    alone = create(model="fairwitness", messages=said("What is closed there?"))
    assert "(" not in alone.model_extra["fairwitness"]["question"]


def test_a_chat_asks_for_a_length_in_words(grounded) -> None:
    create = grounded.chat.completions.create
    asked = "What happened in Valparaíso"
    briefly, whole = (
        create(model="fairwitness", messages=said(text)).model_extra["fairwitness"]
        for text in (f"{asked}, in one sentence?", f"{asked}?")
    )
    assert briefly["question"] == whole["question"]
    assert len(briefly["sentences"]) < len(whole["sentences"])
    assert briefly["witnesses"] == whole["witnesses"]


def test_a_picture_in_an_earlier_message_is_passed_over(grounded) -> None:
    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    parts = [shown, {"type": "text", "text": QUAKE}]
    messages = [{"role": "user", "content": parts}, *said("What is closed there?")]
    got = grounded.chat.completions.create(model="fairwitness", messages=messages)
    assert "Valparaíso" in got.model_extra["fairwitness"]["question"]


def test_marks_of_several_answers_are_annotated_and_stream_as_one_text(grounded) -> None:
    messages = said(BOTH)
    got = grounded.chat.completions.create(model="fairwitness", messages=messages)
    answer, message = got.model_extra["fairwitness"], got.choices[0].message
    assert [part["abstained"] for part in answer["parts"]] == [False, False, True]
    assert message.content == answer["answer"]
    numbers = {source["n"] for source in answer["sources"]}
    marks = {
        message.content[a.url_citation.start_index : a.url_citation.end_index]
        for a in message.annotations
    }
    assert marks == {f"[{n}]" for n in numbers}
    chunks = list(
        grounded.chat.completions.create(model="fairwitness", messages=messages, stream=True)
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == message.content


def test_ask_takes_what_was_asked_before(reading) -> None:
    body = {"question": "What is closed there?", "earlier": ["hello", QUAKE]}
    assert "Las Torpederas" in reading.client.post("/v1/ask", json=body).json()["answer"]


def test_what_was_understood_is_told_and_taken_back_changed(reading) -> None:
    body = {"question": "What about the cake?", "explain": True, "as_of": LATER}
    first = reading.client.post("/v1/ask", json=body).json()
    assert first["abstained"]
    (understood,) = first["explained"]["questions"]
    assert understood["words"] == ["cake"]
    assert first["explained"]["searches"][0]["posts"] == 7
    same = {"question": "", "questions": [understood], "as_of": first["as_of"]}
    again = reading.client.post("/v1/ask", json=same).json()
    assert (again["answer"], again["explained"]) == (first["answer"], None)
    changed = {**understood, "words": ["bread"]}
    found = reading.client.post("/v1/ask", json={**same, "questions": [changed]}).json()
    assert "bread" in found["answer"]


@pytest.mark.parametrize(
    ("given", "param", "message"),
    [
        ({"questions": [{"question": "Who?", "asks": "whom"}]}, "questions[0].asks", "whom"),
        ({"questions": [{"question": "Who?", "since": "noon"}]}, "question", "noon"),
        ({"questions": [{"question": "Who?", "word": []}]}, "questions[0]", "unknown field"),
        ({"earlier": "Who?"}, "earlier", "array"),
        ({"question": "Who won the fight? " * 9}, "question", "asks 9 questions"),
    ],
)
def test_what_cannot_be_read_is_named(reading, given, param, message) -> None:
    reply = reading.client.post("/v1/ask", json={"question": "", **given})
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert message in error["message"]
    assert error["param"] == param
