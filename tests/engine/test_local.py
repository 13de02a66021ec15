import numpy as np
import pytest

from fairwitness.engine import ChatError, ChatModel, ChatOptions, Message

ASK = [Message("user", "hello <|end|>")]


def answer(chat, **options) -> str:
    return "".join(chat.stream(ASK, ChatOptions(temperature=1.0, seed=4, **options)))


def test_is_a_chat_model(chat):
    model: ChatModel = chat
    assert model.name == "tiny"


def test_counts_what_it_read_and_wrote(chat):
    stream = chat.stream(ASK, ChatOptions(max_tokens=9))
    assert stream.usage.completion_tokens == 0
    "".join(stream)
    assert stream.usage.completion_tokens == 9
    # a control token, the role and its line, the content as plain bytes, and so on
    assert stream.usage.prompt_tokens == len("?user\nhello <|end|>??assistant:")
    assert stream.finish == "length"


def test_same_conversation_same_answer(chat):
    assert answer(chat, max_tokens=30) == answer(chat, max_tokens=30)


def test_stop_text_ends_the_answer_and_is_not_part_of_it(chat):
    whole = answer(chat, max_tokens=30)
    stop = whole[4:6]
    stream = chat.stream(ASK, ChatOptions(30, temperature=1.0, seed=4, stop=(stop,)))
    assert "".join(stream) == whole[: whole.index(stop)]
    assert stream.finish == "stop"
    assert stream.usage.completion_tokens < 30


def test_end_token_ends_the_answer_without_text(chat, monkeypatch):
    """Any token may end an answer; here all but one do."""
    ends = frozenset(range(1, chat.engine.config.vocabulary))
    tokenizer = type(chat.tokenizer)(
        chat.tokenizer.encoder, chat.tokenizer.token_bytes, chat.tokenizer.control_ids, ends, None
    )
    monkeypatch.setattr(chat, "tokenizer", tokenizer)
    stream = chat.stream(ASK, ChatOptions(max_tokens=9))
    assert len(list(stream)) <= 1
    assert stream.finish == "stop"


def test_closing_stops_the_model(chat):
    stream = chat.stream(ASK, ChatOptions(max_tokens=500))
    next(stream)
    stream.close()
    assert list(stream) == []
    assert stream.finish is None
    assert stream.usage.completion_tokens < 10


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([Message("root", "hello")], "role 'root' is not one of"),
        ([Message("user", "x" * 2000)], "the context has 1024"),
    ],
)
def test_conversation_that_cannot_be_served_is_refused_at_once(chat, messages, problem):
    with pytest.raises(ChatError, match=problem):
        chat.stream(messages, ChatOptions())


def test_failure_of_the_engine_is_a_chat_error(make_engine, chat, monkeypatch):
    monkeypatch.setattr(chat, "engine", make_engine(damage=np.nan))
    stream = chat.stream(ASK, ChatOptions())
    with pytest.raises(ChatError, match="not finite"):
        next(stream)
