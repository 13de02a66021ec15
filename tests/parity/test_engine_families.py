"""A family that the native step does not do, through the engine: chunks, growth of the cache and
single tokens choose what the whole sequence would choose."""

import sys
from pathlib import Path

import numpy as np

from fairwitness.engine import Engine, Request

sys.path.append(str(Path(__file__).parent))
import measured


def test_greedy_tokens_are_the_decoders(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRWITNESS_CACHE", str(tmp_path / "cache"))
    golden = np.load(Path(__file__).parent / "families" / "mixtral.npz")
    model = measured.golden_model(golden, tmp_path / "mixtral")
    assert model.packed() is None
    prompt = tuple(int(token) for token in golden["tokens"][:16])
    tokens = [token.id for token in Engine(model).generate(Request(prompt, max_tokens=6))]
    whole = np.array([*prompt, *tokens])
    expected = measured.logits_of(model, whole).argmax(1)[15:21]
    assert tokens == expected.tolist()
