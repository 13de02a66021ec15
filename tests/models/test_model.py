import json

import numpy as np
import pytest

from fairwitness.models import Message, ModelFileError, describe, open_model
from fairwitness.models.rope import Llama3
from fairwitness.models.weights import rope_frequencies

LLAMA_3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def as_is(array):
    return array


def read_everything(path):
    model = open_model(path)
    model.tokenizer()
    model.chat_template()
    model.parameters(as_is)


def write_gguf(tiny, path, metadata=None, tensors=None):
    weights = tiny.gguf_weights(tiny.weights()) if tensors is None else tensors
    path.write_bytes(tiny.gguf_bytes(tiny.gguf_metadata() | (metadata or {}), weights))
    return path


def test_both_formats_give_the_same_model(tiny_gguf, make_folder):
    gguf, folder = open_model(tiny_gguf), open_model(make_folder())
    assert gguf.config == folder.config
    ours, theirs = gguf.parameters(as_is), folder.parameters(as_is)
    assert ours.keys() == theirs.keys()
    for one, other in zip(ours["layers"], theirs["layers"], strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    text, chat = "hello hell 42 naïve <|im_end|>", [Message("user", "hi <|im_end|>")]
    assert gguf.tokenizer().encode(text) == folder.tokenizer().encode(text)
    assert gguf.tokenizer().end_ids == folder.tokenizer().end_ids == {0, 2}
    assert gguf.tokenizer().token_bytes == folder.tokenizer().token_bytes
    encoded = gguf.chat_template().encode(chat, gguf.tokenizer())
    assert encoded == folder.chat_template().encode(chat, folder.tokenizer())


def test_card_counts_what_is_there(tiny, tiny_gguf, make_folder):
    card = describe(tiny_gguf)
    assert card.parameters == sum(weight.size for weight in tiny.weights().values())
    assert (card.quantisation, card.context, card.licence) == ("F32", 256, "apache-2.0")
    assert card.size_bytes == tiny_gguf.stat().st_size
    assert describe(make_folder()).parameters == card.parameters


def test_untied_head_is_read_and_counted(tiny, tmp_path, make_folder):
    head = np.ones_like(tiny.weights()["model.embed_tokens.weight"])
    weights = tiny.weights() | {"lm_head.weight": head}
    gguf = open_model(write_gguf(tiny, tmp_path / "m.gguf", tensors=tiny.gguf_weights(weights)))
    folder = open_model(make_folder(weights, tie_word_embeddings=False))
    for model in (gguf, folder):
        assert not model.config.tied_head
        assert model.card.parameters == sum(weight.size for weight in weights.values())
        np.testing.assert_array_equal(model.parameters(as_is)["head"], head)


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"general.architecture": "falcon"}, "architecture 'falcon' is not supported"),
        ({"llama.expert_count": 8}, "expert_used_count is None"),
        ({"llama.expert_count": 8, "llama.expert_used_count": 9}, "9 experts used of 8"),
        ({"llama.expert_count": 8, "llama.expert_used_count": 2}, "no tensor 'blk.0.ffn_gate_inp"),
        ({"llama.rope.scaling.type": "longrope"}, "rope scaling 'longrope'"),
        ({"llama.rope.scaling.type": "yarn"}, "rope.scaling.factor is None"),
        ({"llama.rope.dimension_count": 4}, "RoPE over a part of the head"),
        ({"llama.block_count": 0}, "layers is 0"),
        ({"llama.block_count": 2**31}, "layers is 2147483648"),
        ({"llama.block_count": 1}, "9 tensors have no place in this decoder: blk.1"),
        ({"llama.block_count": 3}, "no tensor 'blk.2.attn_norm.weight'"),
        ({"llama.block_count": "two"}, "block_count is 'two', not an integer"),
        ({"llama.attention.head_count": 3}, "3 query heads cannot share 2"),
        ({"llama.attention.key_length": 7}, "head size 7 is odd"),
        ({"llama.embedding_length": 64}, "'token_embd.weight' has shape"),
        ({"llama.rope.freq_base": float("nan")}, "not a positive number"),
        ({"llama.rope.freq_base": 1.0}, "RoPE's base is 1.0"),
        ({"tokenizer.ggml.model": "bert"}, "tokenizer 'bert' is not supported"),
        ({"tokenizer.ggml.pre": "tekken"}, "pre-tokenizer 'tekken' is not supported"),
        ({"tokenizer.ggml.merges": ["hello"]}, "merge 'hello' is not a pair"),
        ({"tokenizer.ggml.merges": ["xx yy"]}, "tokenizer cannot be built"),
        ({"tokenizer.ggml.token_type": [1, 2]}, "token_type does not match"),
        ({"tokenizer.ggml.tokens": ["a"] * 264}, "has a token twice"),
        ({"tokenizer.ggml.eos_token_id": 9999}, "eos_token_id is 9999"),
        ({"tokenizer.chat_template": 1}, "has no chat template"),
    ],
)
def test_gguf_that_we_cannot_run_is_refused(tiny, tmp_path, metadata, problem):
    path = write_gguf(tiny, tmp_path / "m.gguf", metadata)
    with pytest.raises(ModelFileError) as caught:
        read_everything(path)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"architectures": ["PhiForCausalLM"]}, "PhiForCausalLM"),
        ({"architectures": "LlamaForCausalLM"}, "architectures 'LlamaForCausalLM'"),
        ({"architectures": ["MixtralForCausalLM"]}, "num_experts_per_tok is None"),
        ({"attention_bias": True}, "no tensor 'model.layers.0.self_attn.q_proj.bias'"),
        ({"mlp_bias": True}, "mlp_bias True is not supported"),
        ({"hidden_act": "relu2"}, "activation 'relu2'"),
        ({"rope_scaling": {"rope_type": "longrope"}}, "rope scaling 'longrope'"),
        ({"rope_scaling": {"rope_type": "yarn"}, "max_position_embeddings": 0}, "not between"),
        ({"architectures": ["SmolLM3ForCausalLM"], "no_rope_layers": [1]}, "a list of 2 values"),
        ({"architectures": ["Qwen2ForCausalLM"], "layer_types": ["a", "b"]}, "layer type 'a'"),
        ({"rope_scaling": LLAMA_3 | {"high_freq_factor": 1.0}}, "above low_freq_factor"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 1e-300}}, "stretched by 1e-300"),
        ({"hidden_size": None}, "hidden_size is None"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps is 'small'"),
        ({"vocab_size": 100}, "has id"),
    ],
)
def test_folder_that_we_cannot_run_is_refused(make_folder, changes, problem):
    with pytest.raises(ModelFileError) as caught:
        read_everything(make_folder(**changes))
    assert problem in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("damage", [None, b"", b"[]", b"\xff", b'{"added_tokens": 3}'])
def test_damaged_folder_is_refused(make_folder, name, damage):
    folder = make_folder()
    if damage is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(damage)
    with pytest.raises(ModelFileError):
        read_everything(folder)


def test_generation_config_names_what_ends_an_answer(make_folder):
    folder = make_folder()
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 2]}))
    assert open_model(folder).tokenizer().end_ids == {0, 1, 2}


def test_template_file_wins_over_the_settings(make_folder):
    folder = make_folder()
    (folder / "chat_template.jinja").write_text("{{ bos_token }}{{ messages[0]['content'] }}")
    settings = {"bos_token": {"content": "<|im_start|>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    model = open_model(folder)
    ids = model.chat_template().encode([Message("user", "hello")], model.tokenizer())
    assert ids == [1, *model.tokenizer().encode("hello")]


def test_llama3_scaling_keeps_fast_waves_and_stretches_slow_ones(make_folder):
    config = open_model(make_folder(rope_scaling=LLAMA_3, rope_theta=500_000.0)).config
    assert config.rope_scaling == Llama3(8.0, 1.0, 4.0, 8192)
    plain_k = 500_000.0 ** (-np.arange(0, 8, 2) / 8)
    scaled_k = rope_frequencies(config)
    assert scaled_k[0] == plain_k[0]  # one turn in 6 tokens
    np.testing.assert_allclose(scaled_k[3], plain_k[3] / 8, rtol=1e-6)  # one in 118,000
