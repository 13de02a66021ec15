"""A stream that is alone goes on by itself for a few steps, and only the clock can tell."""

import math

import numpy as np
import pytest

from fairwitness.engine import Engine, Request
from fairwitness.engine.request import NonFiniteLogitsError
from fairwitness.engine.sequence import Piece
from fairwitness.kernels.pages import Pages
from fairwitness.kernels.stack import Row

PROMPT = tuple(range(40, 60))
ANY = 259  # tokens of the model


def watched(engine: Engine) -> list[Piece]:
    """Every piece that the engine's model is asked to run from now on."""
    runner, pieces = engine.runner, []
    step = runner.step

    def watch(told: list[Piece]) -> object:
        pieces.extend(told)
        return step(told)

    runner.step = watch
    return pieces


def test_its_tokens_are_those_of_single_steps(make_native):
    going, stepping = (Engine(make_native(), drafts=False) for _ in range(2))
    pieces = watched(going)
    answer = list(going.generate(Request(PROMPT, 90)))
    # a bias, even of nothing, has to be looked at each token
    assert answer == list(stepping.generate(Request(PROMPT, 90, logit_bias=((0, 0.0),))))
    assert len(pieces) < 1 + len(answer)
    assert going.load().counts == stepping.load().counts


@pytest.mark.parametrize("place", [0, 3, 6, 7, 20])
def test_it_stops_where_it_should(make_native, place):
    engine = Engine(make_native(), drafts=False)
    ids = [token.id for token in engine.generate(Request(PROMPT, 30))]
    pieces = watched(engine)
    answer = list(engine.generate(Request(PROMPT, 30, stop_ids=(ids[place],))))
    assert [token.id for token in answer] == ids[: ids.index(ids[place]) + 1]
    assert answer[-1].finish == "stop"
    assert all(piece.start + piece.more < len(PROMPT) + 29 for piece in pieces)
    assert engine.load().pages_held == 0


def test_logits_that_are_not_finite_end_it(make_native):
    engine = Engine(make_native(math.nan), drafts=False)
    with pytest.raises(NonFiniteLogitsError):
        list(engine.generate(Request(PROMPT, 30)))
    assert engine.load().pages_held == 0


def test_whoever_comes_or_leaves_is_seen_after_one_step(make_native):
    engine = Engine(make_native(), drafts=False)
    stack, pages = engine.runner.stack, Pages(engine.runner.stack.shape, 2, "f32")
    row = Row(5, 0, [0, 1])

    def took(ends: tuple[int, ...], is_news: bool) -> list[tuple[int, float]]:
        return stack.go_on(row, 60, ends, pages, np.array([is_news], np.int32))

    many = took((), False)
    assert took((), True) == many[:1]
    assert took(tuple(range(ANY)), False) == many[:1]
    logits_wv = stack.step([row], [0], pages)
    assert many[0][0] == int(np.argmax(logits_wv[0]))


def test_whoever_submits_or_cancels_leaves_word(make_native):
    engine = Engine(make_native(), drafts=False)
    news, seen = engine.runner.news, []

    def ask() -> None:
        news[0] = 0
        answer = engine.generate(Request(PROMPT, 5))
        seen.append(int(news[0]))
        news[0] = 0
        answer.close()
        seen.append(int(news[0]))

    engine._loop.call(ask)  # in the stepping thread, so that nobody steps meanwhile
    assert seen == [1, 1]
