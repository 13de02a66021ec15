"""From the config.json of a Hugging Face folder to the decoder's config.

The family's row in `families.py` tells how a key is to be read. What would change the network and
is not known here is refused by name: a model that runs with a feature ignored answers wrongly in
silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fairwitness.models.config import (
    Activation,
    Attention,
    DecoderConfig,
    Experts,
    Multipliers,
    Reach,
    checked,
)
from fairwitness.models.errors import ModelFileError
from fairwitness.models.families import FAMILIES, Family, family_of_architecture
from fairwitness.models.keys import Keys
from fairwitness.models.rope import Dynamic, Linear, Llama3, RopeScaling, Yarn, yarn_amplitude

_ACTIVATIONS: dict[str, Activation] = {
    "silu": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
}
# Keys that change the network, and the values with which they do not.
_ONLY: dict[str, tuple[object, ...]] = {
    "mlp_bias": (None, False),
    "partial_rotary_factor": (None, 1.0),
    "rope_rotate_half_dims": (None, False),
    "use_bidirectional_attention": (None, False),
    "decoder_sparse_step": (None, 1),
    "mlp_only_layers": (None, []),
    "attn_logit_softcapping_method": (None, "tanh"),
    "swiglu_alpha": (None, 1.702),
    "swiglu_limit": (None, 7.0),
}


def config_from_hugging_face(
    path: Path, values: Mapping[str, object]
) -> tuple[Family, DecoderConfig]:
    """Read a config.json: the family it is of, and its shape.

    Raises:
        ModelFileError: an unknown architecture, a missing key, or sizes that do not fit together.
    """
    family = _family(path, values)
    keys = Keys(path, {**family.defaults, **values})
    for key, harmless in _ONLY.items():
        if keys.values.get(key) not in harmless:
            raise ModelFileError(path, f"{key} {keys.values[key]!r} is not supported")
    width, heads = keys.integer("hidden_size"), keys.integer("num_attention_heads")
    layers = keys.integer("num_hidden_layers")
    rope = _rope_table(keys, "full_attention")
    reaches = _reaches(keys, family, min(layers, 1_000))
    config = DecoderConfig(
        vocabulary=keys.integer("vocab_size"),
        width=width,
        layers=layers,
        query_heads=heads,
        kv_heads=keys.integer("num_key_value_heads", heads),
        head_size=keys.integer("head_dim", width // max(heads, 1)),
        hidden=keys.integer("intermediate_size"),
        context=keys.integer("max_position_embeddings"),
        rope_base=rope.number("rope_theta", keys.number("rope_theta", 10_000.0)),
        norm_epsilon=keys.number("rms_norm_eps"),
        tied_head=keys.flag("tie_word_embeddings"),
        rope_scaling=_rope_scaling(keys, rope),
        local_rope_base=_local_rope_base(keys, reaches),
        attention=_attention(keys, family),
        reaches=reaches,
        activation=_activation(keys, family),
        experts=_experts(keys) if family.has_experts else None,
        post_norms=family.post_norms,
        multipliers=_multipliers(keys, family, width),
    )
    return family, checked(path, config)


def _family(path: Path, values: Mapping[str, object]) -> Family:
    architectures = values.get("architectures")
    named = architectures[0] if isinstance(architectures, list) and architectures else None
    family = family_of_architecture(named) if isinstance(named, str) else None
    if family is None:
        known = ", ".join(name for family in FAMILIES for name in family.architectures)
        raise ModelFileError(path, f"architectures {architectures!r}, only {known}")
    return family


def _attention(keys: Keys, family: Family) -> Attention:
    asked = family.bias == "asked" and keys.flag("attention_bias")
    scalar = keys.optional_number("query_pre_attn_scalar")
    return Attention(
        bias=asked or family.bias == "qkv",
        out_bias=asked,
        head_norms=family.head_norms,
        sinks=family.sinks,
        scale=None if scalar is None else scalar**-0.5,
        cap=keys.optional_number("attn_logit_softcapping"),
        temperature_from=keys.optional_size("attn_temperature_len"),
    )


def _multipliers(keys: Keys, family: Family, width: int) -> Multipliers:
    embedding = float(width) ** 0.5 if family.scales_embedding else 1.0
    return Multipliers(
        embedding=keys.number("embedding_multiplier_scale", embedding),
        logits=keys.number("output_multiplier_scale", 1.0),
        logits_cap=keys.optional_number("final_logit_softcapping"),
    )


def _activation(keys: Keys, family: Family) -> Activation:
    if family.activation is not None:
        return family.activation
    name = keys.word("hidden_activation", keys.word("hidden_act", "silu"))
    if name not in _ACTIVATIONS:
        known = ", ".join(_ACTIVATIONS)
        raise ModelFileError(keys.path, f"activation {name!r} is not supported, only {known}")
    return _ACTIVATIONS[name]


def _experts(keys: Keys) -> Experts:
    return Experts(
        count=keys.integer("num_local_experts", keys.integer("num_experts", 0)),
        used=keys.integer("num_experts_per_tok"),
        hidden=keys.integer("moe_intermediate_size", keys.integer("intermediate_size")),
        renormalise=keys.flag("norm_topk_prob"),
        cap=keys.optional_number("router_logit_softcapping"),
        bias="swiglu_limit" in keys.values,
        beside_mlp=keys.flag("residual_moe"),
    )


def _reaches(keys: Keys, family: Family, layers: int) -> tuple[Reach, ...]:
    """What each layer looks at; nothing if all look at everything with the same RoPE."""
    slides = _sliding(keys, family, layers)
    window = keys.optional_size("sliding_window") if any(slides) else None
    if keys.values.get("use_sliding_window") is False:
        window = None
    has_rope = _has_rope(keys, layers)
    has_local = family.name == "gemma3"
    reaches = tuple(
        Reach(
            window=window if sliding else None,
            rope="none" if not turned else "local" if sliding and has_local else "main",
        )
        for sliding, turned in zip(slides, has_rope, strict=True)
    )
    return reaches if any(reach != Reach() for reach in reaches) else ()


def _sliding(keys: Keys, family: Family, layers: int) -> list[bool]:
    kinds = keys.each_layer("layer_types", layers)
    if kinds is not None and family.slides != "every":
        for kind in kinds:
            if kind not in ("sliding_attention", "full_attention"):
                raise ModelFileError(keys.path, f"layer type {kind!r} is not supported")
        return [kind == "sliding_attention" for kind in kinds]
    match family.slides:
        case "every":
            return [True] * layers
        case "late":
            first = keys.integer("max_window_layers")
            return [layer >= first for layer in range(layers)]
        case "pattern":
            step = max(keys.integer("sliding_window_pattern"), 1)
            return [(layer + 1) % step != 0 for layer in range(layers)]
    return [False] * layers


def _has_rope(keys: Keys, layers: int) -> list[bool]:
    listed = keys.each_layer("no_rope_layers", layers)
    if listed is not None:
        return [bool(value) for value in listed]
    step = keys.optional_size("no_rope_layer_interval")
    return [step is None or (layer + 1) % step != 0 for layer in range(layers)]


def _rope_table(keys: Keys, kind: str) -> Keys:
    """Where RoPE is described: a table of its own since transformers 5, one for each kind of layer
    where they differ; before, the top level and `rope_scaling`."""
    told = keys.table("rope_parameters") or keys.table("rope_scaling") or Keys(keys.path, {})
    return told.table(kind) or told


def _local_rope_base(keys: Keys, reaches: tuple[Reach, ...]) -> float | None:
    if not any(reach.rope == "local" for reach in reaches):
        return None
    table = _rope_table(keys, "sliding_attention")
    is_own = "full_attention" in (keys.table("rope_parameters") or keys).values
    if is_own and table.word("rope_type", "default") != "default":
        raise ModelFileError(keys.path, "scaled RoPE in sliding layers is not supported")
    told = keys.number("rope_local_base_freq", 10_000.0)
    return table.number("rope_theta", told) if is_own else told


def _rope_scaling(keys: Keys, rope: Keys) -> RopeScaling | None:
    kind = rope.word("rope_type", rope.word("type", keys.word("rope_type", "default")))
    trained = keys.integer("max_position_embeddings")
    match kind:
        case "default" | "original":  # Grok-2 says the second
            return None
        case "linear":
            return Linear(rope.number("factor"))
        case "dynamic":
            return Dynamic(rope.number("factor"), trained)
        case "llama3":
            return _llama_3(rope)
        case "yarn":
            return _yarn(rope, trained)
    raise ModelFileError(
        keys.path,
        f"rope scaling {kind!r} is not supported, only linear, dynamic, llama3 and yarn",
    )


def _llama_3(rope: Keys) -> Llama3:
    low, high = rope.number("low_freq_factor"), rope.number("high_freq_factor")
    if high <= low:
        raise ModelFileError(rope.path, f"high_freq_factor {high} is not above low_freq_factor")
    original = rope.integer("original_max_position_embeddings")
    return Llama3(rope.number("factor"), low, high, original)


def _yarn(rope: Keys, trained: int) -> Yarn:
    original = rope.integer("original_max_position_embeddings", trained)
    factor = rope.number("factor", trained / max(original, 1))
    amplitude = rope.optional_number("attention_factor")
    if amplitude is None:
        above, below = rope.optional_number("mscale"), rope.optional_number("mscale_all_dim")
        amplitude = yarn_amplitude(factor)
        if above is not None and below is not None:
            amplitude = yarn_amplitude(factor, above) / yarn_amplitude(factor, below)
    return Yarn(
        factor=factor,
        original_context=original,
        amplitude=amplitude,
        fast_turns=rope.number("beta_fast", 32.0),
        slow_turns=rope.number("beta_slow", 1.0),
        whole_pairs=rope.values.get("truncate", True) is not False,
    )
