"""The families of models that the decoder runs, as one table.

A family says which names files give it, what it does otherwise than a Llama, and how its tensors
are spelled. Nothing here computes; a family that needs code of its own does not belong here.

Facts: configuration_*.py and modeling_*.py of transformers 5.23; Grok-1 from model.py of
github.com/xai-org/grok-1, Grok-2 from python/sglang/srt/models/grok.py of sgl-project/sglang; GGUF
names from src/llama-arch.cpp of ggml-org/llama.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fairwitness.models.config import Activation

_HUGGING_FACE = {
    "embedding": "model.embed_tokens.weight",
    "norm": "model.norm.weight",
    "head": "lm_head.weight",
    "attention_norm": "model.layers.{}.input_layernorm.weight",
    "query": "model.layers.{}.self_attn.q_proj.weight",
    "key": "model.layers.{}.self_attn.k_proj.weight",
    "value": "model.layers.{}.self_attn.v_proj.weight",
    "out": "model.layers.{}.self_attn.o_proj.weight",
    "query_bias": "model.layers.{}.self_attn.q_proj.bias",
    "key_bias": "model.layers.{}.self_attn.k_proj.bias",
    "value_bias": "model.layers.{}.self_attn.v_proj.bias",
    "out_bias": "model.layers.{}.self_attn.o_proj.bias",
    "query_norm": "model.layers.{}.self_attn.q_norm.weight",
    "key_norm": "model.layers.{}.self_attn.k_norm.weight",
    "sinks": "model.layers.{}.self_attn.sinks",
    "mlp_norm": "model.layers.{}.post_attention_layernorm.weight",
    "gate": "model.layers.{}.mlp.gate_proj.weight",
    "up": "model.layers.{}.mlp.up_proj.weight",
    "down": "model.layers.{}.mlp.down_proj.weight",
}
_GEMMA = _HUGGING_FACE | {
    "attention_post_norm": "model.layers.{}.post_attention_layernorm.weight",
    "mlp_norm": "model.layers.{}.pre_feedforward_layernorm.weight",
    "mlp_post_norm": "model.layers.{}.post_feedforward_layernorm.weight",
}
_MIXTRAL = _HUGGING_FACE | {
    "router": "model.layers.{}.block_sparse_moe.gate.weight",
    "expert_gate": "model.layers.{}.block_sparse_moe.experts.{}.w1.weight",
    "expert_up": "model.layers.{}.block_sparse_moe.experts.{}.w3.weight",
    "expert_down": "model.layers.{}.block_sparse_moe.experts.{}.w2.weight",
}
_GROK_2 = _MIXTRAL | {
    "attention_norm": "model.layers.{}.pre_attn_norm.weight",
    "attention_post_norm": "model.layers.{}.post_attn_norm.weight",
    "mlp_norm": "model.layers.{}.pre_moe_norm.weight",
    "mlp_post_norm": "model.layers.{}.post_moe_norm.weight",
}
_QWEN_3_MOE = _HUGGING_FACE | {
    "router": "model.layers.{}.mlp.gate.weight",
    "expert_gate": "model.layers.{}.mlp.experts.{}.gate_proj.weight",
    "expert_up": "model.layers.{}.mlp.experts.{}.up_proj.weight",
    "expert_down": "model.layers.{}.mlp.experts.{}.down_proj.weight",
}
_GPT_OSS = _HUGGING_FACE | {
    "router": "model.layers.{}.mlp.router.weight",
    "router_bias": "model.layers.{}.mlp.router.bias",
    "experts_gate_up": "model.layers.{}.mlp.experts.gate_up_proj",
    "experts_gate_up_bias": "model.layers.{}.mlp.experts.gate_up_proj_bias",
    "experts_down": "model.layers.{}.mlp.experts.down_proj",
    "experts_down_bias": "model.layers.{}.mlp.experts.down_proj_bias",
}
# `haiku` joins module paths with slashes; Grok-1's matrices stand [in, out].
_GROK_1 = {
    "embedding": "language_model/in_out_embed/embeddings",
    "norm": "language_model/rms_norm/scale",
    "attention_norm": "transformer/decoder_layer_{}/rms_norm/scale",
    "attention_post_norm": "transformer/decoder_layer_{}/rms_norm_1/scale",
    "mlp_norm": "transformer/decoder_layer_{}/rms_norm_2/scale",
    "mlp_post_norm": "transformer/decoder_layer_{}/rms_norm_3/scale",
    "query": "transformer/decoder_layer_{}/multi_head_attention/query/w",
    "key": "transformer/decoder_layer_{}/multi_head_attention/key/w",
    "value": "transformer/decoder_layer_{}/multi_head_attention/value/w",
    "out": "transformer/decoder_layer_{}/multi_head_attention/linear/w",
    "router": "transformer/decoder_layer_{}/router/w",
    "experts_gate": "transformer/decoder_layer_{}/moe/linear/w",
    "experts_up": "transformer/decoder_layer_{}/moe/linear_v/w",
    "experts_down": "transformer/decoder_layer_{}/moe/linear_1/w",
}
GGUF = {
    "embedding": "token_embd.weight",
    "norm": "output_norm.weight",
    "head": "output.weight",
    "rope_factors": "rope_freqs.weight",
    "attention_norm": "blk.{}.attn_norm.weight",
    "query": "blk.{}.attn_q.weight",
    "key": "blk.{}.attn_k.weight",
    "value": "blk.{}.attn_v.weight",
    "out": "blk.{}.attn_output.weight",
    "query_bias": "blk.{}.attn_q.bias",
    "key_bias": "blk.{}.attn_k.bias",
    "value_bias": "blk.{}.attn_v.bias",
    "out_bias": "blk.{}.attn_output.bias",
    "query_norm": "blk.{}.attn_q_norm.weight",
    "key_norm": "blk.{}.attn_k_norm.weight",
    "attention_post_norm": "blk.{}.post_attention_norm.weight",
    "mlp_norm": "blk.{}.ffn_norm.weight",
    "mlp_post_norm": "blk.{}.post_ffw_norm.weight",
    "gate": "blk.{}.ffn_gate.weight",
    "up": "blk.{}.ffn_up.weight",
    "down": "blk.{}.ffn_down.weight",
    "router": "blk.{}.ffn_gate_inp.weight",
    "experts_gate": "blk.{}.ffn_gate_exps.weight",
    "experts_up": "blk.{}.ffn_up_exps.weight",
    "experts_down": "blk.{}.ffn_down_exps.weight",
}
_GGUF_GPT_OSS = GGUF | {
    "mlp_norm": "blk.{}.post_attention_norm.weight",
    "sinks": "blk.{}.attn_sinks.weight",
    "router_bias": "blk.{}.ffn_gate_inp.bias",
    "experts_gate_bias": "blk.{}.ffn_gate_exps.bias",
    "experts_up_bias": "blk.{}.ffn_up_exps.bias",
    "experts_down_bias": "blk.{}.ffn_down_exps.bias",
}
# Grok-2's files have `post_ffw_norm` in place of the last.
_GGUF_GROK_1 = GGUF | {
    "attention_post_norm": "blk.{}.attn_output_norm.weight",
    "mlp_post_norm": "blk.{}.layer_output_norm.weight",
}


@dataclass(frozen=True)
class Family:
    """One family: its names, its ways, its spelling."""

    name: str
    title: str
    architectures: tuple[str, ...] = ()  # in config.json
    gguf: str | None = None  # general.architecture of GGUF files
    tensors: Mapping[str, str] = field(default_factory=lambda: _HUGGING_FACE)
    defaults: Mapping[str, object] = field(default_factory=dict)  # for keys config.json leaves out

    bias: Literal["no", "qkv", "asked"] = "no"  # "asked": as `attention_bias` says, output too
    head_norms: bool = False
    post_norms: bool = False
    has_experts: bool = False
    sinks: bool = False
    # Which layers slide where config.json has no `layer_types`: each, those from
    # `max_window_layers` on, or all but every n-th (`sliding_window_pattern`).
    slides: Literal["no", "every", "late", "pattern"] = "no"
    activation: Activation | None = None  # where config.json does not tell it
    scales_embedding: bool = False  # by sqrt(width)
    norms_from_one: bool = False  # Hugging Face's files hold what is added to one
    gguf_tensors: Mapping[str, str] = field(default_factory=lambda: GGUF)
    gguf_pairs: bool = False  # GGUF query and key rows stand in pairs, not in halves


FAMILIES = (
    Family(
        "grok-1",
        "Grok-1",
        gguf="grok",
        tensors=_GROK_1,
        activation="gelu_tanh",
        has_experts=True,
        post_norms=True,
        gguf_tensors=_GGUF_GROK_1,
    ),
    Family(
        "grok-2",
        "Grok-2",
        ("Grok1ForCausalLM",),
        tensors=_GROK_2,
        defaults={"hidden_act": "gelu_pytorch_tanh", "tie_word_embeddings": False},
        has_experts=True,
        post_norms=True,
    ),
    Family(
        "llama",
        "Llama 2, Llama 3, SmolLM2",
        ("LlamaForCausalLM",),
        "llama",
        bias="asked",
        gguf_pairs=True,
    ),
    Family(
        "smollm3",
        "SmolLM3",
        ("SmolLM3ForCausalLM",),
        "smollm3",
        defaults={
            "rope_theta": 2_000_000.0,
            "tie_word_embeddings": True,
            "use_sliding_window": False,
            "no_rope_layer_interval": 4,
        },
        bias="asked",
        gguf_pairs=True,
    ),
    Family(
        "qwen2",
        "Qwen2, Qwen2.5",
        ("Qwen2ForCausalLM",),
        "qwen2",
        defaults={"use_sliding_window": False, "sliding_window": 4096, "max_window_layers": 28},
        bias="qkv",
        slides="late",
    ),
    Family(
        "qwen3",
        "Qwen3",
        ("Qwen3ForCausalLM",),
        "qwen3",
        defaults={
            "head_dim": 128,
            "use_sliding_window": False,
            "sliding_window": 4096,
            "max_window_layers": 28,
        },
        bias="asked",
        head_norms=True,
        slides="late",
    ),
    Family(
        "qwen3moe",
        "Qwen3-MoE",
        ("Qwen3MoeForCausalLM",),
        "qwen3moe",
        _QWEN_3_MOE,
        {"use_sliding_window": False, "sliding_window": 4096, "norm_topk_prob": False},
        bias="asked",
        head_norms=True,
        has_experts=True,
        slides="every",
    ),
    Family(
        "mistral",
        "Mistral",
        ("MistralForCausalLM",),
        "llama",
        defaults={"sliding_window": 4096},
        slides="every",
        gguf_pairs=True,
    ),
    Family(
        "mixtral",
        "Mixtral",
        ("MixtralForCausalLM",),
        "llama",
        _MIXTRAL,
        {"rope_theta": 1_000_000.0, "norm_topk_prob": True},
        has_experts=True,
        slides="every",
        gguf_pairs=True,
    ),
    Family(
        "gemma2",
        "Gemma 2",
        ("Gemma2ForCausalLM",),
        "gemma2",
        _GEMMA,
        {
            "head_dim": 256,
            "hidden_activation": "gelu_pytorch_tanh",
            "tie_word_embeddings": True,
            "query_pre_attn_scalar": 256,
            "sliding_window": 4096,
            "sliding_window_pattern": 2,
            "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0,
        },
        bias="asked",
        post_norms=True,
        slides="pattern",
        scales_embedding=True,
        norms_from_one=True,
    ),
    Family(
        "gemma3",
        "Gemma 3 (text)",
        ("Gemma3ForCausalLM",),
        "gemma3",
        _GEMMA,
        {
            "head_dim": 256,
            "hidden_activation": "gelu_pytorch_tanh",
            "tie_word_embeddings": True,
            "query_pre_attn_scalar": 256,
            "sliding_window": 4096,
            "sliding_window_pattern": 6,
            "rope_theta": 1_000_000.0,
            "rope_local_base_freq": 10_000.0,
        },
        bias="asked",
        head_norms=True,
        post_norms=True,
        slides="pattern",
        scales_embedding=True,
        norms_from_one=True,
    ),
    Family(
        "gpt-oss",
        "gpt-oss",
        ("GptOssForCausalLM",),
        "gpt-oss",
        _GPT_OSS,
        {
            "head_dim": 64,
            "attention_bias": True,
            "rope_theta": 150_000.0,
            "sliding_window": 128,
            "sliding_window_pattern": 2,
            "norm_topk_prob": True,
        },
        bias="asked",
        activation="clamped_swiglu",
        has_experts=True,
        sinks=True,
        slides="pattern",
        gguf_tensors=_GGUF_GPT_OSS,
    ),
)


def family_of_architecture(architecture: str) -> Family | None:
    """The family of a class name in config.json."""
    return next((family for family in FAMILIES if architecture in family.architectures), None)


def family_of_gguf(architecture: str) -> Family | None:
    """The first family of a GGUF file's architecture; what calls itself a Llama is told by keys."""
    return next((family for family in FAMILIES if family.gguf == architecture), None)


def named(name: str) -> Family:
    """The family of this name in the table."""
    return next(family for family in FAMILIES if family.name == name)
