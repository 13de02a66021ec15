"""OpenAI's own client talks to us and notices nothing, but for the citations."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import httpx2
import openai
import pytest
from openai import OpenAI

from fairwitness.engine import ChatOptions, Message, RemoteChat, Usage
from fairwitness.server.metered import Metered
from fairwitness.server.workers import Workers

QUESTION = "Was there an earthquake in Valparaíso?"
QUAKE = [{"role": "user", "content": QUESTION}]


def client_of(served) -> OpenAI:
    return OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=20)


@pytest.fixture
def client(talking) -> Iterator[OpenAI]:
    with client_of(talking) as client:
        yield client


@pytest.fixture(scope="module")
def grounded(reading) -> Iterator[OpenAI]:
    with client_of(reading) as client:
        yield client


def test_a_grounded_completion_is_the_answer_with_its_marks_annotated(grounded, reading) -> None:
    got = grounded.chat.completions.create(model="fairwitness", messages=QUAKE)
    answer = got.model_extra["fairwitness"]
    message = got.choices[0].message
    assert message.content == answer["answer"]
    assert got.choices[0].finish_reason == "stop"
    assert len(message.annotations) == sum(
        len({c["source"] for c in sentence["citations"]}) for sentence in answer["sentences"]
    )
    addresses = {source["n"]: source["url"] for source in answer["sources"]}
    for annotation in message.annotations:
        cited = annotation.url_citation
        mark = message.content[cited.start_index : cited.end_index]
        assert cited.url == addresses[int(mark.strip("[]"))]
    assert got.model_extra["citations"] == list(addresses.values())
    assert got.usage.total_tokens == 0, "no chat model, no tokens"


def test_a_source_without_an_address_is_cited_by_ours(grounded, reading) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "Who gives bread away?"}]}]
    got = grounded.chat.completions.create(model="fairwitness", messages=messages)
    (address,) = got.model_extra["citations"]
    assert address.startswith(f"{reading.url}/v1/posts/")
    assert reading.client.get(address).json()["author"] == "bo"


def test_a_grounded_stream_adds_up_to_the_same_answer(grounded) -> None:
    chunks = list(
        grounded.chat.completions.create(
            model="fairwitness",
            messages=[{"role": "system", "content": "Be brief."}, *QUAKE],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    *said, last, usage = chunks
    assert said[0].choices[0].delta.role == "assistant"
    assert len(said) == 5, "a role, three quotes, one count"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in [*said, last])
    assert text == last.model_extra["fairwitness"]["answer"]
    assert last.choices[0].finish_reason == "stop"
    assert [c for chunk in said for c in chunk.choices if c.finish_reason] == []
    assert len(last.model_extra["citations"]) == 3
    assert usage.choices == []
    assert usage.usage.completion_tokens == 0
    assert len({chunk.id for chunk in chunks}) == 1


def test_an_abstention_is_the_content(grounded) -> None:
    messages = [{"role": "user", "content": "Who won the chess final?"}]
    got = grounded.chat.completions.create(model="fairwitness", messages=messages)
    assert got.choices[0].message.content.startswith("No witness")
    stream = grounded.chat.completions.create(model="fairwitness", messages=messages, stream=True)
    text = "".join(c.choices[0].delta.content or "" for c in stream)
    assert text == got.choices[0].message.content


def test_the_tokens_of_all_streams_are_added_up_and_unknown_ones_admitted(parrot) -> None:
    model = RemoteChat(parrot.url)
    metered = Metered(model)
    assert metered.usage == Usage(0, 0)
    for text in ("one two", "three"):
        assert (
            "".join(metered.stream([Message("user", text)], ChatOptions())).split() == text.split()
        )
    assert metered.usage == Usage(14, 3)
    cut = metered.stream([Message("user", "four five")], ChatOptions())
    next(cut)
    cut.close()
    assert metered.usage is None, "this server tells its usage at the end only"
    model.close()


def test_any_other_name_is_the_chat_model_itself(client, parrot) -> None:
    got = client.chat.completions.create(
        model="parrot",
        messages=[
            {"role": "developer", "content": "You are a parrot."},
            {"role": "user", "content": [{"type": "text", "text": "one two three"}]},
        ],
        temperature=0.5,
        top_p=0.9,
        seed=7,
        max_completion_tokens=2,
        stop=["zebra"],
    )
    assert got.choices[0].message.content == "one two "
    assert got.usage.completion_tokens == 2
    assert got.usage.total_tokens == 9
    asked = parrot.asked[-1]
    assert asked["messages"][0] == {"role": "system", "content": "You are a parrot."}
    sent = {name: asked[name] for name in ("temperature", "top_p", "seed", "stop", "max_tokens")}
    assert sent == {"temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["zebra"], "max_tokens": 2}


def test_the_chat_model_streams(client) -> None:
    chunks = list(
        client.chat.completions.create(
            model="parrot",
            messages=[{"role": "user", "content": "one two 🦜 four"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    pieces = [
        c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content
    ]
    assert pieces == ["one ", "two ", "🦜 ", "four "]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 4


def test_the_async_client_streams_too(talking) -> None:
    async def main() -> str:
        async with openai.AsyncOpenAI(base_url=f"{talking.url}/v1", api_key="none") as client:
            stream = await client.chat.completions.create(
                model="fairwitness", messages=QUAKE, stream=True
            )
            return "".join([c.choices[0].delta.content or "" async for c in stream])

    assert "independent witnesses say so" in asyncio.run(main())


def test_the_models_are_listed(client) -> None:
    assert [model.id for model in client.models.list()] == ["fairwitness", "parrot"]
    assert client.models.retrieve("parrot").object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("grok-9")


def test_errors_are_those_that_the_client_knows(client) -> None:
    with pytest.raises(openai.NotFoundError, match="no such model: gpt-9") as unknown:
        client.chat.completions.create(model="gpt-9", messages=QUAKE)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="temperature") as hot:
        client.chat.completions.create(model="parrot", messages=QUAKE, temperature=9)
    assert hot.value.param == "temperature"
    with pytest.raises(openai.BadRequestError, match="no message has the role user"):
        client.chat.completions.create(
            model="fairwitness", messages=[{"role": "system", "content": "hi"}]
        )
    with pytest.raises(openai.BadRequestError, match="the question is empty"):
        client.chat.completions.create(
            model="fairwitness", messages=[{"role": "user", "content": " "}]
        )
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    with pytest.raises(openai.BadRequestError, match="only text can be read here, not 'image_url'"):
        client.chat.completions.create(
            model="parrot", messages=[{"role": "user", "content": [picture]}]
        )
    with pytest.raises(openai.InternalServerError, match="answered 500") as broken:
        client.chat.completions.create(
            model="parrot", messages=[{"role": "user", "content": "refuse"}]
        )
    assert broken.value.status_code == 502


def test_while_the_model_loads_quotes_are_answered_and_its_name_must_wait(
    tmp_path, parrot, serving
) -> None:
    gate = threading.Event()

    chat = RemoteChat(parrot.url)

    def load() -> RemoteChat:
        gate.wait(10)
        return chat

    with (
        contextlib.closing(chat),
        serving(tmp_path / "home", load_chat=load) as running,
        client_of(running) as client,
    ):
        assert running.client.get("/v1/status").json()["model"]["state"] == "loading"
        assert not running.client.post("/v1/ask", json={"question": QUESTION}).json()["abstained"]
        with pytest.raises(openai.InternalServerError, match="still loading") as waits:
            client.chat.completions.create(model="parrot", messages=QUAKE)
        assert waits.value.response.headers["retry-after"] == "5"
        gate.set()


def test_a_client_that_leaves_frees_the_thread_and_the_model(talking, parrot, wait_until) -> None:
    house = talking.house
    body = {
        "model": "parrot",
        "messages": [{"role": "user", "content": "on and on forever"}],
        "stream": True,
    }
    with talking.client.stream("POST", "/v1/chat/completions", json=body) as reply:
        lines = reply.iter_lines()  # dropping it would close the connection
        assert next(lines).startswith("data: ")
        assert house.chatting.in_flight == 1
    assert parrot.left.wait(5), "the model still talks to nobody"
    wait_until(lambda: house.chatting.in_flight == 0)


def test_a_client_that_leaves_before_the_whole_frees_the_thread_too(
    talking, parrot, wait_until
) -> None:
    body = {"model": "parrot", "messages": [{"role": "user", "content": "on and on forever"}]}
    with pytest.raises(httpx2.ReadTimeout):
        talking.client.post("/v1/chat/completions", json=body, timeout=0.3)
    assert parrot.left.wait(5), "the model still talks to nobody"
    wait_until(lambda: talking.house.chatting.in_flight == 0)


def test_too_many_at_once_are_told_to_come_back(talking, wait_until) -> None:
    talking.house.chatting = Workers("chat", 1, 0)
    body = {
        "model": "parrot",
        "messages": [{"role": "user", "content": "on and on forever"}],
        "stream": True,
    }
    with talking.client.stream("POST", "/v1/chat/completions", json=body):
        reply = talking.client.post("/v1/chat/completions", json=body)
        assert reply.status_code == 503
        assert int(reply.headers["retry-after"]) > 0
        assert reply.json()["error"]["code"] == "busy"
        search = talking.client.get("/v1/search", params={"q": "bridge"})
        assert search.status_code == 200, "searches do not wait for answers"
        asked = talking.client.post("/v1/ask", json={"question": QUESTION})
        assert asked.status_code == 200, "questions have threads of their own"
    wait_until(lambda: talking.house.chatting.in_flight == 0)
    talking.house.answering = Workers("answer", 1, -1)
    asked = talking.client.post("/v1/ask", json={"question": QUESTION})
    assert asked.status_code == 503
    assert asked.json()["error"]["code"] == "busy"
