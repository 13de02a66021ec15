"""The shape of a decoder, and how two file families spell it.

A family of models is data here: one frozen config that the decoder obeys. What we do not support
is refused by name, because a model that runs with a feature ignored answers wrongly in silence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from fairwitness.models.errors import ModelFileError

# Far above any published model, far below what would exhaust memory on the way to an error.
_LIMITS = {"layers": 1_000, "vocabulary": 4_000_000, "context": 16_777_216}
_DEFAULT_LIMIT = 1_000_000


@dataclass(frozen=True)
class RopeScaling:
    """Llama 3's stretch of the slow RoPE frequencies (Hugging Face `rope_type: llama3`)."""

    factor: float
    low_frequency_factor: float
    high_frequency_factor: float
    original_context: int


@dataclass(frozen=True)
class DecoderConfig:
    """A Llama-shaped decoder: RMSNorm, RoPE, grouped-query attention, SwiGLU, no biases."""

    vocabulary: int
    width: int
    layers: int
    query_heads: int
    kv_heads: int
    head_size: int
    hidden: int  # width of the gated MLP
    context: int  # tokens that the model was trained to see
    rope_base: float
    norm_epsilon: float
    tied_head: bool
    rope_scaling: RopeScaling | None = None

    @property
    def parameters(self) -> int:
        """Number of weights, norms included."""
        attention = 2 * self.width * self.head_size * (self.query_heads + self.kv_heads)
        layer = attention + 3 * self.width * self.hidden + 2 * self.width
        heads = 1 if self.tied_head else 2
        return self.layers * layer + heads * self.vocabulary * self.width + self.width


def config_from_gguf(
    path: Path, metadata: Mapping[str, object], vocabulary: int, *, tied_head: bool
) -> DecoderConfig:
    """Read the `llama.*` keys of a GGUF file (docs/gguf.md in github.com/ggml-org/ggml).

    Raises:
        ModelFileError: another architecture, a missing key, or sizes that do not fit together.
    """
    architecture = metadata.get("general.architecture")
    if architecture != "llama":
        raise ModelFileError(path, f"architecture {architecture!r} is not supported, only 'llama'")
    source = _Source(path, {key.removeprefix("llama."): value for key, value in metadata.items()})
    if source.values.get("rope.scaling.type", "none") != "none":
        raise ModelFileError(path, f"rope scaling {source.values['rope.scaling.type']!r}")
    if source.integer("expert_count", 0):
        raise ModelFileError(path, "mixtures of experts are not supported")
    width, heads = source.integer("embedding_length"), source.integer("attention.head_count")
    head_size = source.integer("attention.key_length", width // max(heads, 1))
    if source.integer("rope.dimension_count", head_size) != head_size:
        raise ModelFileError(path, "RoPE over a part of the head is not supported")
    config = DecoderConfig(
        vocabulary=vocabulary,
        width=width,
        layers=source.integer("block_count"),
        query_heads=heads,
        kv_heads=source.integer("attention.head_count_kv", heads),
        head_size=head_size,
        hidden=source.integer("feed_forward_length"),
        context=source.integer("context_length"),
        rope_base=source.number("rope.freq_base", 10_000.0),
        norm_epsilon=source.number("attention.layer_norm_rms_epsilon"),
        tied_head=tied_head,
    )
    return _checked(path, config)


def config_from_hugging_face(path: Path, values: Mapping[str, object]) -> DecoderConfig:
    """Read a `config.json` of the LlamaForCausalLM family (transformers `LlamaConfig`).

    Raises:
        ModelFileError: another architecture, a missing key, or sizes that do not fit together.
    """
    architectures = values.get("architectures")
    if architectures != ["LlamaForCausalLM"]:
        raise ModelFileError(path, f"architectures {architectures!r}, only LlamaForCausalLM")
    for feature in ("attention_bias", "mlp_bias"):
        if values.get(feature):
            raise ModelFileError(path, f"{feature} is not supported")
    activation = values.get("hidden_act", "silu")
    if activation != "silu":
        raise ModelFileError(path, f"activation {activation!r} is not supported, only 'silu'")
    source = _Source(path, values)
    width, heads = source.integer("hidden_size"), source.integer("num_attention_heads")
    config = DecoderConfig(
        vocabulary=source.integer("vocab_size"),
        width=width,
        layers=source.integer("num_hidden_layers"),
        query_heads=heads,
        kv_heads=source.integer("num_key_value_heads", heads),
        head_size=source.integer("head_dim", width // max(heads, 1)),
        hidden=source.integer("intermediate_size"),
        context=source.integer("max_position_embeddings"),
        rope_base=_rope(source).number("rope_theta", 10_000.0),
        norm_epsilon=source.number("rms_norm_eps"),
        tied_head=bool(values.get("tie_word_embeddings", False)),
        rope_scaling=_rope_scaling(source),
    )
    return _checked(path, config)


@dataclass(frozen=True)
class _Source:
    """Foreign key-values, read with their types checked."""

    path: Path
    values: Mapping[str, object]

    def integer(self, key: str, default: int | None = None) -> int:
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise ModelFileError(self.path, f"{key} is {value!r}, not an integer")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ModelFileError(self.path, f"{key} is {value!r}, not a number")
        if not 0 < value < math.inf:
            raise ModelFileError(self.path, f"{key} is {value!r}, not a positive number")
        return float(value)


def _rope(source: _Source) -> _Source:
    """Where RoPE is described: its own table since transformers 5, the top level before."""
    table = source.values.get("rope_parameters")
    return _Source(source.path, table) if isinstance(table, dict) else source


def _rope_scaling(source: _Source) -> RopeScaling | None:
    table = source.values.get("rope_parameters") or source.values.get("rope_scaling")
    if not isinstance(table, dict):
        return None
    kind = table.get("rope_type", table.get("type", "default"))
    if kind == "default":
        return None
    if kind != "llama3":
        raise ModelFileError(source.path, f"rope scaling {kind!r} is not supported, only 'llama3'")
    scaling = _Source(source.path, table)
    return RopeScaling(
        factor=scaling.number("factor"),
        low_frequency_factor=scaling.number("low_freq_factor"),
        high_frequency_factor=scaling.number("high_freq_factor"),
        original_context=scaling.integer("original_max_position_embeddings"),
    )


def _checked(path: Path, config: DecoderConfig) -> DecoderConfig:
    for field in fields(config):
        size = getattr(config, field.name)
        limit = _LIMITS.get(field.name, _DEFAULT_LIMIT)
        if isinstance(size, int) and field.name != "tied_head" and not 0 < size <= limit:
            raise ModelFileError(path, f"{field.name} is {size}, not between 1 and {limit}")
    if config.query_heads % config.kv_heads:
        raise ModelFileError(
            path, f"{config.query_heads} query heads cannot share {config.kv_heads} kv heads"
        )
    if config.head_size % 2:
        raise ModelFileError(path, f"head size {config.head_size} is odd, RoPE turns pairs")
    return config
