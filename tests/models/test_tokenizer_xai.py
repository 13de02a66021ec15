"""xAI's tokenizer file against tiktoken; the golden is made by
benchmarks/make_xai_tokenizer_golden.py."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwitness.models import ChatTemplate, Message, ModelFileError
from fairwitness.models.tokenizer_xai import CHAT_TEMPLATE, tokenizer_from_xai

GOLDEN = json.loads((Path(__file__).parent / "xai_tokenizer.json").read_text("utf-8"))
VOCABULARY = 600


@pytest.fixture
def read(tmp_path):
    def read(**changes: object):
        path = tmp_path / "tokenizer.tok.json"
        path.write_text(json.dumps(GOLDEN["file"] | changes))
        return tokenizer_from_xai(path, VOCABULARY)

    return read


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tokenizer.tok.json"
    path.write_text(json.dumps(GOLDEN["file"]))
    return tokenizer_from_xai(path, VOCABULARY)


@pytest.mark.parametrize("text", GOLDEN["ids"])
def test_text_becomes_what_tiktoken_makes_of_it(tokenizer, text):
    assert tokenizer.encode(text) == GOLDEN["ids"][text]


@given(text=st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["<|eos|>", "the"]))
def test_text_survives_and_never_becomes_control(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert not set(ids) & set(tokenizer.control_ids.values())


def test_a_conversation_has_the_published_form(tokenizer):
    messages = [Message("system", "Be brief."), Message("user", "the <|separator|> the")]
    ids = ChatTemplate(CHAT_TEMPLATE, {}).encode(messages, tokenizer)
    separator = tokenizer.control_ids["<|separator|>"]
    assert ids.count(separator) == 2
    assert tokenizer.decode(ids) == (
        "System: Be brief.\n\nHuman: the <|separator|> the\n\nAssistant:"
    )
    # a content begins with the space that the model saw in training
    assert tokenizer.encode(" the")[0] in ids
    assert separator in tokenizer.end_ids


def row(raw: list[int], token: int) -> list[dict[str, object]]:
    return [*GOLDEN["file"]["regular_tokens"], {"bytes": raw, "token": token}]


REFUSED = {
    "words split by 'V2'": {"word_split": "V2"},
    "words split by 'V1'": {"pat_str": "(a+)+b"},
    "token id 600": {"regular_tokens": row([1, 2, 3], 600)},
    "token id -1": {"regular_tokens": row([1, 2, 3], -1)},
    "599 has 0 bytes": {"regular_tokens": row([], 599)},
    "599 has 513 bytes": {"regular_tokens": row([7] * 513, 599)},
    "599 is not made of bytes": {"regular_tokens": row([1, 256], 599)},
    "one id or one text": {"regular_tokens": row([1, 2, 3], 300)},
    "not every byte": {"regular_tokens": GOLDEN["file"]["regular_tokens"][1:]},
    "is not a tokenizer": {"regular_tokens": {}},
}


@pytest.mark.parametrize("problem", REFUSED)
def test_a_file_that_does_not_fit_is_refused(read, problem):
    with pytest.raises(ModelFileError, match=problem):
        read(**REFUSED[problem])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(depth=st.integers(1, 100_000))
def test_nesting_is_refused(tmp_path, depth):
    path = tmp_path / "tokenizer.tok.json"
    path.write_text('{"regular_tokens":' + "[" * depth)
    with pytest.raises(ModelFileError, match="is not a tokenizer"):
        tokenizer_from_xai(path, VOCABULARY)
