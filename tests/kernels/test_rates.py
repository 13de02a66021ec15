"""Leaky buckets: natively and plainly the same, and deaf to clocks that jump."""

import random

import numpy as np
import pytest

from fairwitness.kernels import native, rates
from fairwitness.kernels.rates import MINUTE_MS

DAY_MS = 24 * 60 * MINUTE_MS


def counted(keys: list[int], seen_ms: list[int], table_keys: int = 64) -> list[int]:
    table = rates.empty_rates(table_keys)
    return rates.count(table, np.array(keys, np.uint64), np.array(seen_ms, np.int64), 30).tolist()


def test_natively_and_plainly_the_same_when_keys_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dice = random.Random(5)
    keys = [dice.choice((0, 2**64 - 1, dice.randrange(100))) for _ in range(3000)]
    seen_ms = [dice.choice((1, 50, DAY_MS)) * dice.randrange(-3, 1000) for _ in keys]
    natively = counted(keys, seen_ms, 16)
    monkeypatch.setattr(native, "library", lambda: None)
    assert natively == counted(keys, seen_ms, 16)


def test_who_keeps_to_the_rate_never_exceeds_it() -> None:
    assert max(counted([7] * 200, [2_000 * i for i in range(200)])) == 1


def test_who_says_forty_in_a_minute_is_heard() -> None:
    posts = counted([7] * 90, [667 * i for i in range(90)])
    assert posts[40] < 30 < posts[-1]


def test_after_a_silence_all_is_forgiven() -> None:
    assert counted([7] * 41, [0] * 40 + [10 * MINUTE_MS])[-1] == 1


def test_a_key_of_zero_is_nobody() -> None:
    assert counted([0] * 100, [0] * 100) == [0] * 100


def test_another_clock_that_jumps_by_a_day_closes_no_window() -> None:
    keys, seen_ms = [], []
    for i in range(60):
        keys += [7, 8]
        seen_ms += [100 * i, 100 * i + (DAY_MS if i % 2 else -DAY_MS)]
    assert counted(keys, seen_ms)[-2] > 30


def test_ones_own_clock_set_back_by_a_day_drains_nothing() -> None:
    seen_ms = [100 * i for i in range(40)] + [100 * i - DAY_MS for i in range(40)]
    posts = counted([7] * 80, seen_ms)
    assert posts[39] > 30
    assert posts[40] > posts[39]
    assert posts[-1] > 60
