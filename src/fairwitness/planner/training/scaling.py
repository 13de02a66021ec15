"""Loss from model size and data, and back: which model, how many tokens, how much compute.

L(N, D) = E + A / N^a + B / D^b (arXiv 2203.15556, approach 3). Coefficients are those of the
replication (arXiv 2404.10102), which corrected the first fit. Losses are nats a token on the data
and tokenizer of that experiment: differences between two plans mean more than either number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairwitness.planner.ranges import Number


@dataclass(frozen=True)
class ScalingLaw:
    """Irreducible loss, and a power law in weights and in tokens."""

    floor: Number
    size_scale: Number
    data_scale: Number
    size_power: Number
    data_power: Number


REPLICATED = ScalingLaw(1.8172, 482.01, 2085.43, 0.3478, 0.3658)  # arXiv 2404.10102
FIRST = ScalingLaw(1.69, 406.4, 410.7, 0.34, 0.28)  # arXiv 2203.15556

# Standard errors of the replication: floor 0.03, both powers 0.02.
FLOOR_ERROR = 0.03
POWER_ERROR = 0.02
# The experiment's middle: the two terms are best known there, so powers turn about it.
_MIDDLE_SIZE = 1e9
_MIDDLE_TOKENS = 2e10


def uncertain_law(floor_z: Number, size_z: Number, data_z: Number) -> ScalingLaw:
    """The replicated law, moved by so many standard errors.

    A power and its scale were fitted together and are known far better together than apart. We
    keep each term's value in the middle of the experiment and let the power turn about it.
    """
    law = REPLICATED
    size_power = law.size_power + POWER_ERROR * size_z
    data_power = law.data_power + POWER_ERROR * data_z
    return ScalingLaw(
        law.floor + FLOOR_ERROR * floor_z,
        law.size_scale * _MIDDLE_SIZE ** (size_power - law.size_power),
        law.data_scale * _MIDDLE_TOKENS ** (data_power - law.data_power),
        size_power,
        data_power,
    )


def loss(law: ScalingLaw, parameters: Number, tokens: Number) -> Number:
    """Expected loss after training."""
    return (
        law.floor
        + law.size_scale / parameters**law.size_power
        + law.data_scale / tokens**law.data_power
    )


def best_size(law: ScalingLaw, flops: Number) -> tuple[Number, Number]:
    """(parameters, tokens) of the lowest loss for a budget C = 6 N D."""
    powers = law.size_power + law.data_power
    ratio = law.size_power * law.size_scale / (law.data_power * law.data_scale)
    parameters = ratio ** (1 / powers) * (flops / 6) ** (law.data_power / powers)
    return parameters, flops / 6 / parameters


def tokens_for(law: ScalingLaw, parameters: Number, target: Number) -> Number:
    """Tokens after which a model reaches a loss; infinite where it never does."""
    left = target - law.floor - law.size_scale / parameters**law.size_power
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = (law.data_scale / np.maximum(left, 0.0)) ** (1 / law.data_power)
    tokens: Number = np.where(np.asarray(left) > 0, needed, np.inf)
    return tokens
