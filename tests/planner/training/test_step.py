"""Memory and time of a step: published steps, and what must hold of any mesh."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.planner.device import Device, Reached
from fairwitness.planner.shapes import find_shape, weights
from fairwitness.planner.training.memory import (
    chip_memory,
    chip_weights,
    layer_activation_bytes,
    megatron_activation_bytes,
    megatron_state_bytes,
)
from fairwitness.planner.training.mesh import Job, Mesh
from fairwitness.planner.training.search import DoesNotFit, at, candidates, find_mesh
from fairwitness.planner.training.step import copies, step_time, utilisation

GIB = 2**30
H100 = Device(989e12, 80 * GIB, 3.35e12, 450e9, 8, 50e9)
IDEAL = Reached(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0)

# arXiv 2205.05198, figure 1, as read by calculon's validation.py: activations of the first stage
# with all kept and with selective recomputing, and states; tensor parallel 8.
MEGATRON = [
    ("megatron-22b", 1, 1, 4, 59.25, 9.5625, 45.5625),
    ("megatron-175b", 8, 3, 1, 66.84375, 12.3515625, 45.5625),
    ("megatron-530b", 35, 3, 1, 114.0234375, 23.076171875, 31.640625),
    ("megatron-1t", 64, 1, 1, 131.25, 26.5625, 32.958984375),
]


@pytest.mark.parametrize(
    ("name", "stages", "chunks", "micro", "whole", "selective", "states"), MEGATRON
)
def test_megatrons_memory_is_exact(
    name: str,
    stages: int,
    chunks: int,
    micro: int,
    whole: float,
    selective: float,
    states: float,
) -> None:
    shape = find_shape(name)
    kept = [
        megatron_activation_bytes(shape, 8, stages, chunks, micro, selective=way) / GIB
        for way in (False, True)
    ]
    assert kept == pytest.approx([whole, selective], rel=1e-9)
    assert megatron_state_bytes(shape, 8, stages) / GIB == pytest.approx(states, rel=1e-9)


def test_a_layer_of_gpt_3_keeps_the_papers_bytes_but_for_dropout() -> None:
    shape = find_shape("gpt-3")
    masks = 2 * shape.width
    assert layer_activation_bytes(shape) + masks == 34 * shape.width
    with_scores = layer_activation_bytes(shape, 0, 2048) - layer_activation_bytes(shape)
    assert with_scores == 5 * 96 * 2048


@given(
    st.sampled_from(["llama-3.1-8b", "mixtral-8x7b", "deepseek-v3", "grok-1"]),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([1, 3]),
)
def test_chips_hold_the_whole_model_and_little_twice(
    name: str, tensor: int, expert: int, sharding: int
) -> None:
    shape = find_shape(name)
    expert = expert if shape.experts else 1
    mesh = Mesh(float(expert), float(tensor), 1.0, 1.0, float(expert), sharding=sharding)
    dense, routed = chip_weights(shape, mesh)
    counted = weights(shape)
    small = counted.small + counted.routers
    assert (dense - small) * tensor + small == pytest.approx(counted.total - counted.experts)
    assert routed * tensor * expert == pytest.approx(counted.experts)
    memory = chip_memory(Job(shape, 1024, 8), mesh)
    parts = [getattr(memory, field.name) for field in dataclasses.fields(memory)]
    assert sum(parts) == pytest.approx(float(memory.total))


@given(st.integers(0, 10**9), st.sampled_from(["llama-3.1-8b", "mixtral-8x7b"]))
@settings(max_examples=50)
def test_parts_of_a_step_add_up_on_any_mesh(place: int, name: str) -> None:
    job = Job(find_shape(name), 4096, 64)
    meshes = candidates(job, 256, H100)
    mesh = at(meshes, place % len(meshes.data))
    taken = step_time(job, mesh, H100, Reached())
    assert sum(float(part) for part in taken.parts().values()) == pytest.approx(
        float(taken.total_s)
    )
    assert all(float(part) >= 0 for part in taken.parts().values())
    assert 0 < utilisation(job, taken.total_s, mesh.chips, H100) <= 1
    assert mesh.chips <= 256
    assert mesh.data * mesh.context % mesh.expert == 0


@given(st.integers(0, 9), st.sampled_from(["llama-3.1-8b", "mixtral-8x7b"]))
@settings(max_examples=20)
def test_more_chips_are_never_slower_where_links_are_ideal(power: int, name: str) -> None:
    fast = dataclasses.replace(
        H100, memory_bytes=1e15, scale_up_bytes_per_s=1e18, scale_out_bytes_per_s=1e18
    )
    job = Job(find_shape(name), 4096, 1024)
    fewer = find_mesh(job, 2**power, fast, IDEAL).step_s
    more = find_mesh(job, 2 ** (power + 1), fast, IDEAL).step_s
    assert more <= fewer * (1 + 1e-9)


def test_ideal_chips_reach_their_peak() -> None:
    fast = dataclasses.replace(H100, memory_bytes=1e15, memory_bytes_per_s=1e18)
    job = Job(find_shape("llama-3.1-8b"), 8, 64)  # short, so that attention is nothing
    taken = step_time(job, Mesh(1.0), fast, IDEAL)
    assert utilisation(job, taken.total_s, 1, fast) == pytest.approx(1, abs=2e-3)


def test_what_does_not_fit_says_what_is_missing() -> None:
    job = Job(find_shape("llama-3.1-70b"), 8192, 64)
    with pytest.raises(DoesNotFit, match=r"79\.2 GB are missing .moments 105.8 GB") as caught:
        find_mesh(job, 8, H100, Reached())
    roomy = dataclasses.replace(H100, memory_bytes=H100.memory_bytes + caught.value.missing_bytes)
    assert find_mesh(job, 8, roomy, Reached()).fitted >= 1


def test_the_mesh_that_is_found_fits_and_beats_the_published_one() -> None:
    job = Job(find_shape("llama-3.1-405b"), 8192, 2048)
    found = find_mesh(job, 16_384, H100, Reached())
    assert float(chip_memory(job, found.mesh).total) <= 80 * GIB - 4e9
    theirs = Mesh(128.0, 8.0, 16.0, chunks=8.0)  # arXiv 2407.21783, table 4
    assert found.step_s <= float(step_time(job, theirs, H100, Reached()).total_s)


def test_tokens_travel_once_to_each_domain_that_holds_an_expert() -> None:
    experts = find_shape("deepseek-v3").experts
    assert experts is not None
    assert copies(experts, 1.0) == 8
    assert copies(experts, 8.0) == 4  # routing allows four groups
    mixtral = find_shape("mixtral-8x7b").experts
    assert mixtral is not None
    assert copies(mixtral, 8.0) == pytest.approx(8 * (1 - (7 / 8) ** 2))
