import io
import json

import numpy as np
import pytest
import sentencepiece
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
    with pytest.raises(ModelFileError, match=r"a \.gguf file can become a \.gguf file only"):
        convert(tiny_gguf, tmp_path / "folder")
    (tmp_path / "note.txt").touch()
    with pytest.raises(ModelFileError, match=r"note\.txt: is neither a \.gguf file nor a folder"):
        convert(tmp_path / "note.txt", tmp_path / "a.gguf")
    with pytest.raises(ModelFileError, match="cannot be written as q6_k, only as F32, F16, Q4_0"):
        convert(tiny_gguf, tmp_path / "a.gguf", "q6_k")
    with pytest.raises(ModelFileError, match="cannot be written as q8_0, only as F32, F16, BF16"):
        convert(make_folder(), tmp_path / "folder", "q8_0")


SHAPES = {
    "llama": {"bos_token_id": 1},
    "llama, untied, with biases": {"tie_word_embeddings": False, "attention_bias": True},
    "llama, stretched": {
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        }
    },
    "mistral": {"architectures": ["MistralForCausalLM"], "sliding_window": None},
    "mistral, narrow": {"architectures": ["MistralForCausalLM"], "sliding_window": 4},
    "qwen2": {"architectures": ["Qwen2ForCausalLM"]},
    "qwen3": {"architectures": ["Qwen3ForCausalLM"], "head_dim": 8},
    "gemma2": {
        "architectures": ["Gemma2ForCausalLM"],
        "head_dim": 8,
        "query_pre_attn_scalar": 8,
        "sliding_window": 4,
    },
    "gemma3": {
        "architectures": ["Gemma3ForCausalLM"],
        "head_dim": 8,
        "query_pre_attn_scalar": 8,
        "sliding_window": 4,
        "rope_scaling": {"rope_type": "linear", "factor": 8.0},
    },
    "mixtral": {
        "architectures": ["MixtralForCausalLM"],
        "num_local_experts": 3,
        "num_experts_per_tok": 2,
    },
    "qwen3moe": {
        "architectures": ["Qwen3MoeForCausalLM"],
        "head_dim": 8,
        "num_experts": 3,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 48,
        "intermediate_size": 96,
        "norm_topk_prob": True,
    },
}
MIXTRAL = {"gate_proj": "w1", "up_proj": "w3", "down_proj": "w2"}


def weights_for(tiny, shape: str) -> dict[str, np.ndarray]:
    """The tiny weights, and what a family has besides."""
    weights, rng = tiny.weights(), np.random.default_rng(3)
    added = {}
    for name, weight in weights.items():
        is_projection = any(f".{part}_proj." in name for part in "qkv")
        if is_projection and (shape == "qwen2" or "biases" in shape):
            added[name.replace("weight", "bias")] = rng.normal(0, 1, len(weight))
        if ".o_proj." in name and "biases" in shape:
            added[name.replace("weight", "bias")] = rng.normal(0, 1, len(weight))
        if "post_attention_layernorm" in name and "gemma" in shape:
            for part in ("pre", "post"):
                norm = name.replace("post_attention", f"{part}_feedforward")
                added[norm] = rng.normal(0, 0.2, len(weight))
        if ".q_proj." in name and shape in ("qwen3", "qwen3moe", "gemma3"):
            for part in "qk":
                norm = name.replace("q_proj", f"{part}_norm")
                added[norm] = 1 + rng.normal(0, 0.2, 8)
    if shape in ("mixtral", "qwen3moe"):
        weights = {name: weight for name, weight in weights.items() if ".mlp." not in name}
        added |= experts_for(tiny, shape)
    if "untied" in shape:
        added["lm_head.weight"] = rng.normal(0, 1, weights["model.embed_tokens.weight"].shape)
    return weights | {name: weight.astype(np.float32) for name, weight in added.items()}


def experts_for(tiny, shape: str) -> dict[str, np.ndarray]:
    """A router, and three experts in place of each MLP, no two of them alike."""
    rng, added = np.random.default_rng(4), {}
    room = "block_sparse_moe" if shape == "mixtral" else "mlp"
    for name, weight in tiny.weights().items():
        layer, _, part = name.partition(".mlp.")
        if not part:
            continue
        matrix = part.removesuffix(".weight")
        spelled = MIXTRAL[matrix] if shape == "mixtral" else matrix
        added[f"{layer}.{room}.gate.weight"] = rng.normal(0, 1, (3, 32))
        for expert in range(3):
            own = rng.normal(0, 0.3, weight.shape)
            added[f"{layer}.{room}.experts.{expert}.{spelled}.weight"] = own
    return added


@pytest.mark.parametrize("shape", SHAPES)
def test_a_folder_becomes_a_file_that_says_the_same(tiny, make_folder, tmp_path, shape):
    source, target = make_folder(weights_for(tiny, shape), **SHAPES[shape]), tmp_path / "a.gguf"
    convert(source, target)
    before, after = open_model(source), open_model(target)
    llamas = {"mistral": "llama", "mixtral": "llama"}
    architecture = before.card.architecture
    assert after.card.architecture == llamas.get(architecture, architecture)
    assert after.tokenizer().token_bytes == before.tokenizer().token_bytes
    assert after.tokenizer().control_ids == before.tokenizer().control_ids
    assert after.tokenizer().end_ids == before.tokenizer().end_ids
    assert after.tokenizer().begin_id == before.tokenizer().begin_id
    assert after.chat_template().source == before.chat_template().source
    np.testing.assert_allclose(logits(target), logits(source), rtol=0, atol=2e-5)


def put_pieces(tiny, folder) -> None:
    """Give a folder a SentencePiece tokenizer, and weights for its vocabulary."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the witnesses saw it", "and the others heard of it"] * 20),
        model_writer=model,
        model_type="bpe",
        vocab_size=300,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    (folder / "tokenizer.json").unlink()
    weights = tiny.weights()
    embedding = np.resize(weights["model.embed_tokens.weight"], (320, 32))
    weights["model.embed_tokens.weight"] = embedding
    (folder / "model.safetensors").write_bytes(tiny.safetensors_bytes(weights))


def test_pieces_go_into_the_file_as_they_are(tiny, make_folder, tmp_path):
    source, target = make_folder(vocab_size=320), tmp_path / "a.gguf"
    put_pieces(tiny, source)
    convert(source, target)
    before, after = open_model(source).tokenizer(), open_model(target).tokenizer()
    assert after.token_bytes[:300] == before.token_bytes[:300]
    assert after.control_ids == before.control_ids
    assert after.end_ids == before.end_ids
    for text in ["the witnesses heard", "  日本 é\n", "<s>"]:
        assert after.encode(text) == before.encode(text)
    np.testing.assert_allclose(logits(target), logits(source), rtol=0, atol=2e-5)


def test_what_gguf_cannot_tell_is_refused(tiny, make_folder, tmp_path):
    late = {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1}
    folder = make_folder(architectures=["Qwen2ForCausalLM"], **late)
    with pytest.raises(ModelFileError, match=r"a Qwen2, Qwen2.5 of this shape cannot be written"):
        convert(folder, tmp_path / "a.gguf")
    unnormed = {"norm_topk_prob": False, "num_experts": 3, "num_experts_per_tok": 2}
    named = {"architectures": ["Qwen3MoeForCausalLM"], "moe_intermediate_size": 48, "head_dim": 8}
    told = tiny.config() | unnormed | named
    (folder / "config.json").write_text(json.dumps(told))
    weights = weights_for(tiny, "qwen3moe")
    (folder / "model.safetensors").write_bytes(tiny.safetensors_bytes(weights))
    with pytest.raises(ModelFileError, match="a Qwen3-MoE of this shape cannot be written"):
        convert(folder, tmp_path / "a.gguf")
    (folder / "model.safetensors").write_bytes(tiny.safetensors_bytes(tiny.weights()))
    (folder / "config.json").write_text(json.dumps(tiny.config()))
    table = tiny.tokenizer()
    table["pre_tokenizer"]["pretokenizers"].pop(0)
    (folder / "tokenizer.json").write_text(json.dumps(table))
    with pytest.raises(ModelFileError, match="no name for how this tokenizer splits words"):
        convert(folder, tmp_path / "a.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


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
