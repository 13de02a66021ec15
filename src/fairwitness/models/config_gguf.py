"""From the metadata of a GGUF file to the decoder's config.

Keys: docs/gguf.md of github.com/ggml-org/ggml; what an architecture means by them, and what it
leaves to its readers: src/llama-model.cpp of github.com/ggml-org/llama.cpp, for Grok
src/models/grok.cpp and conversion/grok.py there.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from math import isclose
from pathlib import Path

from fairwitness.models.config import Attention, DecoderConfig, Experts, Multipliers, Reach, checked
from fairwitness.models.errors import ModelFileError
from fairwitness.models.families import FAMILIES, GGUF, Family, family_of_gguf
from fairwitness.models.grok import GROK_1
from fairwitness.models.keys import Keys
from fairwitness.models.rope import Linear, RopeScaling, Yarn, yarn_amplitude

# Layers of the Gemmas of 27 billion weights: their scores are scaled by width, not by head.
_GEMMA_27B_LAYERS = {"gemma2": 46, "gemma3": 62}
_SLIDING_PATTERN = {"gemma2": 2, "gemma3": 6, "gpt-oss": 2}
_NO_ROPE_STEP = 4  # of SmolLM3; no key tells it


def config_from_gguf(
    path: Path, metadata: Mapping[str, object], vocabulary: int, tensors: Set[str]
) -> tuple[Family, DecoderConfig]:
    """Read the keys of a GGUF file that has `tensors`: the family it is of, and its shape.

    Raises:
        ModelFileError: an unknown architecture, a missing key, or sizes that do not fit together.
    """
    architecture = metadata.get("general.architecture")
    family = family_of_gguf(architecture) if isinstance(architecture, str) else None
    if family is None or family.gguf is None:
        known = ", ".join(sorted({repr(each.gguf) for each in FAMILIES if each.gguf}))
        raise ModelFileError(path, f"architecture {architecture!r} is not supported, only {known}")
    prefix = f"{family.gguf}."
    keys = Keys(path, {key.removeprefix(prefix): value for key, value in metadata.items()})
    width, heads = keys.integer("embedding_length"), keys.integer("attention.head_count")
    head_size = keys.integer("attention.key_length", width // max(heads, 1))
    if keys.integer("rope.dimension_count", head_size) != head_size:
        raise ModelFileError(path, "RoPE over a part of the head is not supported")
    if family.name == "grok-1" and GGUF["gate"].format(0) in tensors:
        raise ModelFileError(path, "Grok-2 in GGUF is not supported")
    layers, experts = keys.integer("block_count"), _experts(keys, family)
    reaches = _reaches(keys, family, min(layers, 1_000))
    config = DecoderConfig(
        vocabulary=vocabulary,
        width=width,
        layers=layers,
        query_heads=heads,
        kv_heads=keys.integer("attention.head_count_kv", heads),
        head_size=head_size,
        hidden=keys.integer("feed_forward_length", experts.hidden if experts else None),
        context=keys.integer("context_length"),
        rope_base=keys.number("rope.freq_base", 10_000.0),
        norm_epsilon=keys.number("attention.layer_norm_rms_epsilon"),
        tied_head=GGUF["head"] not in tensors,
        rope_scaling=_rope_scaling(keys, family),
        local_rope_base=_local_rope_base(keys, reaches),
        attention=_attention(keys, family, tensors, width / max(heads, 1), layers, head_size),
        reaches=reaches,
        activation=family.activation or ("gelu_tanh" if family.scales_embedding else "silu"),
        experts=experts,
        post_norms=family.post_norms,
        multipliers=_multipliers(keys, family, width),
    )
    return family, checked(path, config)


def _multipliers(keys: Keys, family: Family, width: int) -> Multipliers:
    """Old files of Grok-1 leave its constants out."""
    cap = keys.optional_number("final_logit_softcapping")
    if family.name != "grok-1":
        return Multipliers(width**0.5 if family.scales_embedding else 1.0, logits_cap=cap)
    usual = GROK_1.multipliers
    return Multipliers(
        keys.number("embedding_scale", usual.embedding),
        keys.number("logit_scale", usual.logits),
        cap,
    )


def _attention(
    keys: Keys, family: Family, tensors: Set[str], share: float, layers: int, head_size: int
) -> Attention:
    is_27b = _GEMMA_27B_LAYERS.get(family.name) == layers
    scale, usual_cap = share**-0.5 if is_27b else None, None
    if family.name == "grok-1":  # its "output" is the scores
        told, usual_cap = keys.optional_number("attention.output_scale"), GROK_1.attention.cap
        usual = max(head_size, 1) ** -0.5
        is_usual = told is None or isclose(told, usual, rel_tol=1e-6)  # told as float32
        scale = None if is_usual else told
    cap = keys.optional_number("attn_logit_softcapping")
    return Attention(
        bias=GGUF["query_bias"].format(0) in tensors,
        out_bias=GGUF["out_bias"].format(0) in tensors,
        head_norms=family.head_norms,
        sinks=family.sinks,
        scale=scale,
        cap=usual_cap if cap is None else cap,
    )


def _experts(keys: Keys, family: Family) -> Experts | None:
    count = keys.integer("expert_count", 0)
    if count == 0:
        return None
    return Experts(
        count=count,
        used=keys.integer("expert_used_count"),
        hidden=keys.integer("expert_feed_forward_length", keys.integer("feed_forward_length", 0)),
        # No key tells it. Nor does the one for a router's cap: Grok-1 has none, and llama.cpp's
        # converter writes 30 for it, which nothing there reads.
        renormalise=family.name != "grok-1",
        bias="router_bias" in family.gguf_tensors,
    )


def _reaches(keys: Keys, family: Family, layers: int) -> tuple[Reach, ...]:
    if family.name == "smollm3":
        return tuple(
            Reach(rope="none" if (layer + 1) % _NO_ROPE_STEP == 0 else "main")
            for layer in range(layers)
        )
    window = keys.optional_size("attention.sliding_window")
    if window is None:
        return ()
    near = Reach(window, rope="local" if family.name == "gemma3" else "main")
    slides = keys.each_layer("attention.sliding_window_pattern", layers, or_number=True)
    if slides is None:
        step = keys.integer(
            "attention.sliding_window_pattern", _SLIDING_PATTERN.get(family.name, 0)
        )
        slides = [step == 0 or (layer + 1) % step for layer in range(layers)]
    return tuple(near if each else Reach() for each in slides)


def _local_rope_base(keys: Keys, reaches: tuple[Reach, ...]) -> float | None:
    if not any(reach.rope == "local" for reach in reaches):
        return None
    return keys.number("rope.freq_base_swa", 10_000.0)


def _rope_scaling(keys: Keys, family: Family) -> RopeScaling | None:
    """Llama 3's rule is no key here: its converter writes a tensor of factors."""
    kind = keys.word("rope.scaling.type", "none")
    match kind:
        case "none":
            return None
        case "linear":
            return Linear(keys.number("rope.scaling.factor"))
        case "yarn":
            factor = keys.number("rope.scaling.factor")
            return Yarn(
                factor=factor,
                original_context=keys.integer("rope.scaling.original_context_length"),
                amplitude=yarn_amplitude(factor) * keys.number("rope.scaling.attn_factor", 1.0),
                fast_turns=keys.number("rope.scaling.yarn_beta_fast", 32.0),
                slow_turns=keys.number("rope.scaling.yarn_beta_slow", 1.0),
                whole_pairs=family.name != "gpt-oss",  # no key tells it
            )
    raise ModelFileError(keys.path, f"rope scaling {kind!r} is not supported")
