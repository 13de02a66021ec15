"""Many requests in the same steps: nobody's tokens change, nothing stays behind, nobody hangs."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from fairwitness.engine import (
    DeadlineError,
    Engine,
    EngineError,
    QueueFullError,
    Request,
    TooLargeError,
)
from fairwitness.engine.grammars import Grammars

PAGE_BYTES = 64 * 512  # of the tiny model, in float32


def prompt(length: int, seed: int = 0) -> tuple[int, ...]:
    return tuple(np.random.default_rng(seed).integers(0, 256, length).tolist())


def ids_of(answer) -> list[int]:
    return [token.id for token in answer]


def is_native(engine: Engine) -> bool:
    return engine.runner.rules.is_exact


def wait_until(condition) -> None:
    ends_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends_s
        time.sleep(0.002)


def mixed(count: int, tokens: int) -> list[Request]:
    """Prompts with and without a common beginning; greedy ones and drawn ones."""
    shared = prompt(150)
    heads = [shared[: 50 * (each % 4)] for each in range(count)]
    return [
        Request((*head, *prompt(1 + 17 * each, each)), tokens, each % 3 / 2, seed=each)
        for each, head in enumerate(heads)
    ]


def test_joined_steps_give_everybody_what_they_get_alone(make_engine, holding):
    requests = mixed(12, 10)
    alone = [list(make_engine().generate(request)) for request in requests]
    engine = make_engine()
    with holding(engine):
        answers = [engine.generate(request) for request in requests]
    assert [list(answer) for answer in answers] == alone
    load = engine.load()
    assert load.counts.steps < 12 * 10 / 2
    assert load.counts.written_tokens == 12 * 10
    assert load.counts.shared_tokens > 0
    assert (load.running, load.waiting, load.pages_held) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["f16", "int8"])
def test_short_numbers_change_no_answer_by_who_else_is_served(make_engine, holding, kind):
    engine = make_engine(kind=kind)
    requests = mixed(6, 8)
    alone = [list(make_engine(kind=kind).generate(request)) for request in requests]
    with holding(engine):
        answers = [engine.generate(request) for request in requests]
    assert [list(answer) for answer in answers] == alone
    if is_native(engine):
        assert engine.runner.pages.bytes_per_position < 512
    assert engine.runner.rules.budget > make_engine().runner.rules.budget


@pytest.mark.parametrize("bias", [(), ((65, 9.0), (66, 8.0))])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_guesses_change_nothing_but_the_steps(make_engine, temperature, bias):
    """With the bias an answer is mostly one or two letters, so guesses are often right."""
    request = Request(prompt(9) * 8, 60, temperature, top_p=0.5, seed=3, logit_bias=bias)
    plain, drafting = make_engine(drafts=False), make_engine()
    expected = list(plain.generate(request))
    assert list(drafting.generate(request)) == expected
    assert plain.load().counts.drafted_tokens == 0
    if is_native(drafting) and bias:
        assert drafting.load().counts.accepted_tokens > 5
        assert drafting.load().counts.steps < plain.load().counts.steps


def test_out_of_pages_in_mid_answer_is_seen_by_nobody(make_engine, holding):
    requests = [Request(prompt(60, seed), 200, 0.5, seed=seed) for seed in range(4)]
    alone = [list(make_engine().generate(request)) for request in requests]
    engine = make_engine(cache_bytes=8 * PAGE_BYTES)
    with holding(engine):
        answers = [engine.generate(request) for request in requests]
    assert [list(answer) for answer in answers] == alone
    assert engine.load().counts.preemptions > 0


def test_scores_are_computed_beside_answers(make_engine, holding):
    engine = make_engine(cache_bytes=8 * PAGE_BYTES)
    continuation = prompt(300, 9)
    expected = make_engine().score(prompt(100), continuation)
    with holding(engine):
        answers = [engine.generate(Request(prompt(60, seed), 60)) for seed in range(3)]
        scores = []
        thread = threading.Thread(
            target=lambda: scores.append(engine.score(prompt(100), continuation))
        )
        thread.start()
        wait_until(lambda: engine.load().waiting == 4)
    assert all(len(list(answer)) == 60 for answer in answers)
    thread.join(30)
    assert scores == [expected]


def test_a_thousand_requests_queue_and_more_are_told_to_come_later(make_engine, holding):
    engine = make_engine()
    with holding(engine):
        asked = [engine.generate(Request(prompt(3, seed), 1)) for seed in range(1000)]
        waiting = [engine.generate(Request(prompt(3), 1)) for _ in range(24)]
        with pytest.raises(QueueFullError, match="1024 requests wait already"):
            engine.generate(Request(prompt(3), 1))
        with pytest.raises(QueueFullError, match="1024 requests wait already"):
            engine.score(prompt(3), (1,))
        for answer in waiting:
            answer.close()
    assert all(len(list(answer)) == 1 for answer in asked)
    assert engine.load().waiting == engine.load().running == 0
    assert engine.load().counts.refused == 2


def test_clients_that_vanish_leave_no_page_behind(make_engine):
    engine = make_engine()
    answers = [engine.generate(Request(prompt(200, seed), 800)) for seed in range(4)]
    for answer in answers:
        next(answer)
    answers[0].close()
    del answer, answers
    wait_until(lambda: engine.load().running == 0)
    assert engine.load().pages_held == 0
    assert engine.load().counts.written_tokens < 4 * 800
    assert len(list(engine.generate(Request(prompt(5), 3)))) == 3


def test_deadline_ends_those_who_wait_and_those_who_run(make_engine, holding):
    engine = make_engine()
    with holding(engine):
        late = engine.generate(Request(prompt(5), 3), timeout_s=0.01)
        patient = engine.generate(Request(prompt(5), 3), timeout_s=60)
        time.sleep(0.02)
    with pytest.raises(DeadlineError, match="the time for this request is over"):
        next(late)
    assert len(list(patient)) == 3
    running = engine.generate(Request(prompt(5), 1000), timeout_s=0.05)
    next(running)
    with holding(engine):
        time.sleep(0.06)
    with pytest.raises(DeadlineError):
        list(running)
    assert list(running) == []


def test_other_weights_take_over_and_nobody_is_dropped(make_engine, make_model, holding):
    other = make_model(seed=12)
    request = Request(prompt(200), 40)
    old, new = (ids_of(Engine(each).generate(request)) for each in (make_model(), other))
    assert old != new
    engine = make_engine()
    running = engine.generate(request)
    begun = [next(running).id]
    with holding(engine):
        swapping = threading.Thread(target=engine.swap, args=(other,))
        swapping.start()
        wait_until(lambda: engine._loop._chores)
        waiting = engine.generate(request)
    assert begun + ids_of(running) == old
    assert ids_of(waiting) == new
    swapping.join(30)
    assert ids_of(engine.generate(request)) == new


def test_who_stood_back_and_who_goes_on_from_elsewhere_finish_on_the_old_weights(
    make_native, holding
):
    """With too few pages for both, the second stands back while the weights are waiting."""
    requests = [Request(prompt(60, seed), 210, 0.5, seed=seed) for seed in (0, 1)]
    old, new = (
        [ids_of(Engine(model).generate(request)) for request in requests]
        for model in (make_native(), make_native(seed=12))
    )
    engine = Engine(make_native(), 8 * PAGE_BYTES)
    answers = [engine.generate(request) for request in requests]
    begun = [[next(answer).id] for answer in answers]
    with holding(engine):
        swapping = threading.Thread(target=engine.swap, args=(make_native(seed=12),))
        swapping.start()
        wait_until(lambda: engine._loop._chores)
        waiting = [engine.generate(request) for request in requests]
        moved = engine.generate(requests[0], written=tuple(old[0][:9]))
    assert [first + ids_of(answer) for first, answer in zip(begun, answers, strict=True)] == old
    assert ids_of(moved) == old[0][9:]
    assert [ids_of(answer) for answer in waiting] == new
    swapping.join(30)
    assert engine.load().counts.preemptions > 0


def test_weights_of_another_shape_are_refused(make_engine, make_model):
    other = make_model()
    other = replace(other, config=replace(other.config, norm_epsilon=1e-6))
    with pytest.raises(EngineError, match="another shape"):
        make_engine().swap(other)


def test_a_step_that_fails_is_told_to_all_in_it_and_to_nobody_else(make_engine, monkeypatch):
    engine = make_engine()
    with monkeypatch.context() as patch:
        patch.setattr(engine.runner, "step", lambda pieces: 1 / 0)
        with pytest.raises(EngineError, match="the model's step failed: ZeroDivisionError"):
            next(engine.generate(Request(prompt(5), 3)))
    assert len(list(engine.generate(Request(prompt(5), 3)))) == 3
    assert engine.load().pages_held == 0


class Breaking:
    """A rule with a fault of its own."""

    is_done = False

    def begin(self) -> "Breaking":
        return self

    def guess(self, most: int) -> tuple[int, ...]:
        return ()

    def mask(self) -> np.ndarray:
        raise ZeroDivisionError


def test_a_rule_that_breaks_ends_its_own_answer_alone(make_engine, holding):
    engine = make_engine()
    with holding(engine):
        broken = engine.generate(Request(prompt(5), 3, rule=Breaking()))
        sound = engine.generate(Request(prompt(5), 3))
    with pytest.raises(EngineError, match="the answer broke off: ZeroDivisionError"):
        next(broken)
    assert len(list(sound)) == 3
    assert engine.load().pages_held == 0


def test_what_no_memory_can_hold_is_refused(make_engine, monkeypatch):
    engine = make_engine()
    monkeypatch.setattr(engine._loop._scheduler.ledger, "count", 1)
    with pytest.raises(TooLargeError, match="need"):
        engine.generate(Request(prompt(200), 3))


def test_throwing_into_an_answer_cancels_it(make_engine):
    engine = make_engine()
    answer = engine.generate(Request(prompt(5), 900))
    next(answer)
    with pytest.raises(KeyError):
        answer.throw(KeyError("gone"))
    assert list(answer) == []
    wait_until(lambda: engine.load().running == 0)


@pytest.mark.parametrize("rule", [False, True])
@pytest.mark.parametrize("cut", [1, 40, 79])
def test_an_answer_goes_on_elsewhere_from_what_is_written(make_engine, chat, cut, rule):
    """Drawn, with penalties and a rule: all that the next token depends on is found again."""
    grammar = Grammars(chat.tokenizer).regex("[a-z ]{200}") if rule else None
    request = Request(
        prompt(100), 80, 0.9, seed=5, frequency_penalty=0.7, repetition_penalty=1.1, rule=grammar
    )
    whole = list(make_engine().generate(request))
    written = tuple(token.id for token in whole[:cut])
    elsewhere = make_engine()
    assert list(elsewhere.generate(request, written=written)) == whole[cut:]
    assert elsewhere.load().counts.written_tokens == 80 - cut


def test_all_that_came_is_heard_at_once_and_silence_too(make_engine, holding):
    engine = make_engine()
    answer = engine.generate(Request(prompt(5), 4))
    with holding(engine):
        late = engine.generate(Request(prompt(5), 3), timeout_s=0.01)
        assert late.heard(0.01) == []
    heard = []
    while not heard or heard[-1].finish is None:
        heard += answer.heard(10)
    assert heard == list(engine.generate(Request(prompt(5), 4)))
    assert answer.heard(10) == []
    (error,) = late.heard(10)
    assert isinstance(error, DeadlineError)
    assert late.heard(10) == list(late) == []
