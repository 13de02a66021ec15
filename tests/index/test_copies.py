"""Clusters of copies: what joins, what does not, and that the log gives the same ones again."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from fairwitness.index import saved
from fairwitness.index.copies import Copies
from fairwitness.index.errors import IndexCorrupt
from fairwitness.kernels.copies import EXACT, REPOST, Seen, sketches
from fairwitness.kernels.sketch import ALIKE, likeness
from fairwitness.kernels.texts import pack

PAIRS = Path(__file__).parent / "data" / "copies.jsonl"
SAID = "Officials say the bridge over the Elbe was closed after the flood, 3 people are missing"
NO_COLUMN = np.zeros(0, np.int64)


class Feed:
    """Feeds posts in batches, and keeps the column of clusters as an index does."""

    def __init__(self, copies: Copies | None = None) -> None:
        self.copies = copies or Copies(1 << 10, 1 << 6)
        self.column = NO_COLUMN

    def say(self, texts: Sequence[str], original: Sequence[int] | None = None) -> Seen:
        from_ = np.full(len(texts), -1) if original is None else np.array(original, np.int64)
        first = len(self.column)
        seen = self.copies.see(pack(texts), first, from_, lambda ordinals: self.column[ordinals])
        self.column = np.r_[self.column, seen.cluster]
        return seen


def test_labelled_pairs_meet_precision_and_recall() -> None:
    pairs = [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines()]
    ones, others = (sketches(pack([pair[side] for pair in pairs])) for side in "ab")
    alike = [likeness(a, b) >= ALIKE for a, b in zip(ones, others, strict=True)]
    right = sum(is_alike and pair["copy"] for is_alike, pair in zip(alike, pairs, strict=True))
    assert len(pairs) >= 600
    assert right / sum(alike) >= 0.95
    assert right / sum(pair["copy"] for pair in pairs) >= 0.85


def test_what_is_alike_is_found_in_the_stream_too() -> None:
    pairs = [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines()]
    feed = Feed(Copies(1 << 12, 1 << 6))
    feed.say([pair["a"] for pair in pairs])
    clusters = feed.say([pair["b"] for pair in pairs]).cluster
    firsts = feed.column[: len(pairs)]
    joined = [int(one) == int(other) for one, other in zip(firsts, clusters, strict=True)]
    copies = [pair["copy"] for pair in pairs]
    found = sum(is_one and copy for is_one, copy in zip(joined, copies, strict=True))
    assert found / sum(joined) >= 0.95
    assert found / sum(copies) >= 0.85


@pytest.mark.parametrize(
    "other",
    [
        SAID.replace("3", "13"),
        SAID.replace("3", "three hundred"),
        SAID.replace("Elbe", "Oder"),
        SAID.replace("Officials say", "It is not true that"),
        "Officials say the tunnel under the Elbe was opened before the fair, 3 people were hurt",
    ],
)
def test_another_number_name_or_verdict_is_another_statement(other: str) -> None:
    assert Feed().say([SAID, other]).cluster.tolist() == [0, 1]


@pytest.mark.parametrize(
    "other",
    [
        SAID.upper() + "!!!",
        f"OMG RT @someone: {SAID} https://t.co/abc",
        SAID[:70] + "…",
        SAID.replace("3 people", "three people") + " 😱😱 #flood #elbe",
        SAID.replace("Officials say the", "Officials say that the"),
        f"{SAID} - BBC News",
    ],
)
def test_an_edited_copy_joins(other: str) -> None:
    assert Feed().say([SAID, other]).cluster.tolist() == [0, 0]


def test_five_hundred_copies_are_one_cluster_in_any_batches() -> None:
    texts = [f"RT @fan{i}: {SAID} https://t.co/{i}" for i in range(500)]
    feed = Feed()
    for at in range(0, 500, 77):
        feed.say(texts[at : at + 77])
    assert set(feed.column.tolist()) == {0}


def test_reposts_of_reposts_join_whatever_they_say() -> None:
    feed = Feed()
    feed.say(["one", "the first of a chain", "x"])
    seen = feed.say(["x", "", "y"], [1, 3, 4])
    assert seen.cluster.tolist() == [1, 1, 1]
    assert seen.how.tolist() == [REPOST] * 3
    assert feed.say(["z"], [5]).cluster.tolist() == [1]


def test_a_cluster_keeps_its_name_when_its_text_is_forgotten() -> None:
    feed = Feed(Copies(16, 16))
    feed.say([SAID])
    for at in range(40):
        feed.say([f"filler number {at} " + " ".join(f"w{at}x{i}" for i in range(20)), SAID])
    assert set(feed.column[2::2].tolist()) == {0}


def test_texts_without_words_are_nobodys_copies() -> None:
    seen = Feed().say(["😂😂", "😂😂", "https://a.b/c", "https://a.b/c", "", ""])
    assert seen.cluster.tolist() == list(range(6))


def test_memory_is_bounded_and_the_newest_are_remembered() -> None:
    copies = Copies(1 << 8, 1 << 6)
    feed, size_bytes = Feed(copies), copies.size_bytes
    texts = [" ".join(f"w{at}x{i}" for i in range(12)) for at in range(4000)]
    feed.say(texts)
    assert copies.size_bytes == size_bytes
    seen = feed.say([texts[-1], texts[-50], texts[0]])
    assert seen.cluster.tolist() == [3999, 3950, 4002]
    assert seen.how.tolist() == [EXACT, EXACT, 0]


def test_the_log_gives_the_same_clusters_again_and_a_saved_file_goes_on(tmp_path: Path) -> None:
    dice = random.Random(2)
    pairs = [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines()]
    texts = [dice.choice(pairs)[dice.choice("ab")] for _ in range(1200)]
    feed = Feed()
    feed.say(texts[:600])
    saved.save(tmp_path / "copies", feed.copies.layout, feed.copies.arrays(), 600)
    feed.say(texts[600:])

    again = Feed()
    for at in range(0, 1200, 50):
        again.say(texts[at : at + 50])
    np.testing.assert_array_equal(again.column, feed.column)

    restored = Feed()
    restored.copies.next_ordinal = saved.load(tmp_path / "copies", restored.copies)
    assert restored.copies.next_ordinal == 600
    restored.column = feed.column[:600]
    restored.say(texts[600:])
    np.testing.assert_array_equal(restored.column, feed.column)


def test_a_flipped_bit_in_a_saved_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "copies"
    small = Copies(16, 16)
    saved.save(path, small.layout, small.arrays(), 7)
    assert saved.load(path, Copies(16, 16)) == 7
    whole = path.read_bytes()
    for at in (0, 14, 40, len(whole) // 2, len(whole) - 1):
        broken = bytearray(whole)
        broken[at] ^= 4
        path.write_bytes(broken)
        with pytest.raises(IndexCorrupt):
            saved.load(path, Copies(16, 16))
    path.write_bytes(whole[:-100])
    with pytest.raises(IndexCorrupt):
        saved.load(path, Copies(16, 16))
