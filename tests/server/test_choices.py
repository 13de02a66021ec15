"""How answers are chosen, over a real socket with the default model: what a client can ask for."""

import datetime
import json
import math
import re
from collections.abc import Iterator
from typing import Literal

import openai
import pydantic
import pytest
from openai import OpenAI

from fairwitness.engine import LocalChat
from fairwitness.models.registry import DEFAULT_MODEL, pull

ASK = [{"role": "user", "content": "Name one planet. Answer with one short sentence."}]
PLANET = {
    "type": "object",
    "properties": {
        "planet": {"type": "string", "maxLength": 12},
        "moons": {"type": "integer", "minimum": 0, "maximum": 99},
        "kind": {"enum": ["rocky", "gas"]},
    },
    "required": ["planet", "moons", "kind"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def chat() -> LocalChat:
    return LocalChat.open(DEFAULT_MODEL, pull(DEFAULT_MODEL))


@pytest.fixture(scope="module")
def running(tmp_path_factory, serving, wait_until, chat):
    with serving(tmp_path_factory.mktemp("home"), load_chat=lambda: chat) as running:
        wait_until(lambda: running.house.chat.model is not None)
        yield running


@pytest.fixture(scope="module")
def client(running) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def asked(client: OpenAI, **settings):
    return client.chat.completions.create(
        **{"model": DEFAULT_MODEL, "messages": ASK, "temperature": 0, "max_tokens": 24, **settings}
    )


def text_of(client: OpenAI, **settings) -> str:
    return asked(client, **settings).choices[0].message.content


def test_json_of_a_schema(client) -> None:
    schema = {"name": "planet", "schema": PLANET, "strict": True}
    form = {"type": "json_schema", "json_schema": schema}
    got = asked(client, response_format=form, max_tokens=80, temperature=1, seed=3)
    planet = json.loads(got.choices[0].message.content)
    assert list(planet) == ["planet", "moons", "kind"]
    assert planet["kind"] in ("rocky", "gas")
    assert 0 <= planet["moons"] <= 99
    assert got.choices[0].finish_reason == "stop"


class Moon(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=12, description="What it is called.")
    icy: bool


class Planet(pydantic.BaseModel):
    """As people hand their types to OpenAI's client: references, unions, descriptions."""

    name: Literal["Saturn", "Mars"]
    found: datetime.date | None
    moons: list[Moon] = pydantic.Field(max_length=2)


def test_types_of_pydantic_come_back_as_such(client) -> None:
    got = client.chat.completions.parse(
        model=DEFAULT_MODEL,
        messages=[{"role": "user", "content": "Describe Saturn."}],
        response_format=Planet,
        max_tokens=120,
        temperature=0,
    )
    planet = got.choices[0].message.parsed
    assert isinstance(planet, Planet)
    assert len(planet.moons) <= 2


def test_any_json_object_streamed(client) -> None:
    said = asked(
        client,
        messages=[{"role": "user", "content": 'Write {"a": 1} as JSON, nothing else.'}],
        response_format={"type": "json_object"},
        max_tokens=60,
        stream=True,
    )
    chunks = [chunk.choices[0] for chunk in said]
    text = "".join(chunk.delta.content or "" for chunk in chunks)
    assert text.startswith("{")
    if chunks[-1].finish_reason == "stop":
        assert isinstance(json.loads(text), dict)


def test_a_pattern_a_grammar_and_an_exact_quote(client) -> None:
    def structured(**form: object) -> str:
        return text_of(client, extra_body={"structured_outputs": form}, temperature=1, seed=1)

    assert re.fullmatch(r"[A-Z][a-z]{2,8}\.", structured(regex=r"[A-Z][a-z]{2,8}\."))
    assert structured(grammar='start: "yes" | "no"') in ("yes", "no")
    sources = ["🪐 Saturn has rings of ice.", "Venus: très chaud."]
    quote = structured(quote=sources)
    assert quote
    assert any(quote in source for source in sources)


def test_logprobs_are_told_with_their_bytes(client) -> None:
    got = asked(client, logprobs=True, top_logprobs=3).choices[0]
    told = got.logprobs.content
    spelled = b"".join(bytes(each.bytes) for each in told)
    assert spelled.decode() == got.message.content
    for each in told:
        assert each.logprob == each.top_logprobs[0].logprob, "greedy takes the likeliest"
        assert [top.logprob for top in each.top_logprobs] == sorted(
            (top.logprob for top in each.top_logprobs), reverse=True
        )
        assert sum(math.exp(top.logprob) for top in each.top_logprobs) <= 1 + 1e-5
    streamed = list(asked(client, logprobs=True, top_logprobs=3, stream=True))
    pieces = [chunk.choices[0].logprobs for chunk in streamed]
    assert [each for piece in pieces if piece for each in piece.content] == told
    assert asked(client).choices[0].logprobs is None


def test_a_stop_text_ends_it_and_its_tokens_are_not_told(client) -> None:
    whole = asked(client, logprobs=True).choices[0]
    stop = whole.message.content[5:9]
    cut = asked(client, logprobs=True, stop=[stop]).choices[0]
    assert cut.message.content == whole.message.content[: whole.message.content.index(stop)]
    assert cut.finish_reason == "stop"
    count = len(cut.logprobs.content)
    assert cut.logprobs.content == whole.logprobs.content[:count]
    spelled = b"".join(bytes(each.bytes) for each in cut.logprobs.content).decode()
    assert spelled.startswith(cut.message.content)
    assert len(spelled) - len(cut.logprobs.content[-1].token) < len(cut.message.content)


def test_choices_are_answers_with_seeds_that_follow(client) -> None:
    got = asked(client, n=3, temperature=1, seed=40)
    assert [choice.index for choice in got.choices] == [0, 1, 2]
    alone = [asked(client, temperature=1, seed=40 + place) for place in range(3)]
    assert [choice.message.content for choice in got.choices] == [
        each.choices[0].message.content for each in alone
    ]
    assert got.usage.completion_tokens == sum(each.usage.completion_tokens for each in alone)
    assert got.usage.prompt_tokens == alone[0].usage.prompt_tokens
    said, ends = ["", "", ""], []
    for chunk in asked(client, n=3, temperature=1, seed=40, stream=True):
        (choice,) = chunk.choices
        said[choice.index] += choice.delta.content or ""
        ends += [choice.index] * (choice.finish_reason is not None)
    assert said == [choice.message.content for choice in got.choices]
    assert sorted(ends) == [0, 1, 2]


def test_a_client_that_leaves_ends_all_choices(running, client, chat, wait_until) -> None:
    stream = asked(client, n=3, temperature=1, max_tokens=2000, stream=True)
    next(iter(stream))
    assert running.house.chatting.in_flight >= 1
    stream.close()
    wait_until(lambda: running.house.chatting.in_flight == 0)
    wait_until(lambda: chat.engine.load().running == 0)


def test_bias_penalties_and_cuts_change_what_is_said(client, chat) -> None:
    plain = text_of(client)
    first = chat.tokenizer.encode(plain)[0]
    assert not text_of(client, logit_bias={str(first): -100}).startswith(
        chat.tokenizer.decode([first])
    )
    banana = chat.tokenizer.encode(" banana")[0]
    assert text_of(client, logit_bias={str(banana): 100}, max_tokens=3) == " banana" * 3
    hot = {"temperature": 2, "seed": 9}
    for cut in ({"min_p": 1.0}, {"top_k": 1}):
        assert text_of(client, extra_body=cut, **hot) == plain, "only the likeliest is left"
    assert text_of(client, **hot) != plain
    banned = text_of(
        client, logit_bias={str(banana): 30}, presence_penalty=2, frequency_penalty=2, max_tokens=20
    )
    assert banned.count(" banana") < 20
    assert text_of(client, extra_body={"repetition_penalty": 3.0}) != plain


@pytest.mark.parametrize(
    ("settings", "param", "problem"),
    [
        ({"n": 9}, "n", "<= 8"),
        ({"presence_penalty": 3}, "presence_penalty", "<= 2"),
        ({"logit_bias": {"x": 1}}, "logit_bias", "int"),
        ({"logit_bias": {"49152": 1}}, "logit_bias", "token id 49152"),
        ({"logit_bias": {"1": 101}}, "logit_bias", "<= 100"),
        ({"top_logprobs": 2}, "top_logprobs", "only told with logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "<= 20"),
        ({"stop": list("abcde")}, "stop", "<= 4"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "xml"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing"),
        ({"tool_choice": "required", "tools": []}, "tool_choice", "required"),
        ({"extra_body": {"min_p": 2}}, "min_p", "<= 1"),
        ({"extra_body": {"structured_outputs": {}}}, "structured_outputs", "has 0 of regex"),
        (
            {"extra_body": {"structured_outputs": {"regex": "("}}},
            "structured_outputs",
            "regular expression cannot be kept",
        ),
        (
            {"extra_body": {"structured_outputs": {"gbnf": "x"}}},
            "structured_outputs",
            "unknown field `gbnf`",
        ),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(client, settings, param, problem) -> None:
    with pytest.raises(openai.BadRequestError, match=re.escape(problem)) as told:
        asked(client, **settings)
    assert told.value.param == param
    assert told.value.type == "invalid_request_error"


def test_a_schema_that_nothing_meets_is_refused_before_the_stream(client) -> None:
    schema = {"type": "integer", "minimum": 9, "maximum": 3}
    form = {"type": "json_schema", "json_schema": {"name": "none", "schema": schema}}
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match=r"minimum \(9\)") as told:
            asked(client, response_format=form, stream=stream, n=2)
        assert told.value.param == "response_format"
    assert text_of(client), "the server goes on"


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"extra_body": {"structured_outputs": {"regex": "a"}}}, "structured_outputs"),
    ],
)
def test_answers_from_posts_refuse_what_they_have_not(client, settings, param) -> None:
    with pytest.raises(openai.BadRequestError, match="only of a chat model") as told:
        asked(client, model="fairwitness", **settings)
    assert told.value.param == param
