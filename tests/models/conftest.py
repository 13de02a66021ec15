"""A tiny Llama in both file formats, written byte by byte from the format descriptions."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

WIDTH, LAYERS, QUERY_HEADS, KV_HEADS, HEAD, HIDDEN, CONTEXT = 32, 2, 4, 2, 8, 48, 256
EPSILON = 2.0**-16  # the same number in float32 and in JSON
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
Weights = dict[str, np.ndarray]


def byte_letters() -> list[str]:
    """GPT-2's letter for every byte (encoder.py of github.com/openai/gpt-2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(moved)) for byte in range(256)]


def vocabulary() -> list[str]:
    return [*CONTROL, *byte_letters(), "he", "ll", "hell", "hello", "Ġhello"]


def merges() -> list[str]:
    return ["h e", "l l", "he ll", "hell o", "Ġ hello"]


def tiny_weights() -> Weights:
    """Random weights under Hugging Face names, matrices [out, in]."""
    rng = np.random.default_rng(7)

    def matrix(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.3, shape).astype(np.float32)

    weights = {"model.embed_tokens.weight": matrix(len(vocabulary()), WIDTH)}
    weights["model.norm.weight"] = 1 + matrix(WIDTH)
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        weights |= {
            prefix + "input_layernorm.weight": 1 + matrix(WIDTH),
            prefix + "self_attn.q_proj.weight": matrix(QUERY_HEADS * HEAD, WIDTH),
            prefix + "self_attn.k_proj.weight": matrix(KV_HEADS * HEAD, WIDTH),
            prefix + "self_attn.v_proj.weight": matrix(KV_HEADS * HEAD, WIDTH),
            prefix + "self_attn.o_proj.weight": matrix(WIDTH, QUERY_HEADS * HEAD),
            prefix + "post_attention_layernorm.weight": 1 + matrix(WIDTH),
            prefix + "mlp.gate_proj.weight": matrix(HIDDEN, WIDTH),
            prefix + "mlp.up_proj.weight": matrix(HIDDEN, WIDTH),
            prefix + "mlp.down_proj.weight": matrix(WIDTH, HIDDEN),
        }
    return weights


GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "model.layers.": "blk.",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_weights(weights: Weights) -> Weights:
    """The same weights as a converter stores them: other names, query and key rows in pairs."""
    renamed = {}
    for name, weight in weights.items():
        heads = QUERY_HEADS if "q_proj" in name else KV_HEADS if "k_proj" in name else 0
        if heads:
            halves = weight.reshape(heads, 2, HEAD // 2, WIDTH)
            weight = halves.transpose(0, 2, 1, 3).reshape(weight.shape)
        for ours, theirs in GGUF_NAMES.items():
            name = name.replace(ours, theirs)
        renamed[name] = weight
    return renamed


def gguf_metadata() -> dict[str, object]:
    types = [3] * len(CONTROL) + [1] * (len(vocabulary()) - len(CONTROL))
    return {
        "general.architecture": "llama",
        "general.license": "apache-2.0",
        "llama.block_count": LAYERS,
        "llama.context_length": CONTEXT,
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": HIDDEN,
        "llama.attention.head_count": QUERY_HEADS,
        "llama.attention.head_count_kv": KV_HEADS,
        "llama.rope.freq_base": 10_000.0,
        "llama.attention.layer_norm_rms_epsilon": EPSILON,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": vocabulary(),
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.merges": merges(),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }


def gguf_bytes(metadata: dict[str, object], tensors: Weights, version: int = 3) -> bytes:
    """A GGUF file with float32 tensors."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, value in metadata.items():
        head += gguf_string(key) + gguf_value(value)
    body = b""
    for name, tensor in tensors.items():
        body += b"\0" * (-len(body) % 32)
        shape = tensor.shape[::-1]
        head += gguf_string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        head += struct.pack("<IQ", 0, len(body))
        body += tensor.astype("<f4").tobytes()
    return head + b"\0" * (-len(head) % 32) + body


def gguf_string(text: str) -> bytes:
    raw = text.encode("utf-8")
    return struct.pack("<Q", len(raw)) + raw


def gguf_value(value: object) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + gguf_string(value)
        case [str(), *_]:
            joined = b"".join(gguf_string(each) for each in value)
            return struct.pack("<IIQ", 9, 8, len(value)) + joined
        case [int(), *_]:
            return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
    raise TypeError(f"no GGUF type for {value!r}")


def safetensors_bytes(tensors: Weights) -> bytes:
    table, body = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.astype("<f4").tobytes()
        place = [len(body), len(body) + len(raw)]
        table[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": place}
        body += raw
    header = json.dumps(table).encode()
    return struct.pack("<Q", len(header)) + header + body


def hugging_face_config() -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": len(vocabulary()),
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": QUERY_HEADS,
        "num_key_value_heads": KV_HEADS,
        "intermediate_size": HIDDEN,
        "max_position_embeddings": CONTEXT,
        "rope_theta": 10_000.0,
        "rms_norm_eps": EPSILON,
        "tie_word_embeddings": True,
        "eos_token_id": 2,
    }


def tokenizer_json() -> dict[str, object]:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    digits = {"type": "Digits", "individual_digits": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": index,
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for index, token in enumerate(CONTROL)
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [digits, {**byte_level, "use_regex": True}],
        },
        "post_processor": None,
        "decoder": {**byte_level, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {token: index for index, token in enumerate(vocabulary())},
            "merges": merges(),
        },
    }


class Tiny:
    """What the tests build files from; each call gives fresh, changeable data."""

    weights = staticmethod(tiny_weights)
    gguf_weights = staticmethod(gguf_weights)
    gguf_metadata = staticmethod(gguf_metadata)
    gguf_bytes = staticmethod(gguf_bytes)
    gguf_string = staticmethod(gguf_string)
    safetensors_bytes = staticmethod(safetensors_bytes)
    config = staticmethod(hugging_face_config)
    tokenizer = staticmethod(tokenizer_json)


@pytest.fixture(scope="session")
def tiny() -> type[Tiny]:
    return Tiny


@pytest.fixture
def tiny_gguf(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf_bytes(gguf_metadata(), gguf_weights(tiny_weights())))
    return path


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """A Hugging Face folder; keyword arguments change its config."""

    def make(weights: Weights | None = None, **changes: object) -> Path:
        folder = tmp_path / "tiny"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(hugging_face_config() | changes))
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
        (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}))
        (folder / "model.safetensors").write_bytes(safetensors_bytes(weights or tiny_weights()))
        return folder

    return make
