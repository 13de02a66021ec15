"""Forms and settings in the engine: who else is served and what is guessed change nothing."""

import json
import re

import numpy as np
import pytest

from fairwitness.engine import LocalChat, Request, RequestError
from fairwitness.engine.forms import Form, Forms, GrammarForm, JsonForm, PatternForm, QuoteForm

SCHEMA = {
    "type": "object",
    "properties": {"name": {"enum": ["one", "two"]}, "count": {"type": "integer", "maximum": 99}},
    "required": ["name", "count"],
    "additionalProperties": False,
}
SOURCES = ("The ferry is late, she said.", "The ferry sank 5.8 km out.", "Nobody was hurt.")
FORMS: list[Form | None] = [
    JsonForm(json.dumps(SCHEMA)),
    PatternForm("[ab]{3}(xyz)*!"),
    GrammarForm('start: "(" start ")" | "word"'),
    QuoteForm(SOURCES),
    None,
]


@pytest.fixture(scope="module")
def requests(chat: LocalChat) -> list[Request]:
    forms, shared = Forms(chat.tokenizer), chat.tokenizer.encode(" ".join(SOURCES) * 3)
    rng = np.random.default_rng(7)
    return [
        Request(
            (*shared, *rng.integers(0, 256, 1 + 9 * place).tolist()),
            40,
            temperature=place % 3 / 2,
            top_p=0.9 if place % 2 else 1.0,
            seed=place,
            stop_ids=tuple(chat.tokenizer.end_ids),
            min_p=0.01 * (place % 4),
            frequency_penalty=place % 2 / 2,
            repetition_penalty=1.1 if place % 3 else 1.0,
            logit_bias=((105, 0.5),),
            top_logprobs=2,
            rule=forms.rule(form) if form else None,
        )
        for place, form in enumerate(FORMS * 2)
    ]


def text_of(chat: LocalChat, tokens) -> str:
    return chat.tokenizer.decode(token.id for token in tokens)


def test_together_with_guesses_as_alone_without(chat, make_engine, holding, requests):
    plain = make_engine(drafts=False)
    alone = [list(plain.generate(request)) for request in requests]
    engine = make_engine()
    with holding(engine):
        answers = [engine.generate(request) for request in requests]
    together = [list(answer) for answer in answers]
    ids = [[(token.id, token.finish) for token in tokens] for tokens in together]
    assert ids == [[(token.id, token.finish) for token in tokens] for tokens in alone]
    if engine.runner.rules.is_exact:
        assert together == alone, "logprobs to the last bit"
        assert engine.load().counts.accepted_tokens > 20


def test_answers_have_their_forms(chat, engine, requests):
    for request, form in zip(requests, FORMS * 2, strict=True):
        tokens = list(engine.generate(request))
        if tokens[-1].finish != "stop":
            continue
        text = text_of(chat, tokens)
        match form:
            case JsonForm():
                assert json.loads(text)["name"] in ("one", "two")
            case PatternForm(pattern):
                assert re.fullmatch(pattern, text)
            case GrammarForm():
                depth = text.count("(")
                assert text == "(" * depth + "word" + ")" * depth
            case QuoteForm(sources):
                assert any(text in source for source in sources)


def test_a_rule_that_breaks_down_ends_its_own_answer_alone(chat, engine):
    """After a first letter, 3,000 that may be left out: more than anybody should wait for."""
    wild = " ".join('("a"|"")' for _ in range(3000))
    rule = Forms(chat.tokenizer).rule(GrammarForm(f'start: "b" wild\nwild: {wild}'))
    prompt = tuple(chat.tokenizer.encode("hello"))
    other = engine.generate(Request(prompt, 20))
    with pytest.raises(RequestError, match="the grammar cannot be kept") as told:
        list(engine.generate(Request(prompt, 20, rule=rule)))
    assert told.value.option == "form"
    assert len(list(other)) == 20
