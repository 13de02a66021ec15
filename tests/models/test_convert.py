import json

import numpy as np
import pytest
from click.testing import CliRunner

from fairwitness.cli.main import cli
from fairwitness.models import ModelFileError, open_model
from fairwitness.models.convert import convert
from fairwitness.models.gguf import open_gguf
from fairwitness.models.quantise import WRITABLE


def logits(path) -> np.ndarray:
    """What a model says after a few tokens; JAX is loaded here only."""
    import jax.numpy as jnp

    from fairwitness.models.decoder import extend, new_cache, predict

    model = open_model(path)
    parameters = model.parameters(jnp.asarray)
    tokens_t = jnp.array(model.tokenizer().encode("hello hello 42"))
    cache = new_cache(model.config, 32)
    _, x_td = extend(model.config, parameters, cache, tokens_t, jnp.array(0))
    return np.asarray(predict(model.config, parameters, x_td[-1:]))[0]


def test_without_a_format_a_file_is_copied_bit_for_bit(tiny_gguf, tmp_path):
    target = tmp_path / "copy.gguf"
    convert(tiny_gguf, target)
    before, after = open_gguf(tiny_gguf), open_gguf(target)
    assert after.kinds == before.kinds
    assert str(after.metadata) == str(before.metadata)
    for name, tensor in before.tensors.items():
        assert after.tensors[name].shape == tensor.shape
        np.testing.assert_array_equal(after.packed(name), before.packed(name))


@pytest.mark.parametrize(
    ("name", "error"), [("q8_0", 0.02), ("bf16", 0.02), ("f32", 0), ("q4_1", 1)]
)
def test_a_converted_file_still_speaks(tiny_gguf, tmp_path, name, error):
    target = tmp_path / "other.gguf"
    converted = convert(tiny_gguf, target, name)
    card = open_model(target).card
    assert card.quantisation == name.upper()
    assert sum(converted.tensors.values()) == len(open_gguf(tiny_gguf).tensors)
    before, after = logits(tiny_gguf), logits(target)
    assert np.abs(after - before).max() <= error * np.abs(before).max()


def test_vectors_stay_wide_and_odd_rows_half(tiny, tmp_path):
    source, target = tmp_path / "a.gguf", tmp_path / "b.gguf"
    shapes = {"norm": (32,), "odd": (2, 48), "even": (2, 64), "blk.0.ffn_gate_inp.weight": (2, 32)}
    weights = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    source.write_bytes(tiny.gguf_bytes({}, weights))
    convert(source, target, "q8_0")
    file = open_gguf(target)
    formats = {name: tensor.format.name for name, tensor in file.tensors.items()}
    assert formats == {
        "norm": "F32",
        "odd": "F16",
        "even": "Q8_0",
        "blk.0.ffn_gate_inp.weight": "F32",
    }
    assert file.metadata["general.file_type"] == 7


@pytest.mark.parametrize(("name", "error"), [("bf16", 0.02), ("f16", 0.01), (None, 0)])
def test_a_converted_folder_still_speaks(make_folder, tmp_path, name, error):
    source, target = make_folder(), tmp_path / "other"
    convert(source, target, name)
    assert np.abs(logits(target) - logits(source)).max() <= error * np.abs(logits(source)).max()
    config = json.loads((target / "config.json").read_text())
    assert config.pop("torch_dtype", None) == {"bf16": "bfloat16", "f16": "float16"}.get(name)
    assert config == json.loads((source / "config.json").read_text())


@pytest.mark.parametrize(
    ("change", "problem"),
    [(np.nan, "holds infinity or NaN"), (1e6, "as F16' holds infinity or NaN")],
)
def test_a_weight_that_does_not_fit_is_named(tiny, make_folder, tmp_path, change, problem):
    weights = tiny.weights()
    weights["model.norm.weight"][3] = change
    with pytest.raises(ModelFileError, match=problem):
        convert(make_folder(weights), tmp_path / "other", "f16")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny"]


def test_what_cannot_be_is_refused_by_name(tiny_gguf, make_folder, tmp_path):
    with pytest.raises(ModelFileError, match=r"a \.gguf file becomes a \.gguf file"):
        convert(tiny_gguf, tmp_path / "folder")
    with pytest.raises(ModelFileError, match="cannot be written as q6_k, only as F32, F16, Q4_0"):
        convert(tiny_gguf, tmp_path / "a.gguf", "q6_k")
    with pytest.raises(ModelFileError, match="cannot be written as q8_0, only as F32, F16, BF16"):
        convert(make_folder(), tmp_path / "folder", "q8_0")


def test_the_verb(tiny_gguf, tmp_path):
    target = tmp_path / "small.gguf"
    command = ["models", "convert", str(tiny_gguf), str(target), "--quantise", "q4_0"]
    run = CliRunner().invoke(cli, [*command, "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.output)
    assert told["path"] == str(target)
    assert told["tensors"] == {"Q4_0": 13, "F16": 2, "F32": 5}
    again = CliRunner().invoke(cli, command)
    assert again.exit_code == 1
    assert "is there already" in again.output


def test_every_format_has_a_verb_of_its_own():
    run = CliRunner().invoke(cli, ["models", "convert", "--help"])
    assert all(name.lower() in run.output for name in WRITABLE)
