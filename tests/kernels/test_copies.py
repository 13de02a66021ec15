"""The native tables of copies do what the plain ones do, on odd texts and when they are full."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels import copies, native
from fairwitness.kernels.copies import EXACT, FIRST, NEAR, REPOST, Seen, Tables
from fairwitness.kernels.sketch import likeness, sketch
from fairwitness.kernels.texts import pack

PAIRS = Path(__file__).parents[1] / "index" / "data" / "copies.jsonl"
ODD = [
    "",
    "😂",
    "https://a.b/c http://d.e",
    "\u202e\u200d\u200d",
    "a" * 100_000,
    "字" * 5_000,
    "... … ...",
    "RT @a: RT @b: RT",
    "@ @ @@ ＠ # ## [](",
    "[x](http://y) [Подписаться](https://t.me/z)",
    "1,234,567.8 9.99 1.000 1,2 10:45 ٣٤٥ ½",
    "- - | — BBC News - one two three four five six - BBC News",
    "カタカナ ｶﾀｶﾅ デマ が ガ 没有 不实 东京",
    "\U0002070e\U00020731 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "ไทยภาษา ភាសាខ្មែរ မြန်မာ हिन्दी में नहीं",
]


def labelled() -> list[str]:
    pairs = map(json.loads, PAIRS.read_text("utf-8").splitlines())
    return [pair[side] for pair in pairs for side in "ab"]


def see(tables: Tables, texts: list[str], first: int, original: list[int] | None = None) -> Seen:
    none = np.full(len(texts), -1, np.int64)
    from_ = none if original is None else np.array(original, np.int64)
    return copies.see(tables, pack(texts), first, from_, none)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "library", lambda: None)


def test_sketches_are_the_same_natively_and_plainly() -> None:
    texts = ODD + labelled()
    for text, made in zip(texts, copies.sketches(pack(texts)), strict=True):
        assert made == sketch(text), text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), max_size=5))
def test_any_text_has_the_same_sketch_natively_and_plainly(texts: list[str]) -> None:
    assert copies.sketches(pack(texts)) == [sketch(text) for text in texts]


def test_tables_are_the_same_natively_and_plainly_when_they_overflow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dice = random.Random(3)
    texts = labelled()
    stream = [dice.choice(texts) for _ in range(1500)] + ODD
    original = [dice.choice((-1, -1, -1, dice.randrange(i + 1))) for i in range(len(stream))]
    fast, slow = copies.empty_tables(256), copies.empty_tables(256)
    begun = [
        see(fast, stream[at : at + 500], at, original[at : at + 500])
        for at in range(0, len(stream), 500)
    ]
    monkeypatch.setattr(native, "library", lambda: None)
    for at, seen in zip(range(0, len(stream), 500), begun, strict=True):
        plainly = see(slow, stream[at : at + 500], at, original[at : at + 500])
        np.testing.assert_array_equal(seen.cluster, plainly.cluster)
        np.testing.assert_array_equal(seen.how, plainly.how)
        np.testing.assert_array_equal(seen.marks, plainly.marks)
    assert int(fast.head[0]) > len(fast.ring)
    for one, other in ((fast.exact, slow.exact), (fast.keys, slow.keys), (fast.ring, slow.ring)):
        np.testing.assert_array_equal(one, other)


def test_how_a_post_came_to_its_cluster() -> None:
    said = "Officials say the bridge over the Elbe was closed after the flood last night"
    texts = [said, "quite another thing", f"RT @x: {said.upper()} https://t.co/1", said[:60] + "…"]
    seen = see(copies.empty_tables(64), [*texts, "my own words"], 100, [-1, -1, -1, -1, 103])
    assert seen.cluster.tolist() == [100, 101, 100, 100, 100]
    assert seen.how.tolist() == [FIRST, FIRST, EXACT, NEAR, REPOST]


@pytest.mark.usefixtures("plain")
def test_likeness_is_a_matter_of_two() -> None:
    made = [sketch(text) for text in labelled()[:200]]
    for one in made[:40]:
        for other in made:
            assert likeness(one, other) == likeness(other, one)
