"""Floods and quality: flags and scores of batches, counted and never dropped."""

from collections.abc import Sequence

import numpy as np

from fairwitness.index.copies import Copies
from fairwitness.index.floods import (
    AUTHOR_FLOOD,
    CLUSTER_FLOOD,
    LOW_QUALITY,
    Judged,
    judge,
    with_priors,
)
from fairwitness.kernels.copies import EXACT, REPOST, Seen
from fairwitness.kernels.texts import pack

HOUR_MS = 3_600_000
GOOD = [
    "The bridge over the Elbe was closed last night after the flood, officials said.",
    "Ich stehe am Bahnhof, der Zug nach Hamburg fällt heute wegen Sturm aus.",
    "今日の東京は地震で電車が止まっているので、駅はとても混んでいます。",
    "سمعت دوي انفجار قوي قبل قليل في وسط المدينة والناس في الشوارع",
    "Сегодня ночью над рекой был сильный туман, паромы стоят с шести утра.",
    "Reuters: three injured in the crash, road closed https://reut.rs/x #traffic",
]
POOR = [
    "😂😂😂😂",
    "https://t.co/a https://t.co/b",
    "BUY NOW #win #free #cash #crypto #moon #gem @a @b @c @d https://t.co/x",
    "win win win win win win win win win win win win",
    "$$$ >>> !!! *** 1000% !!! >>> $$$",
    "ok",
]


def judged(
    texts: Sequence[str], author: Sequence[int], seen_ms: Sequence[int]
) -> tuple[Seen, Judged]:
    copies = Copies(1 << 12, 1 << 8)
    none = np.full(len(texts), -1, np.int64)
    seen = copies.see(pack(texts), 0, none, lambda ordinals: ordinals)
    return seen, judge(
        copies,
        seen,
        np.array(author, np.uint64),
        np.array(seen_ms, np.int64),
        np.ones(len(texts), np.uint64),
    )


def test_what_says_something_scores_above_what_says_nothing() -> None:
    texts = GOOD + POOR
    _, found = judged(texts, range(1, len(texts) + 1), range(0, len(texts) * HOUR_MS, HOUR_MS))
    good, poor = found.quality[: len(GOOD)], found.quality[len(GOOD) :]
    assert good.min() >= 240
    assert poor.max() < 210
    assert int(poor[:5].max()) < LOW_QUALITY
    assert good.min() > poor.max()


def test_shouting_and_haste_cost_what_is_written() -> None:
    calm, loud = GOOD[0], GOOD[0].upper()
    _, found = judged([calm], [1], [0])
    assert found.quality.tolist() == [255]
    _, found = judged([loud], [1], [0])
    assert found.quality.tolist() == [225]
    _, found = judged([f"{calm} {word}" for word in "abcdefghijklmnop"], [1] * 16, [0] * 16)
    assert found.quality[15] == 255 - 20 - 40 - 15


def test_an_account_that_floods_is_flagged_and_others_are_not() -> None:
    texts = [f"message {i} of the series on birds of the north" for i in range(120)]
    author = [1 + i % 2 * (i + 1) for i in range(120)]
    _, found = judged(texts, author, [250 * i for i in range(120)])
    floods = (found.flags & AUTHOR_FLOOD) != 0
    assert floods[-2]
    assert not floods[1::2].any()


def test_copies_that_flood_are_flagged_and_reposts_are_not() -> None:
    texts = [f"RT @a{i}: {GOOD[0]} https://t.co/{i}" for i in range(200)]
    seen, found = judged(texts, range(1, 201), [50 * i for i in range(200)])
    assert found.flags[-1] & CLUSTER_FLOOD
    assert int(found.quality[-1]) == 255 - 20 - 60
    assert len(seen.how) == 200
    assert np.count_nonzero(seen.how == EXACT) == 199
    assert np.count_nonzero(found.flags & CLUSTER_FLOOD) > 100

    copies = Copies(1 << 12, 1 << 8)
    original = np.zeros(200, np.int64)
    original[0] = -1
    seen = copies.see(pack([GOOD[0]] * 200), 0, original, lambda ordinals: ordinals)
    ones = np.ones(200, np.uint64)
    found = judge(copies, seen, np.arange(1, 201, dtype=np.uint64), np.zeros(200, np.int64), ones)
    assert not found.flags.any()
    assert np.count_nonzero(seen.how == REPOST) == 199


def test_what_an_author_and_a_network_said_before_counts_a_little() -> None:
    poor = [f"{POOR[0]} {n}" for n in range(40)]
    texts = [*poor, GOOD[0], GOOD[1]]
    _, found = judged(texts, [7] * 41 + [8], [HOUR_MS * n for n in range(42)])
    mine, another = found.quality[-2:].tolist()
    assert 255 - 40 <= mine < 255 - 20
    assert another == 255

    old, new = np.array([0, 64, 128, 255], np.uint8), np.full(4, 255, np.uint8)
    alone = np.array([255, 255, 255, 10], np.uint8)
    assert with_priors(alone, old, new).tolist() == [215, 235, 255, 10]
    assert with_priors(alone, new, old).tolist() == [235, 245, 255, 10]
    assert with_priors(np.zeros(4, np.uint8), old, old).tolist() == [0, 0, 0, 0]
