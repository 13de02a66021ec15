"""A second model that guesses: no answer changes, and its pages come back."""

import dataclasses
from collections.abc import Callable

import pytest

from fairwitness.engine import Engine, EngineError, Request

PROMPT = tuple(token * 37 % 200 for token in range(150))  # longer than one step reads
SAMPLED = [
    {"temperature": 0.0},
    {"temperature": 0.9, "seed": 5},
    {"temperature": 0.7, "top_p": 0.8, "presence_penalty": 0.5, "seed": 2},
]


@pytest.fixture(scope="session")
def plain(make_native) -> Engine:
    return Engine(make_native(), drafts=False)


@pytest.fixture(scope="session")
def drafting(make_native) -> Callable[..., Engine]:
    """An engine whose draft model has random weights of a seed; 11 is those of the model itself."""

    def make(seed: int, cache_bytes: int = 100_000_000) -> Engine:
        engine = Engine(make_native(), cache_bytes, draft=make_native(seed=seed))
        # as if it were small: one of the same size is never worth it
        engine._drafter._costs = tuple(1 + 0.3 * place for place in range(16))
        return engine

    return make


@pytest.mark.parametrize("settings", SAMPLED)
@pytest.mark.parametrize("seed", [11, 12])
def test_answers_are_those_of_no_guesses(plain, drafting, seed, settings):
    engine, before = drafting(seed), plain.load().counts.steps
    request = Request(PROMPT, 50, **settings)
    assert list(engine.generate(request)) == list(plain.generate(request))
    counts = engine.load().counts
    assert counts.drafted_tokens > 0
    if seed == 11 and settings["temperature"] == 0:
        assert counts.accepted_tokens >= counts.drafted_tokens - 2  # before it has read the prompt
        assert counts.steps < (plain.load().counts.steps - before) / 2


@pytest.mark.parametrize("seed", [11, 12])
def test_many_that_write_together_get_what_each_gets_alone(plain, drafting, holding, seed):
    engine = drafting(seed)
    requests = [Request(PROMPT[: 20 + 30 * i], 40, 0.4 * (i % 2), seed=i) for i in range(5)]
    with holding(engine):
        answers = [engine.generate(request) for request in requests]
    assert [list(answer) for answer in answers] == [list(plain.generate(r)) for r in requests]


def test_pages_come_back_and_without_pages_nothing_is_guessed(plain, drafting):
    engine = drafting(11)
    for turn in range(3):
        list(engine.generate(Request((turn, *PROMPT), 20)))
    drafter = engine._drafter
    drafter._let_go()
    assert drafter.pages.free == drafter.pages.count
    short = drafting(11, cache_bytes=1)
    expected = list(plain.generate(Request(PROMPT, 20)))
    assert list(short.generate(Request(PROMPT, 20))) == expected
    assert short._drafter.pages.count == 1


def test_a_draft_model_that_takes_as_long_as_the_model_is_not_asked(make_native):
    engine = Engine(make_native(), draft=make_native())
    list(engine.generate(Request(PROMPT, 20)))
    assert engine._drafter.pages.free == engine._drafter.pages.count


def test_a_model_of_other_tokens_or_that_the_native_step_cannot_run_is_refused(make_native):
    class Others:
        token_bytes = (b"a", b"b")

    other = dataclasses.replace(make_native(), tokenizer=Others)
    with pytest.raises(EngineError, match="other tokens"):
        Engine(make_native(), draft=other)
    unpacked = dataclasses.replace(make_native(), packed=lambda: None)
    with pytest.raises(EngineError, match="native step cannot run"):
        Engine(make_native(), draft=unpacked)


def test_a_prompt_beyond_the_draft_models_context_is_answered(make_native, plain):
    known = make_native(seed=12)
    small = dataclasses.replace(known, config=dataclasses.replace(known.config, context=64))
    engine = Engine(make_native(), draft=small)
    expected = list(plain.generate(Request(PROMPT, 20)))
    assert list(engine.generate(Request(PROMPT, 20))) == expected
