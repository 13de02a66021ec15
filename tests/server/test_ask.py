"""A question over HTTP gets exactly the answer that the road gives, whole or streamed."""

import json
from collections.abc import Iterator

import httpx2
import msgspec
import pytest

from fairwitness import answers
from fairwitness.answers import Answer, Finished, Progressed, Reported, Said
from fairwitness.posts.clock import from_iso

QUAKE = "Was there an earthquake in Valparaíso?"


def events(response: httpx2.Response) -> Iterator[tuple[str, bytes]]:
    for event in httpx2.EventSource(response):
        yield event.event, event.data.encode()


def test_the_whole_answer_is_what_the_road_gives(reading) -> None:
    as_of = "2026-11-20T08:03:00Z"
    reply = reading.client.post("/v1/ask", json={"question": QUAKE, "as_of": as_of})
    assert reply.status_code == 200
    got = msgspec.json.decode(reply.content, type=Answer)
    *_, last = answers.ask(reading.house.home.desk(), QUAKE, as_of_ms=from_iso(as_of))
    assert isinstance(last, Finished)
    same = {"timing_ms": got.timing_ms}
    assert got == msgspec.structs.replace(last.answer, **same)
    assert not got.abstained
    texts = {source.n: source.text for source in got.sources}
    quotes = [s for s in got.sentences if s.kind == "quote"]
    assert len(quotes) == 3
    for sentence in quotes:
        (citation,) = sentence.citations
        assert texts[citation.source][citation.start : citation.end] == sentence.text


def test_the_stream_says_each_sentence_and_then_the_same_answer(reading) -> None:
    body = {"question": QUAKE, "stream": True}
    with reading.client.stream("POST", "/v1/ask", json=body) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        told = list(events(reply))
    names = [name for name, _ in told]
    assert names == ["said"] * (len(told) - 1) + ["finished"]
    said = [msgspec.json.decode(data, type=Said) for _, data in told[:-1]]
    finished = msgspec.json.decode(told[-1][1], type=Finished).answer
    assert tuple(each.sentence for each in said) == finished.sentences
    assert tuple(source for each in said for source in each.sources) == finished.sources


def test_as_of_hides_what_was_seen_later(reading) -> None:
    body = {"question": "Who gives bread away?", "as_of": "2026-11-20T08:03:00Z"}
    assert reading.client.post("/v1/ask", json=body).json()["abstained"]
    body["as_of"] = "2026-11-20T08:05:00Z"
    assert not reading.client.post("/v1/ask", json=body).json()["abstained"]


def test_fun_and_language_reach_the_road(reading) -> None:
    body = {"question": "Who gives bread away?", "mode": "fun", "lang": "de"}
    got = reading.client.post("/v1/ask", json=body).json()
    assert (got["mode"], got["lang"]) == ("fun", "de")


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({"question": ""}, "question", "the question is empty"),
        ({"question": "?!"}, "question", "no words"),
        ({"question": "a" * 100_000}, "question", "100,000 characters"),
        ({"question": 7}, "question", "question: expected `str`, got `int`: 7"),
        ({}, None, "missing required field `question`"),
        ({"question": "why", "mode": "sly"}, "mode", "mode: invalid enum value 'sly': \"sly\""),
        ({"question": "why", "as_of": "noon"}, "as_of", "as_of: not a time: 'noon'"),
        ({"question": "why", "quiet": True}, None, "unknown field `quiet`"),
        ([], None, "expected `object`, got `array`"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(
    reading, body: object, param: str | None, message: str
) -> None:
    reply = reading.client.post("/v1/ask", json=body)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert message in error["message"]


@pytest.mark.parametrize("raw", [b"", b"{", b'{"question": "\xff"}', b'{"question": "\\ud800"}'])
def test_what_is_not_json_is_refused(reading, raw: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    reply = reading.client.post("/v1/ask", content=raw, headers=headers)
    assert reply.status_code == 400
    assert "not JSON" in reply.json()["error"]["message"]


def test_another_content_type_is_refused(reading) -> None:
    text = json.dumps({"question": "why"})
    reply = reading.client.post("/v1/ask", content=text, headers={"Content-Type": "text/plain"})
    assert reply.status_code == 415
    assert "application/json, not text/plain" in reply.json()["error"]["message"]


def test_a_body_of_more_than_a_million_bytes_is_refused(reading) -> None:
    reply = reading.client.post("/v1/ask", json={"question": "a" * 1_000_000})
    assert reply.status_code == 413
    assert "1,000,000 bytes" in reply.json()["error"]["message"]


def test_an_unknown_route_and_method_are_said_in_the_same_shape(reading) -> None:
    assert reading.client.get("/v1/nothing").json()["error"]["type"] == "not_found_error"
    reply = reading.client.get("/v1/ask")
    assert reply.status_code == 405
    assert "does not take GET" in reply.json()["error"]["message"]


def test_a_report_grows_sentence_by_sentence_and_ends_whole(reading) -> None:
    body = {"question": QUAKE, "as_of": "2026-11-20T09:00:00Z", "stream": True}
    with reading.client.stream("POST", "/v1/deep", json=body) as reply:
        told = list(events(reply))
    assert {name for name, _ in told[:-1]} == {"progressed"}
    steps = [msgspec.json.decode(data, type=Progressed) for _, data in told[:-1]]
    assert len(steps[0].report.sections[0].sentences) == 1
    assert told[-1][0] == "reported"
    report = msgspec.json.decode(told[-1][1], type=Reported).report
    assert report.partial == ""
    assert len(report.sections[0].sentences) >= 3
    assert len(report.timeline) == len({moment.quote.text for moment in report.timeline})


@pytest.mark.parametrize("field", [{"seconds": -1}, {"tokens": 10**9}, {"as_of": "soon"}])
def test_a_report_of_no_possible_budget_is_refused(reading, field) -> None:
    reply = reading.client.post("/v1/deep", json={"question": QUAKE, **field})
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == next(iter(field))
