"""Grok-2 in float64 numpy, one head, one token and one expert at a time.

Written from config.json of xai-org/grok-2 and from python/sglang/srt/models/grok.py of
sgl-project/sglang, with which its authors serve it; from nothing of ours.
"""

import numpy as np
from spread import spread

WIDTH, LAYERS, HEADS, KV_HEADS, HEAD, HIDDEN, EXPERT, EXPERTS, USED = 32, 2, 4, 2, 16, 48, 24, 4, 2
CONFIG = {
    "architectures": ["Grok1ForCausalLM"],
    "embedding_multiplier_scale": 5.656854249492381,
    "output_multiplier_scale": 0.5,
    "vocab_size": 96,
    "hidden_size": WIDTH,
    "intermediate_size": HIDDEN,
    "moe_intermediate_size": EXPERT,
    "max_position_embeddings": 64,
    "num_experts_per_tok": USED,
    "num_local_experts": EXPERTS,
    "residual_moe": True,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "num_hidden_layers": LAYERS,
    "head_dim": HEAD,
    "rms_norm_eps": 1e-5,
    "final_logit_softcapping": 2,  # low caps, so that they show in a tiny model
    "attn_logit_softcapping": 1.5,
    "router_logit_softcapping": 1.0,
    "rope_theta": 208533496,
    "attn_temperature_len": 8,
    "sliding_window_size": -1,
    "global_attn_every_n": 1,
    "rope_type": "original",
    "original_max_position_embeddings": 16,
    "scaling_factor": 16.0,
    "extrapolation_factor": 1.0,
    "attn_factor": 1.0,
    "beta_fast": 8,
    "beta_slow": 1,
}
TOKENS = np.random.default_rng(4).integers(3, 96, 24)


def shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor of the tiny model, as the checkpoint names it once its shards are joined."""
    told = {"model.embed_tokens.weight": (96, WIDTH), "lm_head.weight": (96, WIDTH)}
    told["model.norm.weight"] = (WIDTH,)
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for norm in ("pre_attn", "post_attn", "pre_moe", "post_moe"):
            told[f"{prefix}{norm}_norm.weight"] = (WIDTH,)
        told[prefix + "self_attn.q_proj.weight"] = (HEADS * HEAD, WIDTH)
        told[prefix + "self_attn.k_proj.weight"] = (KV_HEADS * HEAD, WIDTH)
        told[prefix + "self_attn.v_proj.weight"] = (KV_HEADS * HEAD, WIDTH)
        told[prefix + "self_attn.o_proj.weight"] = (WIDTH, HEADS * HEAD)
        told[prefix + "mlp.gate_proj.weight"] = (HIDDEN, WIDTH)
        told[prefix + "mlp.up_proj.weight"] = (HIDDEN, WIDTH)
        told[prefix + "mlp.down_proj.weight"] = (WIDTH, HIDDEN)
        told[prefix + "block_sparse_moe.gate.weight"] = (EXPERTS, WIDTH)
        for expert in range(EXPERTS):
            each = f"{prefix}block_sparse_moe.experts.{expert}."
            told |= {each + "w1.weight": (EXPERT, WIDTH), each + "w3.weight": (EXPERT, WIDTH)}
            told[each + "w2.weight"] = (WIDTH, EXPERT)
    return told


def reference() -> np.ndarray:
    """Float64 logits of every position of TOKENS."""
    wide = {name: spread(name, shape).astype(np.float64) for name, shape in shapes().items()}
    x = wide["model.embed_tokens.weight"][TOKENS] * CONFIG["embedding_multiplier_scale"]
    for layer in range(LAYERS):
        own = {
            name.removeprefix(f"model.layers.{layer}.").removesuffix(".weight"): weight
            for name, weight in wide.items()
            if name.startswith(f"model.layers.{layer}.")
        }
        x = x + norm(attention(norm(x, own["pre_attn_norm"]), own), own["post_attn_norm"])
        x = x + norm(feed(norm(x, own["pre_moe_norm"]), own), own["post_moe_norm"])
    logits = norm(x, wide["model.norm.weight"]) @ wide["lm_head.weight"].T
    return capped(logits * CONFIG["output_multiplier_scale"], CONFIG["final_logit_softcapping"])


def norm(x, scale):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + CONFIG["rms_norm_eps"]) * scale


def capped(x, cap):
    return cap * np.tanh(x / cap)


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def turned(vector, position):
    """Rotate-half RoPE of one head, by complex numbers."""
    half = HEAD // 2
    angles = position * CONFIG["rope_theta"] ** (-np.arange(half) / half)
    waves = (vector[:half] + 1j * vector[half:]) * np.exp(1j * angles)
    return np.concatenate([waves.real, waves.imag])


def attention(x, own):
    q, k, v = (x @ own[f"self_attn.{each}_proj"].T for each in "qkv")
    mixed = np.zeros((len(x), HEADS * HEAD))
    for head in range(HEADS):
        ours = slice(head * HEAD, (head + 1) * HEAD)
        group = head // (HEADS // KV_HEADS)
        shared = slice(group * HEAD, (group + 1) * HEAD)
        keys = np.array([turned(k[position, shared], position) for position in range(len(x))])
        for position in range(len(x)):
            scores = keys[: position + 1] @ turned(q[position, ours], position) / np.sqrt(HEAD)
            scores = capped(scores, CONFIG["attn_logit_softcapping"])
            if position > CONFIG["attn_temperature_len"]:
                scores *= np.log2(position) / np.log2(CONFIG["attn_temperature_len"])
            weight = np.exp(scores - scores.max())
            mixed[position, ours] = weight / weight.sum() @ v[: position + 1, shared]
    return mixed @ own["self_attn.o_proj"].T


def feed(x, own):
    dense = gelu(x @ own["mlp.gate_proj"].T) * (x @ own["mlp.up_proj"].T) @ own["mlp.down_proj"].T
    return (dense + np.array([routed(row, own) for row in x])) / np.sqrt(2)


def routed(row, own):
    scores = capped(own["block_sparse_moe.gate"] @ row, CONFIG["router_logit_softcapping"])
    shares = np.exp(scores) / np.exp(scores).sum()
    given = np.zeros(WIDTH)
    for expert in np.argsort(-shares)[:USED]:
        w1, w2, w3 = (own[f"block_sparse_moe.experts.{expert}.w{number}"] for number in (1, 2, 3))
        given += shares[expert] * (w2 @ (gelu(w1 @ row) * (w3 @ row)))
    return given
