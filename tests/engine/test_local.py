import re
import time
from collections.abc import Generator

import numpy as np
import pytest

from fairwitness.engine import (
    ChatBusyError,
    ChatError,
    ChatModel,
    ChatOptions,
    Engine,
    Message,
    QueueFullError,
    Request,
    Token,
)
from fairwitness.engine.forms import PatternForm, QuoteForm

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


def test_logprobs_are_those_of_the_text_that_is_out(chat):
    options = ChatOptions(30, temperature=1.0, seed=4, top_logprobs=2)
    stream = chat.stream(ASK, options)
    text = ""
    for piece in stream:
        text += piece
        assert "".join(each.token for each in stream.logprobs) == text, "one letter a token"
    assert len(stream.logprobs) == 30
    assert all(len(each.top_logprobs) == 2 for each in stream.logprobs)
    assert all(each.logprob <= each.top_logprobs[0].logprob for each in stream.logprobs)
    plain = chat.stream(ASK, ChatOptions(30, temperature=1.0, seed=4))
    assert "".join(plain) == text, "to tell changes nothing"
    assert list(plain.logprobs) == []


def test_logprobs_of_a_stop_text_are_not_told(chat):
    whole = answer(chat, max_tokens=30)
    options = ChatOptions(30, temperature=1.0, seed=4, stop=(whole[4:6],), top_logprobs=0)
    stream = chat.stream(ASK, options)
    text = "".join(stream)
    assert "".join(each.token for each in stream.logprobs) == text
    assert all(each.top_logprobs == () for each in stream.logprobs)


def test_an_answer_has_the_form_that_was_asked_for(chat):
    options = ChatOptions(30, temperature=1.0, form=PatternForm("[ab]{3}(xy)*!"))
    stream = chat.stream(ASK, options)
    assert re.fullmatch("[ab]{3}(xy)*!", "".join(stream))
    assert stream.finish == "stop"
    cut = chat.stream(ASK, ChatOptions(5, form=PatternForm("a{9}")))
    assert "".join(cut) == "aaaaa"
    assert cut.finish == "length"
    quote = "".join(chat.stream(ASK, ChatOptions(9, form=QuoteForm(("one two", "three")))))
    assert quote in "one two" or quote in "three"


@pytest.mark.parametrize(
    ("options", "option"),
    [
        (ChatOptions(form=PatternForm("(")), "form"),
        (ChatOptions(form=QuoteForm(())), "form"),
        (ChatOptions(presence_penalty=3.0), "presence_penalty"),
        (ChatOptions(logit_bias={999: 1.0}), "logit_bias"),
        (ChatOptions(top_logprobs=21), "top_logprobs"),
    ],
)
def test_an_option_that_cannot_be_had_is_named(chat, options, option):
    with pytest.raises(ChatError) as told:
        chat.stream(ASK, options)
    assert told.value.option == option


def test_says_that_too_many_ask_and_answers_again_when_they_have_gone(chat):
    crowd = crowded(chat.engine)
    with pytest.raises(ChatBusyError, match="wait already"):
        chat.stream(ASK, ChatOptions(max_tokens=1))
    for each in crowd:
        each.close()
    began_s = time.monotonic()
    while chat.engine.load().waiting and time.monotonic() < began_s + 10:
        time.sleep(0.01)
    assert answer(chat, max_tokens=3)


def crowded(engine: Engine) -> list[Generator[Token, None, None]]:
    """Ask for long answers until no more are taken."""
    asked = []
    try:
        while True:
            asked.append(engine.generate(Request((1,), engine.config.context)))
    except QueueFullError:
        return asked
