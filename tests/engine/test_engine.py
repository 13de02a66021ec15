import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fairwitness.engine import Engine, NonFiniteLogitsError, Request, RequestError
from fairwitness.models import ModelFileError


def prompt(length: int, seed: int = 0) -> tuple[int, ...]:
    return tuple(np.random.default_rng(seed).integers(0, 256, length).tolist())


def ids_of(engine, request) -> list[int]:
    return [token.id for token in engine.generate(request)]


def test_import_of_the_room_does_not_import_jax():
    code = "import fairwitness.engine, sys; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_length_ends_a_request(engine):
    tokens = list(engine.generate(Request(prompt(5), max_tokens=7)))
    assert len(tokens) == 7
    assert [token.finish for token in tokens] == [None] * 6 + ["length"]
    assert all(token.logprob <= 0 for token in tokens)


def test_warm_up_leaves_nothing_to_compile(make_engine, engine, caplog):
    fresh = make_engine()
    fresh.warm_up(1024)
    with caplog.at_level("DEBUG", logger="jax"):
        tokens = list(fresh.generate(Request(prompt(600), 3)))
    compiled = [
        line
        for line in caplog.messages
        if ("extend" in line or "logits" in line) and "ompil" in line
    ]
    assert compiled == []
    assert tokens == list(engine.generate(Request(prompt(600), 3)))


def test_stop_id_ends_a_request_and_is_given_out(engine):
    request = Request(prompt(5), max_tokens=7)
    ids = ids_of(engine, request)
    stopped = list(engine.generate(replace(request, stop_ids=(ids[3],))))
    first = ids.index(ids[3])
    assert [token.id for token in stopped] == ids[: first + 1]
    assert stopped[-1].finish == "stop"


def test_context_bounds_the_answer(engine):
    tokens = list(engine.generate(Request(prompt(1020), max_tokens=50)))
    assert len(tokens) == 4
    assert tokens[-1].finish == "length"


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (Request((), 5), "the prompt is empty"),
        (Request(prompt(1024), 5), "a prompt of 1024 tokens, the context has 1024"),
        (Request((1, 259), 5), "token id 259, the vocabulary has 259"),
        (Request((-1,), 5), "token id -1"),
        (Request((1,), 0), "max_tokens is 0"),
        (Request((1,), 5, temperature=-1.0), r"temperature is -1\.0"),
        (Request((1,), 5, temperature=float("nan")), "temperature is nan"),
        (Request((1,), 5, top_p=0.0), r"top_p is 0\.0"),
        (Request((1,), 5, top_p=1.5), r"top_p is 1\.5"),
        (Request((1,), 5, top_k=-2), "top_k is -2"),
        (Request((1,), 5, min_p=1.1), r"min_p is 1\.1"),
        (Request((1,), 5, presence_penalty=2.5), r"presence_penalty is 2\.5, not from -2 to 2"),
        (Request((1,), 5, frequency_penalty=float("nan")), "frequency_penalty is nan"),
        (Request((1,), 5, repetition_penalty=0.0), r"repetition_penalty is 0\.0"),
        (Request((1,), 5, top_logprobs=21), "top_logprobs is 21, not from 0 to 20"),
        (Request((1,), 5, logit_bias=((259, 1.0),)), "logit_bias has token id 259"),
        (Request((1,), 5, logit_bias=((1, 1.0),) * 1025), "logit_bias has 1025 ids"),
        (Request((1,), 5, logit_bias=((2, 101.0),)), r"logit_bias of 2 is 101\.0"),
    ],
)
def test_bad_request_is_refused_at_once(engine, request_, problem):
    with pytest.raises(RequestError, match=problem):
        engine.generate(request_)


@pytest.mark.parametrize("damage", [float("nan"), float("inf")])
def test_damaged_weights_are_told(make_engine, damage):
    engine = make_engine(damage=damage)
    with pytest.raises(NonFiniteLogitsError, match="not finite"):
        next(engine.generate(Request(prompt(5), 3)))
    with pytest.raises(NonFiniteLogitsError, match="not finite"):
        engine.score(prompt(5), (1, 2))


def test_missing_model_is_told():
    with pytest.raises(ModelFileError, match="cannot be read"):
        Engine(Path("/nowhere/model.gguf"))


def test_cache_folder_that_cannot_be_made_only_costs_time(make_engine, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FAIRWITNESS_CACHE", str(tmp_path / "file"))
    assert len(ids_of(make_engine(), Request(prompt(5), 3))) == 3


def test_same_seed_same_tokens_and_other_seed_other_tokens(engine):
    request = Request(prompt(9), 20, temperature=1.0, seed=5)
    assert ids_of(engine, request) == ids_of(engine, request)
    assert ids_of(engine, request) != ids_of(engine, replace(request, seed=6))


@pytest.mark.parametrize("length", [1, 2, 31, 33, 127, 128, 129, 257, 500])
def test_warm_prefix_changes_nothing(make_engine, engine, length):
    """The second run takes over the first one's cache; a third has another end."""
    fresh = make_engine()
    request = Request(prompt(length), 6, temperature=0.7, seed=1)
    expected = list(fresh.generate(request))
    assert list(fresh.generate(request)) == expected
    other = replace(request, prompt_ids=(*request.prompt_ids[:-1], 7))
    assert list(fresh.generate(other)) == list(make_engine().generate(other))
    assert list(fresh.generate(request)) == expected


def test_growing_cache_keeps_what_was_there(engine):
    """An answer that crosses 512 positions, against one scoring pass over all of it."""
    request = Request(prompt(500), 40)
    tokens = list(engine.generate(request))
    scored = engine.score(request.prompt_ids, tuple(token.id for token in tokens))
    np.testing.assert_allclose(scored, [token.logprob for token in tokens], atol=1e-4)


@pytest.mark.parametrize("length", [1, 127, 128, 129, 300])
def test_score_is_what_generation_says(engine, length):
    tokens = list(engine.generate(Request(prompt(length, seed=3), 5)))
    scored = engine.score(prompt(length, seed=3), tuple(token.id for token in tokens))
    np.testing.assert_allclose(scored, [token.logprob for token in tokens], atol=1e-4)


def test_score_of_nothing_is_nothing_and_of_too_much_is_refused(engine):
    assert engine.score(prompt(200), ()) == ()
    with pytest.raises(RequestError, match="1100 tokens to score"):
        engine.score(prompt(1000), prompt(100))
    with pytest.raises(RequestError, match="token id 999"):
        engine.score(prompt(3), (999,))


def mixed_requests() -> list[Request]:
    shared = prompt(256)
    return [
        Request((*shared, *prompt(length, seed=length)), 12, temperature=seed % 2, seed=seed)
        for seed, length in enumerate([3, 40, 130, 250, 3, 90])
    ]


def test_tokens_do_not_depend_on_who_else_is_served(make_engine):
    alone = [list(make_engine().generate(request)) for request in mixed_requests()]
    engine, together = make_engine(), {}

    def serve(place: int, request: Request) -> None:
        together[place] = list(engine.generate(request))

    threads = [
        threading.Thread(target=serve, args=numbered) for numbered in enumerate(mixed_requests())
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [together[place] for place in range(len(alone))] == alone


def test_one_thread_may_hold_several_answers(engine):
    requests = [Request(prompt(5, seed), 6) for seed in range(3)]
    alone = [ids_of(engine, request) for request in requests]
    running = [engine.generate(request) for request in requests]
    together = [[next(answer).id for answer in running] for _ in range(6)]
    assert [list(column) for column in zip(*together, strict=True)] == alone


def test_closed_and_dropped_answers_make_room(make_engine):
    """A budget for one cache: the next request would wait for ever if the last kept it."""
    engine = make_engine(cache_bytes=1)
    for ending in ("close", "drop", "finish"):
        answer = engine.generate(Request(prompt(5), 3))
        next(answer)
        if ending == "close":
            answer.close()
        if ending == "finish":
            list(answer)
        del answer
    assert len(ids_of(engine, Request(prompt(5), 3))) == 3


def test_requests_wait_for_room_in_order(make_engine, holding):
    engine = make_engine(cache_bytes=1)
    first = engine.generate(Request(prompt(100), 900))
    next(first)
    with holding(engine):
        second = engine.generate(Request(prompt(6), 3))
    assert engine.load().waiting == 1
    first.close()
    assert len(list(second)) == 3
