"""From a `config.json` in Hugging Face's spelling to a shape.

Families differ in what their config does not say (does the MLP have a gate? are there biases?), so
each has a line in one table; all else is read. Keys follow `transformers`: each family's
`configuration_*.py`. A family that is not in the table is refused: guessed sizes would look right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fairwitness.planner.shapes.errors import ShapeError
from fairwitness.planner.shapes.shape import Experts, Latent, ModelShape, Window

_MOST = 100_000_000  # far above any published size, far below what would overflow a float


@dataclass(frozen=True)
class _Traits:
    """What a family's config leaves unsaid."""

    gated: bool = True
    norms: int = 2
    norm_vectors: int = 1
    qkv_bias: bool = False
    biases: bool = False
    head_norms: bool = False
    tied_head: bool = False  # unless the config says otherwise
    learned_positions: bool = False
    embedding_norm: bool = False
    one_kv_head: bool = False
    windowed: bool = False


_GPT = _Traits(gated=False, norm_vectors=2, biases=True, tied_head=True, learned_positions=True)
_GEMMA = _Traits(norms=4, tied_head=True, windowed=True)
_GEMMA3 = _Traits(norms=4, tied_head=True, windowed=True, head_norms=True)
_LLAMA = _Traits()
_GROK = _Traits(norms=4)
_FAMILIES = {
    "bloom": _Traits(gated=False, norm_vectors=2, biases=True, tied_head=True, embedding_norm=True),
    "deepseek_v2": _LLAMA,
    "deepseek_v3": _LLAMA,
    "gemma": _Traits(tied_head=True),
    "gemma2": _GEMMA,
    "gemma3_text": _GEMMA3,
    "gpt2": _GPT,
    "grok-1": _Traits(norms=4, tied_head=True),
    "git": _GROK,  # so Grok-2's own config calls itself
    "llama": _LLAMA,
    "mistral": _Traits(windowed=True),
    "mixtral": _Traits(windowed=True),
    "openai-gpt": _GPT,
    "opt": _GPT,
    "palm": _Traits(norms=1, tied_head=True, one_kv_head=True),
    "qwen2": _Traits(qkv_bias=True),
    "qwen3": _Traits(head_norms=True),
    "qwen3_moe": _Traits(head_norms=True),
}


def read_shape(name: str, config: Mapping[str, object]) -> ModelShape:
    """Read a config; `name` is what errors and reports call the model.

    Raises:
        ShapeError: an unknown family, a missing key, or sizes that cannot be.
    """
    family = config.get("model_type")
    if family == "gemma3" and isinstance(config.get("text_config"), Mapping):
        text = config["text_config"]
        assert isinstance(text, Mapping)
        return read_shape(name, {"model_type": "gemma3_text", **text})
    if not isinstance(family, str) or family not in _FAMILIES:
        known = ", ".join(sorted(_FAMILIES))
        raise ShapeError(name, f"model_type {family!r} is not one of {known}")
    return _checked(_read(_Config(name, config), _FAMILIES[family]))


def _read(config: _Config, traits: _Traits) -> ModelShape:
    width = config.size("hidden_size", "n_embd")
    heads = config.size("num_attention_heads", "n_head")
    context = config.size("max_position_embeddings", "n_positions", "seq_length")
    kv_heads = 1 if traits.one_kv_head else config.size("num_key_value_heads", default=heads)
    return ModelShape(
        name=config.name,
        layers=config.size("num_hidden_layers", "n_layer"),
        width=width,
        query_heads=heads,
        kv_heads=kv_heads,
        head_size=config.size("head_dim", default=max(width // max(heads, 1), 1)),
        hidden=config.size("intermediate_size", "ffn_dim", default=4 * width),
        vocabulary=config.size("vocab_size"),
        context=context,
        gated=traits.gated,
        tied_head=config.flag("tie_word_embeddings", traits.tied_head),
        learned_positions=context if traits.learned_positions else 0,
        qkv_bias=traits.qkv_bias or config.flag("attention_bias", False),
        biases=traits.biases,
        norms=traits.norms,
        norm_vectors=traits.norm_vectors,
        head_norms=traits.head_norms,
        embedding_norm=traits.embedding_norm,
        experts=_experts(config),
        latent=_latent(config),
        window=_window(config) if traits.windowed else None,
        source=str(config.values.get("_source", "")),
    )


def _experts(config: _Config) -> Experts | None:
    count = config.size("num_local_experts", "n_routed_experts", "num_experts", default=0)
    if count == 0:
        return None
    hidden = config.size("intermediate_size")
    return Experts(
        count=count,
        chosen=config.size("num_experts_per_tok"),
        hidden=config.size("moe_intermediate_size", default=hidden),
        shared=config.size("n_shared_experts", default=0),
        first_layer=config.size("first_k_dense_replace", default=0),
        groups_chosen=config.size("topk_group", default=0),
        beside_mlp=config.flag("residual_moe", False),
    )


def _latent(config: _Config) -> Latent | None:
    rank = config.size("kv_lora_rank", default=0)
    if rank == 0:
        return None
    return Latent(
        query_rank=config.size("q_lora_rank", default=0),
        rank=rank,
        rotated=config.size("qk_rope_head_dim"),
        plain=config.size("qk_nope_head_dim"),
        value=config.size("v_head_dim"),
    )


def _window(config: _Config) -> Window | None:
    size = config.size("sliding_window", default=0)
    if size == 0:
        return None
    if config.values.get("model_type") == "gemma2":
        return Window(size, every=2)
    return Window(size, config.size("sliding_window_pattern", default=0))


@dataclass(frozen=True)
class _Config:
    """Foreign key-values, read with their types and sizes checked."""

    name: str
    values: Mapping[str, object]

    def size(self, *keys: str, default: int | None = None) -> int:
        """The first of `keys` that is there and not null."""
        for key in keys:
            value = self.values.get(key)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                raise ShapeError(self.name, f"{key} is {value!r}, not an integer")
            if not 0 <= value <= _MOST:
                raise ShapeError(self.name, f"{key} is {value}, not between 0 and {_MOST}")
            return value
        if default is None:
            raise ShapeError(self.name, f"the config has no {' or '.join(keys)}")
        return default

    def flag(self, key: str, default: bool) -> bool:
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise ShapeError(self.name, f"{key} is {value!r}, not true or false")
        return value


def _checked(shape: ModelShape) -> ModelShape:
    sizes = ("layers", "width", "query_heads", "kv_heads", "head_size", "vocabulary", "context")
    for field in sizes:
        if getattr(shape, field) == 0:
            raise ShapeError(shape.name, f"{field} is 0, a model has at least 1")
    if shape.query_heads % shape.kv_heads:
        raise ShapeError(
            shape.name,
            f"{shape.query_heads} query heads cannot share {shape.kv_heads} kv heads evenly",
        )
    experts = shape.experts
    if experts is None:
        return shape
    if not 1 <= experts.chosen <= experts.count:
        raise ShapeError(shape.name, f"{experts.chosen} experts chosen of {experts.count}")
    if experts.first_layer > shape.layers:
        raise ShapeError(
            shape.name, f"experts begin in layer {experts.first_layer} of {shape.layers}"
        )
    return shape
