"""Running means: natively and plainly the same, and slow to believe the worst."""

import random

import numpy as np
import pytest

from fairwitness.kernels import means, native


def known(keys: list[int], worth: list[int], window: int = 16, keys_max: int = 64) -> list[int]:
    table = means.empty_means(keys_max)
    told = np.array(keys, np.uint64), np.array(worth, np.uint8)
    return means.before(table, *told, window).tolist()


def test_natively_and_plainly_the_same_when_keys_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dice = random.Random(5)
    keys = [dice.choice((2**64 - 1, dice.randrange(1, 100))) for _ in range(3_000)]
    worth = [dice.randrange(256) for _ in keys]
    natively = known(keys, worth, keys_max=16)
    assert len(set(natively)) > 100
    monkeypatch.setattr(native, "library", lambda: None)
    assert natively == known(keys, worth, keys_max=16)


def test_who_was_never_heard_is_worth_all_and_bad_posts_add_up() -> None:
    found = known([7] * 60 + [8], [0] * 60 + [0])
    assert found[0] == found[60] == 255
    assert found[1] == 239
    assert found[:60] == sorted(found[:60], reverse=True)
    assert found[10] > 128 > found[12]
    assert found[59] < 8


def test_good_posts_make_up_for_bad_ones() -> None:
    found = known([7] * 100, [0] * 40 + [255] * 60)
    assert found[40] < 30
    assert found[99] > 240


def test_batches_of_any_size_give_the_same() -> None:
    keys = np.array([1, 2, 1, 1, 3, 2] * 20, np.uint64)
    worth = np.arange(120, dtype=np.uint8)
    whole, cut = means.empty_means(16), means.empty_means(16)
    parts = [means.before(cut, keys[at : at + 7], worth[at : at + 7], 8) for at in range(0, 120, 7)]
    assert means.before(whole, keys, worth, 8).tolist() == np.concatenate(parts).tolist()
    assert (whole == cut).all()
