"""Sizes against what was published about each model."""

import pytest

from fairwitness.planner.shapes import (
    active_weights,
    find_shape,
    known_shapes,
    kv_token_bytes,
    weights,
)

# Published totals, in 1e9; tolerance is half of the last printed digit unless said.
PUBLISHED = [
    ("bloom", 176.247, 0.0005),  # model card: 176,247,271,424
    ("deepseek-v3", 671.0, 0.5),  # arXiv 2412.19437
    ("gemma-2-27b", 27.2, 0.05),  # safetensors header on the hub
    ("gemma-2-9b", 9.24, 0.005),
    ("grok-1", 314.0, 0.006 * 314),  # "314B"; the published shapes hold 315.7, 0.54 % more
    ("llama-2-7b", 6.738, 0.0005),
    ("llama-2-13b", 13.016, 0.0005),
    ("llama-2-70b", 68.977, 0.0005),
    ("llama-3.1-8b", 8.03, 0.005),
    ("llama-3.1-70b", 70.55, 0.005),
    ("llama-3.1-405b", 405.9, 0.05),
    ("mixtral-8x7b", 46.7, 0.05),
    ("mixtral-8x22b", 140.6, 0.05),
    ("palm-540b", 540.35, 0.01),
    ("qwen2.5-7b", 7.6156, 0.00005),
    ("qwen2.5-72b", 72.7, 0.05),
    ("qwen3-235b-a22b", 235.0, 0.5),
    ("smollm2-135m", 0.1345, 0.00005),
]
ACTIVE = [
    ("deepseek-v3", 37.0, 0.6),  # published 37; 36.6 without the table that is only looked up
    ("grok-1", 83.8, 0.05),
    ("grok-2", 114.9, 0.05),
    ("mixtral-8x7b", 12.9, 0.05),
    ("mixtral-8x22b", 39.0, 0.2),
    ("qwen3-235b-a22b", 22.0, 0.5),
]


@pytest.mark.parametrize(("name", "billions", "tolerance"), PUBLISHED)
def test_all_weights(name: str, billions: float, tolerance: float) -> None:
    assert weights(find_shape(name)).total / 1e9 == pytest.approx(billions, abs=tolerance)


@pytest.mark.parametrize(("name", "billions", "tolerance"), ACTIVE)
def test_active_weights(name: str, billions: float, tolerance: float) -> None:
    assert active_weights(find_shape(name)) / 1e9 == pytest.approx(billions, abs=tolerance)


def test_gpt_1_and_gpt_3_without_biases_are_the_papers_sizes() -> None:
    # 12 L d^2 + V d + S d
    assert weights(find_shape("gpt-1")).matrices == 12 * 12 * 768**2 + (40478 + 512) * 768
    assert round(weights(find_shape("gpt-1")).matrices / 1e6, 1) == 116.4
    assert round(weights(find_shape("gpt-3")).matrices / 1e9, 1) == 174.6


def test_grok_1_part_by_part() -> None:
    counted = weights(find_shape("grok-1"))
    assert counted.embeddings == 131072 * 6144
    assert counted.routers == 64 * 6144 * 8
    assert counted.experts == 64 * 8 * 3 * 6144 * 32768
    assert counted.attention == 64 * 2 * 6144 * 128 * (48 + 8)
    assert counted.small == 64 * 4 * 6144 + 6144
    assert round(counted.total / 1e9, 1) == 315.7


@pytest.mark.parametrize(
    ("name", "kv_bytes"),
    # 61 x 576 x 2; GQA 2 L kv d x 2 (arXiv 2505.09343, table 1, prints 70, 327 and 516 kB)
    [
        ("deepseek-v3", 70_272),
        ("qwen2.5-72b", 327_680),
        ("llama-3.1-405b", 516_096),
        ("grok-1", 262_144),
    ],
)
def test_kv_bytes_of_a_token(name: str, kv_bytes: int) -> None:
    assert kv_token_bytes(find_shape(name), 2) == kv_bytes


@pytest.mark.parametrize("name", known_shapes())
def test_every_shipped_shape_has_a_source_and_sane_parts(name: str) -> None:
    shape = find_shape(name)
    counted = weights(shape)
    assert shape.source
    assert counted.total == counted.layers + counted.embeddings
    assert counted.matrices + counted.small == counted.total
    assert active_weights(shape) <= counted.total
    assert (active_weights(shape) == counted.total) == (shape.experts is None)
