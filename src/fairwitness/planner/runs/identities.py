"""Published figures that closed formulas must give from the run's own inputs."""

from __future__ import annotations

from fairwitness.planner.shapes import (
    active_weights,
    find_shape,
    kv_token_bytes,
    simple_training_flops,
    weights,
)
from fairwitness.planner.training.failures import goodput, mean_time_between_s
from fairwitness.planner.training.memory import megatron_activation_bytes, megatron_state_bytes

_GIB = 2**30
# name: pipeline stages, chunks, micro-batch, batch, chips, seconds of a step (tensor parallel 8)
MEGATRON = {
    "22b": (1, 1, 4, 4, 8, 1.10),
    "175b": (8, 3, 1, 64, 64, 13.75),
    "530b": (35, 3, 1, 280, 280, 37.83),
    "1t": (64, 1, 1, 512, 512, 71.49),
}


def sizes() -> dict[str, float]:
    """Weights, caches and arithmetic."""
    found = {
        "grok-1-weights": weights(find_shape("grok-1")).total / 1e9,
        "gpt-1-weights": weights(find_shape("gpt-1")).matrices / 1e6,
        "gpt-3-weights": weights(find_shape("gpt-3")).matrices / 1e9,
        "llama-3.1-405b-flops": _flops("llama-3.1-405b", 15.6e12),
        "gpt-3-flops": _flops("gpt-3", 300e9),
        "palm-flops": _flops("palm-540b", 780e9),
        "opt-flops": _flops("opt-175b", 300e9) * 4 / 3,  # every layer was computed again
    }
    for name in ("deepseek-v3", "qwen2.5-72b", "llama-3.1-405b", "grok-1"):
        found[f"{name}-kv"] = kv_token_bytes(find_shape(name), 2)
    return found


def memory() -> dict[str, float]:
    """Megatron's first stages, and its MFU from measured steps."""
    found = {}
    for size, (stages, chunks, micro, batch, chips, step_s) in MEGATRON.items():
        shape = find_shape(f"megatron-{size}")
        kept = [
            megatron_activation_bytes(shape, 8, stages, chunks, micro, selective=way)
            for way in (False, True)
        ]
        found[f"megatron-{size}-activations"] = kept[0] / _GIB
        found[f"megatron-{size}-selective"] = kept[1] / _GIB
        found[f"megatron-{size}-states"] = megatron_state_bytes(shape, 8, stages) / _GIB
        # equation 6 of the paper: attention's whole matrix is counted, causal or not
        s, h, layers = shape.context, shape.width, shape.layers
        whole = 1 + s / (6 * h) + shape.vocabulary / (12 * h * layers)
        flops = 72 * batch * s * layers * h * h * whole
        found[f"megatron-{size}-mfu"] = flops / (step_s * chips * 312e12)
    return found


def energy() -> dict[str, float]:
    """Energy, carbon and money of whole runs, from their reported hours."""
    v3_hours = 2.664e6 + 0.119e6 + 0.005e6
    query_s = 2 * 100e9 * 500 / (989e12 * 0.1)
    found = {
        "gpt-3-energy": 10_000 * 14.8 * 24 * 330 * 1.1 / 1e6,
        "bloom-energy": 1_082_990 * 0.4,
        "bloom-carbon": 433_196 * 0.057 / 1000,
        "deepseek-v3-hours": v3_hours / 1e6,
        "deepseek-v3-cost": v3_hours * 2 / 1e6,
        "epoch-query-energy": query_s * 1275 * 1.2 * 0.7 / 3600,
        "llama-3.1-405b-cost": 30.84e6 * amortised_usd_per_chip_h(30_500) / 1e6,
    }
    # published intensities lie between 0.41 and 0.43 kg/kWh; the middle is used
    for name, hours, watts in LLAMA_HOURS:
        found[f"{name}-carbon"] = hours * watts / 1000 * 0.42 / 1000
    return found


LLAMA_HOURS = (
    ("llama-3.1-405b", 30.84e6, 700),
    ("llama-3.1-70b", 7.0e6, 700),
    ("llama-3.1-8b", 1.46e6, 700),
    ("llama-3-70b", 6.4e6, 700),
    ("llama-3-8b", 1.3e6, 700),
    ("llama-2-70b", 1_720_320, 400),
    ("llama-2-13b", 368_640, 400),
    ("llama-2-7b", 184_320, 400),
)


def failures() -> dict[str, float]:
    """Projections of failures, and what is left of time."""
    rsc_1 = 6.5 / 1000 / 24 / 8  # 6.5 per 1,000 node-days
    return {
        "rsc-1-16k-mttf": float(mean_time_between_s(rsc_1, 16_384)) / 3600,
        "rsc-1-131k-mttf": float(mean_time_between_s(rsc_1, 131_072)) / 3600,
        "llama-3-goodput": float(goodput(419 / (54 * 24 * 16_384), 16_384, 10, 360)[0]),
    }


def serving_day() -> dict[str, float]:
    """DeepSeek's day of serving, and its bound on decoding from expert exchange alone."""
    nodes = 608e9 / 86_400 / 73_700 + 168e9 / 86_400 / 14_800
    exchange_s = (1 + 2) * 32 * 9 * 7000  # fp8 there, bf16 back, 32 tokens, 9 experts, bytes
    return {
        "deepseek-day-cost": 226.75 * 8 * 2 * 24,
        "deepseek-day-revenue": 342e3 * 0.14 + 266e3 * 0.55 + 168e3 * 2.19,
        "deepseek-day-nodes": nodes,
        "deepseek-ep-bound-50": 1 / (2 * 61 * exchange_s / 50e9),
        "deepseek-ep-bound-900": 1 / (2 * 61 * exchange_s / 900e9),
    }


def amortised_usd_per_chip_h(chip_usd: float) -> float:
    """Epoch AI's amortised hour (arXiv 2405.21015): what a server loses in value while it runs,
    with its network and electricity. H100: server 1.64 of the chip, 0.14 decades a year, 19 %
    network, 1.275 kW at 0.75 and PUE 1.1, 0.0771 USD/kWh.
    """
    value = 1.64 * chip_usd
    lost = value * 2.302585 * 0.14 / (365.25 * 24)
    return lost / (1 - 0.19) + 1.275 * 0.75 * 1.1 * 0.0771


def _flops(name: str, tokens: float) -> float:
    return float(simple_training_flops(active_weights(find_shape(name)), tokens))


def all_identities() -> dict[str, float]:
    """Every computed figure, by id."""
    return sizes() | memory() | energy() | failures() | serving_day()
