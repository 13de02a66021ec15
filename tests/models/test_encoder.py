"""The encoder says what transformers says, and what plain loops in float64 say."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairwitness.kernels import layers
from fairwitness.models.dequantise import FORMATS
from fairwitness.models.encoder import EncoderConfig, encode, gelu, meaning
from fairwitness.models.encoder_download import KEPT_BYTES, pull_encoder
from fairwitness.models.encoder_files import open_encoder, parameters_of_published, write_encoder
from fairwitness.models.errors import ModelFileError
from fairwitness.models.quantise import quantise
from fairwitness.models.safetensors_writer import write_safetensors
from fairwitness.models.wordpieces import vocabulary_of
from fairwitness.models.writing import NewTensor

GOLDEN = np.load(Path(__file__).with_name("encoder.npz"))
TINY = EncoderConfig(vocabulary=50, places=16, width=32, layers=2, heads=4, inner=64)


def tiny_weights(path: Path) -> Path:
    """A published checkpoint of the tiny model."""
    named = {k.removeprefix("tiny:"): GOLDEN[k] for k in GOLDEN.files if k.startswith("tiny:")}

    def tensor(name: str, array: np.ndarray[Any, Any]) -> NewTensor:
        return NewTensor(name, array.shape, FORMATS[0], lambda: quantise(FORMATS[0], array))

    floats = {k: v for k, v in named.items() if v.dtype == np.float32}
    write_safetensors(path, [tensor(name, array) for name, array in floats.items()])
    return path


def test_states_are_those_of_transformers(tmp_path: Path) -> None:
    parameters = parameters_of_published(tiny_weights(tmp_path / "model.safetensors"), TINY)
    (states,) = encode(TINY, parameters, [GOLDEN["tiny ids"].tolist()])
    assert states.dtype == np.float32
    assert np.abs(states - GOLDEN["tiny states"]).max() < 1e-5


def test_states_are_those_of_plain_loops_in_float64(tmp_path: Path) -> None:
    parameters = parameters_of_published(tiny_weights(tmp_path / "model.safetensors"), TINY)
    ids = [3, 1, 4, 1, 5]
    (states,) = encode(TINY, parameters, [ids])
    assert np.abs(states - loops(parameters, ids)).max() < 1e-5


def loops(parameters: dict[str, Any], ids: list[int]) -> np.ndarray[Any, Any]:
    """A second reading of the paper's formulas: one token, one head, one number at a time."""

    def normed(x: np.ndarray[Any, Any], norm: dict[str, Any]) -> np.ndarray[Any, Any]:
        return (x - x.mean()) / math.sqrt(x.var() + 1e-12) * norm["scale"] + norm["bias"]

    def through(x: np.ndarray[Any, Any], part: dict[str, Any]) -> np.ndarray[Any, Any]:
        return part["weight"].astype(np.float64) @ x + part["bias"]

    words, places = parameters["words"](ids).astype(np.float64), parameters["places_td"]
    kind = parameters["kinds_2d"][0]
    x = [normed(words[t] + places[t] + kind, parameters["norm"]) for t in range(len(ids))]
    for layer in parameters["layers"]:
        query, key, value = ([through(s, layer[n]) for s in x] for n in ("query", "key", "value"))
        following = []
        for t, state in enumerate(x):
            seen = []
            for head in range(4):
                part = slice(8 * head, 8 * head + 8)
                scores = [float(query[t][part] @ k[part]) / math.sqrt(8) for k in key]
                weights = [math.exp(score) for score in scores]
                seen.append(
                    sum(w * v[part] for w, v in zip(weights, value, strict=True)) / sum(weights)
                )
            there = normed(
                state + through(np.concatenate(seen), layer["output"]), layer["seen_norm"]
            )
            grown = [u * (1 + math.erf(u / math.sqrt(2))) / 2 for u in through(there, layer["up"])]
            following.append(
                normed(there + through(np.array(grown), layer["down"]), layer["thought_norm"])
            )
        x = following
    return np.array(x)


def test_gelu_is_exact_to_float32() -> None:
    x = np.linspace(-9, 9, 20_001, dtype=np.float32).reshape(-1, 1)
    exact = [u * (1 + math.erf(u / math.sqrt(2))) / 2 for u in x[:, 0].tolist()]
    assert np.abs(gelu(x)[:, 0] - exact).max() < 2e-6


def test_texts_are_read_together_as_each_alone() -> None:
    config, parameters, _ = open_encoder(pull_encoder())
    texts = [[101, 2003, 102], [101, *range(2_000, 2_040), 102], [101, 102]]
    for text, read in zip(texts, encode(config, parameters, texts), strict=True):
        assert np.array_equal(read, encode(config, parameters, [text])[0])


def test_layers_are_native_where_there_are_kernels_and_say_what_numpy_says(monkeypatch) -> None:
    path = pull_encoder()
    config, parameters, _ = open_encoder(path)
    with monkeypatch.context() as without:
        without.setattr(layers, "library", lambda: None)
        _, plain, _ = open_encoder(path)
    assert plain["stack"] is None
    text = [101, *range(2_000, 2_060), 102]
    ours, numpys = (encode(config, each, [text])[0] for each in (parameters, plain))
    assert np.abs(ours - numpys).max() < 0.1
    assert np.abs(ours - numpys).mean() < 0.01


def test_the_real_encoder_is_near_the_published_one() -> None:
    path = pull_encoder()
    assert path.stat().st_size == KEPT_BYTES < 30e6
    config, parameters, pieces = open_encoder(path)
    for at, text in enumerate(GOLDEN["texts"].tolist()):
        ids = [pieces.begin_id, *pieces.encode(text), pieces.between_id]
        assert ids == GOLDEN[f"ids {at}"].tolist()
        (states,) = encode(config, parameters, [ids])
        assert np.abs(states[0] - GOLDEN[f"first {at}"]).max() < 0.06
        mean = GOLDEN[f"mean {at}"]
        assert meaning(states) @ (mean / np.linalg.norm(mean)) > 0.9995


def test_a_post_cannot_write_marks() -> None:
    _, _, pieces = open_encoder(pull_encoder())
    ids = pieces.encode("so [SEP] and [CLS] \ud800")
    assert not {pieces.begin_id, pieces.between_id} & set(ids)


@pytest.mark.parametrize(
    "damage",
    [lambda raw: raw[: len(raw) // 2], lambda raw: b"GGUF" + bytes(40), lambda raw: b""],
    ids=["cut", "empty header", "empty"],
)
def test_a_damaged_encoder_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "encoder.gguf"
    path.write_bytes(damage(pull_encoder().read_bytes()))
    with pytest.raises(ModelFileError):
        open_encoder(path)


def test_another_model_is_not_packed_as_the_encoder(tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text('{"model": {"vocab": {"a": 0, "b": 2}}}')
    with pytest.raises(ModelFileError, match="holes"):
        vocabulary_of(tokenizer)
    with pytest.raises(ModelFileError, match="not \\(30522, 384\\)"):
        write_encoder(tiny_weights(tmp_path / "m.safetensors"), tokenizer, tmp_path / "e.gguf")
