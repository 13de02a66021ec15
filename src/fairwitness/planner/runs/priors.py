"""Published figures that must lie in an interval made without them: (low, middle, high) by id."""

from __future__ import annotations

from fairwitness.planner.runs.share import chip_hours, expected_share
from fairwitness.planner.shapes import active_weights, find_shape, simple_training_flops

Interval = tuple[float, float, float]

# id: shape, tokens, peak, and the part of a name that marks the run itself and its kin
_HOURS = {
    "llama-3.1-405b-hours": ("llama-3.1-405b", 15.6e12, 989e12, "Llama 3.1"),
    "llama-3.1-70b-hours": ("llama-3.1-70b", 15e12, 989e12, "Llama 3"),
    "llama-3.1-8b-hours": ("llama-3.1-8b", 15e12, 989e12, "Llama 3"),
    "llama-3-70b-hours": ("llama-3.1-70b", 15e12, 989e12, "Llama 3"),
    "llama-3-8b-hours": ("llama-3.1-8b", 15e12, 989e12, "Llama 3"),
    "llama-2-70b-hours": ("llama-2-70b", 2e12, 312e12, "Llama 2"),
    "llama-2-13b-hours": ("llama-2-13b", 2e12, 312e12, "Llama 2"),
    "llama-2-7b-hours": ("llama-2-7b", 2e12, 312e12, "Llama 2"),
    "deepseek-v3-hours-prior": ("deepseek-v3", 14.8e12, 989e12, "DeepSeek"),
    "gpt-3-hours": ("gpt-3", 300e9, 125e12, "GPT-3"),
    "palm-hours": ("palm-540b", 780e9, 275e12, "PaLM"),
    "bloom-hours": ("bloom", 366e9, 312e12, "BLOOM"),
    "opt-hours": ("opt-175b", 300e9, 312e12, "OPT"),
}


def all_priors() -> dict[str, Interval]:
    """Every interval, by id."""
    found = {name: _hours(*run) for name, run in _HOURS.items()}
    return found | {
        "grok-3-days": _days(4.64e26, 100_000),
        "llama-3-failures": _failures(16_384, 54),
        "gb200-llama-2-70b": _offline(10_000e12),
        "b200-llama-2-70b": _offline(9_000e12),
    }


def _hours(name: str, tokens: float, peak_flops_per_s: float, without: str) -> Interval:
    active = active_weights(find_shape(name))
    flops = simple_training_flops(active, tokens)
    low, middle, high = expected_share(active, without)
    hours = (chip_hours(flops, peak_flops_per_s, share) for share in (high, middle, low))
    quick, usual, slow = (float(each) / 1e6 for each in hours)
    return quick, usual, slow


def _days(flops: float, chips: int) -> Interval:
    """A run of unknown size, taken as one of the largest, on H100 in bf16."""
    low, middle, high = expected_share(1e12, "Grok")
    hours = [float(chip_hours(flops, 989e12, share)) for share in (high, middle, low)]
    quick, usual, slow = (each / chips / 24 for each in hours)
    return quick, usual, slow


def _failures(chips: int, days: int) -> Interval:
    """Interruptions, at the rates of other clusters: 1.2e-5 a chip-hour (Meta's RSC-2, arXiv
    2410.21680) to 8.1e-5 (OPT, metaseq chronicles); the middle is geometric."""
    exposure = chips * days * 24
    return 1.2e-5 * exposure, (1.2e-5 * 8.1e-5) ** 0.5 * exposure, 8.1e-5 * exposure


def _offline(peak_flops_per_s: float) -> Interval:
    """Answer tokens a second and chip of a saturated server, prompts and answers alike long.

    Two tokens are computed for each answered; MFU of such servers is 0.25 to 0.55.
    """
    each = 2 * 2 * active_weights(find_shape("llama-2-70b"))
    low, middle, high = (peak_flops_per_s * share / each for share in (0.25, 0.4, 0.55))
    return low, middle, high
