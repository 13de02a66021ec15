"""Many adapters and none in the same steps, and what the model makes of a text as a vector."""

import json
import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from fairwitness.engine import Engine, NonFiniteLogitsError, Request, RequestError

MODULES = {
    "self_attn.q_proj": (64, 32),
    "self_attn.k_proj": (32, 32),
    "self_attn.v_proj": (32, 32),
    "self_attn.o_proj": (32, 64),
    "mlp.gate_proj": (32, 32),
    "mlp.up_proj": (32, 32),
    "mlp.down_proj": (32, 32),
}


def saved(folder: Path, modules: list[str], rank: int) -> Path:
    """An adapter as PEFT saves it, of random numbers."""
    rng, table, body = np.random.default_rng(rank), {}, b""
    for layer in range(2):
        for module in modules:
            rows, columns = MODULES[module]
            for side, shape in (("A", (rank, columns)), ("B", (rows, rank))):
                name = f"base_model.model.model.layers.{layer}.{module}.lora_{side}.weight"
                raw = rng.normal(0, 0.2, shape).astype("<f4").tobytes()
                place = [len(body), len(body) + len(raw)]
                table[name] = {"dtype": "F32", "shape": shape, "data_offsets": place}
                body += raw
    header = json.dumps(table).encode()
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(
        struct.pack("<Q", len(header)) + header + body
    )
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def adapters(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    few = ["self_attn.k_proj", "mlp.gate_proj", "mlp.down_proj"]
    return {
        "all": saved(folder / "all", list(MODULES), 5),
        "few": saved(folder / "few", few, 16),
        "head": saved(folder / "head", ["self_attn.v_proj"], 1),
    }


@pytest.fixture(scope="module")
def adapted(make_engine, adapters) -> Engine:
    return make_engine(adapters=adapters)


def prompt(length: int, seed: int = 0) -> tuple[int, ...]:
    return tuple(np.random.default_rng(seed).integers(0, 256, length).tolist())


def mixed(tokens: int) -> list[Request]:
    """Everybody asks the same of another adapter or of none, some of them twice."""
    names = ["all", "", "few", "head", "all", ""]
    return [
        Request((*prompt(150), *prompt(3 * i, i)), tokens, i % 2 / 2, seed=i, adapter=name)
        for i, name in enumerate(names)
    ]


def test_any_mix_in_one_step_gives_everybody_what_they_get_alone(make_engine, adapters, holding):
    requests = mixed(8)
    alone = [list(make_engine(adapters=adapters).generate(request)) for request in requests]
    assert len({tuple(token.id for token in answer) for answer in alone[:4]}) == 4
    engine = make_engine(adapters=adapters)
    with holding(engine):
        answers = [engine.generate(request) for request in requests]
    assert [list(answer) for answer in answers] == alone
    assert engine.load().counts.steps < 6 * 8 / 2


def test_who_asks_for_no_adapter_gets_what_an_engine_without_any_gives(make_engine, adapted):
    request = Request(prompt(90), 8)
    plain, beside = list(make_engine().generate(request)), list(adapted.generate(request))
    assert [token.id for token in plain] == [token.id for token in beside]
    if adapted.runner.rules.is_exact:
        assert plain == beside


def test_what_one_adapter_computed_is_not_shared_with_another(make_engine, adapters):
    engine, ids = make_engine(adapters=adapters), prompt(300)
    for name in ("", *adapters):
        request = Request(ids, 6, adapter=name)
        before = engine.load().counts.shared_tokens
        first = list(engine.generate(request))
        assert engine.load().counts.shared_tokens == before
        assert list(engine.generate(request)) == first
        assert engine.load().counts.shared_tokens > before


def test_the_native_step_adapts_as_jax_does(both_models, adapters):
    """There a vector has 15 bits when it meets a matrix, an adapter's too."""
    native, in_jax = (
        [engine.embed(prompt(130), name) for name in ("", *adapters)]
        for engine in (Engine(model, adapters=adapters) for model in both_models)
    )
    np.testing.assert_allclose(native, in_jax, rtol=0, atol=1e-3)
    assert np.abs(np.array(native)[1:] - native[0]).max(axis=1).min() > 0.01


def test_adapters_stay_when_the_weights_change(make_engine, make_model, adapters):
    request, other = Request(prompt(70), 6, adapter="all"), make_model(seed=12)
    expected = list(Engine(other, adapters=adapters).generate(request))
    engine = make_engine(adapters=adapters)
    assert list(engine.generate(request)) != expected
    engine.swap(other)
    assert list(engine.generate(request)) == expected


def test_an_adapter_that_is_not_there_is_refused(adapted):
    for ask in (
        lambda: adapted.generate(Request(prompt(5), 3, adapter="none")),
        lambda: adapted.embed(prompt(5), "none"),
    ):
        with pytest.raises(RequestError, match="no adapter 'none'") as caught:
            ask()
        assert caught.value.option == "adapter"


def test_a_vector_is_of_length_one_and_the_same_beside_answers(adapted, holding):
    ids = [prompt(size, size) for size in (1, 64, 128, 129, 200)]
    alone = [adapted.embed(each) for each in ids]
    assert all(each.shape == (32,) and each.dtype == np.float32 for each in alone)
    assert all(abs(np.linalg.norm(each) - 1) < 1e-6 for each in alone)
    told: dict[int, np.ndarray] = {}

    def embed(index: int) -> None:
        told[index] = adapted.embed(ids[index])

    threads = [threading.Thread(target=embed, args=(index,)) for index in range(5)]
    with holding(adapted):
        answer = adapted.generate(Request(prompt(40), 9))
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join(30)
    assert len(list(answer)) == 9
    for index, vector in enumerate(alone):
        assert np.array_equal(told[index], vector)


def test_a_vector_is_asked_again_from_the_prefix_cache(adapted):
    ids = prompt(400, 7)
    first, before = adapted.embed(ids), adapted.load().counts.shared_tokens
    assert np.array_equal(adapted.embed(ids), first)
    assert adapted.load().counts.shared_tokens > before
    assert adapted.load().pages_held == 0


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ((), "the text is empty"),
        ((0,) * 1025, "1025 tokens to embed, the context has 1024"),
        ((3, 259), "token id 259"),
    ],
)
def test_texts_that_cannot_be_a_vector_are_refused(adapted, ids, message):
    with pytest.raises(RequestError, match=message):
        adapted.embed(ids)


def test_damaged_weights_give_no_vector(make_engine):
    with pytest.raises(NonFiniteLogitsError, match="not finite"):
        make_engine(damage=float("nan")).embed(prompt(5))
