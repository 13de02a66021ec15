"""Exchanges between chips: what rings and trees give, and which link a group is bound by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.planner.collectives import exchange_s, gather_s, link, reduce_s
from fairwitness.planner.device import Device, Reached

DEVICE = Device(1e15, 80e9, 3e12, 450e9, 8, 50e9)


def test_one_chip_exchanges_nothing() -> None:
    for collective in (gather_s, reduce_s, exchange_s):
        assert collective(1e9, 1.0, 1e9, 1e-3) == 0


def test_two_chips_send_each_other_half() -> None:
    assert gather_s(1e9, 2.0, 1e9, 0.0) == 0.5
    assert reduce_s(1e9, 2.0, 1e9, 0.0) == 1.0


def test_latency_grows_with_the_logarithm_of_a_group() -> None:
    assert gather_s(0.0, 8.0, 1e9, 1e-6) == pytest.approx(3e-6)
    assert gather_s(0.0, 16_384.0, 1e9, 1e-6) == pytest.approx(14e-6)


@given(st.floats(1, 1e12), st.integers(2, 100_000), st.floats(1e6, 1e12))
def test_larger_groups_slower_links_and_more_bytes_are_never_quicker(
    size_bytes: float, members: int, rate: float
) -> None:
    taken = gather_s(size_bytes, float(members), rate, 1e-6)
    assert gather_s(size_bytes, members + 1.0, rate, 1e-6) >= taken
    assert gather_s(size_bytes, float(members), rate / 2, 1e-6) >= taken
    assert gather_s(2 * size_bytes, float(members), rate, 1e-6) >= taken
    assert taken < size_bytes / rate + 17e-6  # a ring never moves more than all bytes once


def test_a_group_that_leaves_its_domain_is_as_fast_as_its_way_out() -> None:
    inside, outside = link(DEVICE, Reached(), 8.0), link(DEVICE, Reached(), 9.0)
    assert inside == (pytest.approx(450e9 * 0.75), 4e-6)
    assert outside == (pytest.approx(50e9 * 0.80), 10e-6)


def test_deepseeks_exchange_of_experts() -> None:
    # arXiv 2505.09343: 3 B x 32 tokens x 9 experts x 7,000 over 50 GB/s take 120.96 microseconds
    whole = exchange_s(3 * 32 * 9 * 7000, 1e9, 50e9, 0.0)
    assert whole == pytest.approx(120.96e-6)
