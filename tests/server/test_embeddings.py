"""Texts as vectors and models with adapters, over a real socket with the default model."""

import base64
from collections.abc import Iterator

import numpy as np
import openai
import pytest
from openai import OpenAI

from fairwitness.engine import LocalChat
from fairwitness.models.registry import DEFAULT_MODEL, pull

WIDTH = 576
TEXTS = ("The bridge is closed.", "Nobody may cross the bridge.", "I had soup for lunch. 🍲")


@pytest.fixture(scope="module")
def running(tmp_path_factory, serving, wait_until, saved_adapter):
    folder = tmp_path_factory.mktemp("adapters")
    adapters = {
        "loud": saved_adapter(folder / "loud", 1.0),
        "still": saved_adapter(folder / "still", 0.0),
    }
    chat = LocalChat.open(DEFAULT_MODEL, pull(DEFAULT_MODEL), adapters)
    with serving(tmp_path_factory.mktemp("home"), load_chat=lambda: chat) as running:
        wait_until(lambda: running.house.chat.model is not None)
        yield running


@pytest.fixture(scope="module")
def client(running) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def vectors(client: OpenAI, sent: object, model: str = DEFAULT_MODEL, **more) -> np.ndarray:
    got = client.embeddings.create(model=model, input=sent, **more)
    assert [each.index for each in got.data] == list(range(len(got.data)))
    return np.array([each.embedding for each in got.data])


def test_texts_become_vectors_of_length_one(client) -> None:
    """OpenAI's client asks for base64 by itself."""
    got = vectors(client, list(TEXTS))
    assert got.shape == (3, WIDTH)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-5)
    assert got[0] @ got[1] > got[0] @ got[2]
    assert np.array_equal(vectors(client, TEXTS[2])[0], got[2])
    assert np.array_equal(vectors(client, list(TEXTS), encoding_format="float"), got)
    assert np.array_equal(vectors(client, list(TEXTS), dimensions=WIDTH), got)


def test_token_ids_are_texts_too(client, running) -> None:
    tokenizer = running.house.chat.model.tokenizer
    ids = [tokenizer.encode(text) for text in TEXTS]
    expected = vectors(client, list(TEXTS))
    assert np.array_equal(vectors(client, ids), expected)
    assert np.array_equal(vectors(client, ids[1])[0], expected[1])


def test_a_body_says_what_openai_says(running) -> None:
    body = {"model": DEFAULT_MODEL, "input": [TEXTS[0]], "encoding_format": "base64"}
    got = running.client.post("/v1/embeddings", json=body).json()
    assert got.keys() == {"object", "data", "model", "usage"}
    assert got["object"] == "list"
    assert got["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    (entry,) = got["data"]
    assert entry["object"] == "embedding"
    assert len(base64.b64decode(entry["embedding"])) == 4 * WIDTH


@pytest.mark.parametrize(
    ("sent", "param", "message"),
    [
        ({"input": ""}, "input", "input is empty"),
        ({"input": []}, "input", "length >= 1"),
        ({"input": ["a", ""]}, "input[1]", "is empty"),
        ({"input": ["a", 3]}, "input", "mixes"),
        ({"input": [[1], "a"]}, "input", "mixes"),
        ({"input": [60_000]}, "input", "token id 60000"),
        ({"input": [-1]}, "input", "token id -1"),
        ({"input": [1] * 9_000}, "input", "9000 tokens to embed, the context has"),
        ({"input": ["a"] * 2_049}, "input", "at most 2048"),
        ({"input": 7}, "input", "int"),
        ({"input": "a", "dimensions": 64}, "dimensions", "have 576"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format", "hex"),
    ],
)
def test_what_cannot_be_a_vector_is_refused_by_its_field(client, sent, param, message) -> None:
    with pytest.raises(openai.BadRequestError, match=message.replace("[", r"\[")) as caught:
        client.embeddings.create(model=DEFAULT_MODEL, **sent)
    assert caught.value.param == param


def test_a_model_that_is_not_there(client) -> None:
    with pytest.raises(openai.NotFoundError, match="no such model: x:y"):
        client.embeddings.create(model="x:y", input="a")


def test_a_model_of_another_server_gives_no_vectors(talking) -> None:
    got = talking.client.post("/v1/embeddings", json={"model": "parrot", "input": "a"})
    assert got.status_code == 400
    assert got.json()["error"]["param"] == "model"


def test_each_adapter_is_a_model_of_its_own(client) -> None:
    told = {each.id: each for each in client.models.list()}
    assert {f"{DEFAULT_MODEL}:loud", f"{DEFAULT_MODEL}:still"} <= told.keys()
    assert told[f"{DEFAULT_MODEL}:loud"].model_extra["parent"] == DEFAULT_MODEL
    assert "parent" not in told[DEFAULT_MODEL].model_extra
    assert client.models.retrieve(f"{DEFAULT_MODEL}:still").id == f"{DEFAULT_MODEL}:still"

    def says(model: str) -> str:
        messages = [{"role": "user", "content": "Name one planet."}]
        got = client.chat.completions.create(model=model, messages=messages, max_tokens=12, seed=1)
        assert got.model == model
        return got.choices[0].message.content

    plain = says(DEFAULT_MODEL)
    assert says(f"{DEFAULT_MODEL}:still") == plain
    assert says(f"{DEFAULT_MODEL}:loud") != plain
    assert np.array_equal(
        vectors(client, TEXTS[0], f"{DEFAULT_MODEL}:still"), vectors(client, TEXTS[0])
    )
    with pytest.raises(openai.NotFoundError, match="no such model"):
        says(f"{DEFAULT_MODEL}:other")
