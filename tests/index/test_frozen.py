"""Columns of a sealed slice tell what those of a growing one told; ids are found in both."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fairwitness.index import LiveIndex, ids
from fairwitness.index.columns import Columns
from fairwitness.index.errors import IndexCorrupt
from fairwitness.index.frozen import Frozen, freeze
from fairwitness.index.ids import SealedIds, id_hash
from fairwitness.index.query import Query
from fairwitness.posts.post import FOREVER_MS, Deleted, Post, Posted

ROWS, FIRST = 10_000, 3_000_000
MANNERS = ("steady", "wild", "alike", "endless")


def moments(manner: str, rng: np.random.Generator) -> NDArray[np.int64]:
    if manner == "steady":
        return 1_767_225_600_000 + np.cumsum(rng.integers(0, 30, ROWS))
    if manner == "wild":
        return rng.integers(-(10**12), 2 * 10**12, ROWS)
    if manner == "alike":
        return np.full(ROWS, 7)
    return rng.choice(np.array([-FOREVER_MS, 0, FOREVER_MS]), ROWS)


@pytest.fixture(params=MANNERS)
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Columns, Frozen]]:
    rng = np.random.default_rng(3)
    grown = Columns(tmp_path / "columns", ROWS, read_only=False)
    grown.reserve(0, ROWS)
    for name, dtype in Columns.FIELDS.items():
        most = min(int(np.iinfo(dtype).max), 2**62)  # type: ignore[type-var]
        getattr(grown, name)[:] = rng.integers(0, most, ROWS)
    grown.since_ms[:] = moments(request.param, rng)
    grown.made_ms[:] = moments(request.param, rng)
    grown.network[:] = 0 if request.param == "alike" else rng.integers(0, 300, ROWS)
    grown.lang[:] = rng.integers(0, 200, ROWS)
    if request.param != "wild":
        own = rng.random(ROWS) < 0.6
        grown.cluster[own] = FIRST + np.flatnonzero(own)
    freeze(tmp_path / "frozen", grown, ROWS, FIRST)
    frozen = Frozen(tmp_path / "frozen", ROWS)
    frozen.verify()
    yield grown, frozen
    grown.close()


def test_frozen_columns_tell_the_same(both: tuple[Columns, Frozen]) -> None:
    grown, frozen = both
    rows = np.random.default_rng(4).integers(0, ROWS, 500)
    names = ("since_ms", "made_ms", "author", "handle", "cluster", "lang", "network", "quality")
    for name in names:
        was, now = getattr(grown, name), getattr(frozen, name)
        for chosen in (slice(0, ROWS), slice(4_000, 8_300), slice(5, 5), slice(0, 0), rows, 4_096):
            assert np.array_equal(was[chosen], now[chosen]), (name, chosen)


def test_frozen_moments_compare_the_same(both: tuple[Columns, Frozen]) -> None:
    grown, frozen = both
    rows = np.random.default_rng(4).integers(0, ROWS, 500)
    some = grown.since_ms[[0, 5, 4_096, ROWS - 1]].tolist()
    for moment_ms in (*some, some[0] - 1, some[-1] + 1, FOREVER_MS, -FOREVER_MS, 0, 2**70):
        for count in (ROWS, 4_097, 1, 0):
            first = slice(0, count)
            same = frozen.seen_until(moment_ms, first) == (grown.since_ms[first] <= moment_ms)
            assert same.tolist() == [True] * count
            if abs(moment_ms) < 2**63:
                for negated in (False, True):
                    was, now = np.arange(count) % 3 > 0, np.arange(count) % 3 > 0
                    left = grown.keep_made_from(was, moment_ms, negated=negated)
                    assert frozen.keep_made_from(now, moment_ms, negated=negated) == left
                    assert np.array_equal(was, now)
        if moment_ms < 2**63:
            told = grown.seen_until(moment_ms, rows)
            assert np.array_equal(frozen.seen_until(moment_ms, rows), told)


def test_the_last_that_was_seen_is_known(both: tuple[Columns, Frozen]) -> None:
    grown, frozen = both
    for rows in (0, 1, 1_000, 1_023, 1_024, 1_025, len(frozen.author)):
        assert frozen.latest_seen_ms(rows) == grown.latest_seen_ms(rows)


def test_frozen_names_are_kept_the_same(both: tuple[Columns, Frozen]) -> None:
    grown, frozen = both
    for numbers in ([], [3], [0, 7, 299], [65_535], [3, 65_535]):
        for negated in (False, True):
            for name in ("keep_lang", "keep_network"):
                was, now = np.arange(ROWS) % 3 > 0, np.arange(ROWS) % 3 > 0
                left = getattr(grown, name)(was, numbers, negated=negated)
                assert getattr(frozen, name)(now, numbers, negated=negated) == left
                assert np.array_equal(was, now)


def test_frozen_columns_are_small_and_whole(both: tuple[Columns, Frozen], tmp_path: Path) -> None:
    path = tmp_path / "frozen"
    assert path.stat().st_size < 33 * ROWS
    with pytest.raises(IndexCorrupt):
        Frozen(path, ROWS + 1)
    whole = path.read_bytes()
    kind = whole.index(b"<u")  # a flip there may make what is no type of numbers
    flips = [(at, bit) for at in range(kind, kind + 3) for bit in range(8)]
    for at, bit in [*flips, (len(whole) // 2, 0)]:
        data = bytearray(whole)
        data[at] ^= 1 << bit
        path.write_bytes(data)
        with pytest.raises(IndexCorrupt):
            Frozen(path, ROWS).verify()
    path.write_bytes(data[:100])
    with pytest.raises(IndexCorrupt):
        Frozen(path, ROWS)


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 40), min_size=1, max_size=300))
@settings(max_examples=60, deadline=None)
def test_sorted_ids_find_the_newest_row(hashes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ids.sort(folder, np.array(hashes, np.uint64))
        found = SealedIds(folder, len(hashes), hashes.__getitem__)
        found.verify()
        asked = [*hashes, *range(50), 2**63, 12345678901234567890]
        rows = found.newest(np.array(asked, np.uint64)).tolist()
    newest = {each: row for row, each in enumerate(hashes)}
    assert rows == [newest.get(each, -1) for each in asked]


def test_few_unknown_ids_are_looked_at(tmp_path: Path) -> None:
    hashes = np.array([id_hash(f"x:{n}") for n in range(20_000)], np.uint64)
    looked: list[int] = []

    def hash_of(row: int) -> int:
        looked.append(row)
        return int(hashes[row])

    ids.sort(tmp_path, hashes)
    unknown = np.array([id_hash(f"y:{n}") for n in range(20_000)], np.uint64)
    found = SealedIds(tmp_path, len(hashes), hash_of).newest(unknown)
    assert (found < 0).all()
    assert len(looked) < 5


def said(number: int) -> Post:
    return Post(
        id=f"x:{number}",
        network="x",
        author=f"ann{number % 7}",
        author_id=str(number % 7),
        text=f"post number {number}",
        created_ms=1_000 * number,
        seen_ms=1_000 * number,
    )


def test_a_slice_is_frozen_when_it_is_sealed_and_grows_again_after_a_kill(tmp_path: Path) -> None:
    index = LiveIndex.open(tmp_path / "index", slice_rows=100)
    reader: LiveIndex | None = None
    for position in range(1, 7):
        first = 40 * (position - 1)
        index.apply([Posted(said(n)) for n in range(first, first + 40)], position)
        index.refresh()
        if reader is None:
            reader = LiveIndex.open(tmp_path / "index", read_only=True)
        if position in (2, 4):
            if sealing := index._table.slices[0]._sealing:
                sealing.join()
            index.checkpoint()
    assert reader is not None
    sealed = tmp_path / "index/slices/000000000000"
    index.close()
    assert (sealed / "frozen").exists()
    assert not (sealed / "columns").exists()
    later = tmp_path / "index/slices/000000000100"
    assert (later / "frozen").exists()
    assert (later / "columns").exists(), "no checkpoint says yet that it is sealed"
    reader.refresh()
    assert reader.get("x:5") == said(5)
    assert reader.get("x:230") == said(230)
    assert reader.get("x:9999") is None
    reader.close()
    # At the last checkpoint there were 160 posts, and the second slice was growing.
    index = LiveIndex.open(tmp_path / "index")
    assert index.versions == 160
    assert not (later / "frozen").exists()
    for position in (5, 6):
        first = 40 * (position - 1)
        index.apply([Posted(said(n)) for n in range(first, first + 40)], position)
    index.apply([Deleted("x:7", 10**6), Deleted("x:120", 10**6)], 7)
    index.checkpoint()
    assert [index.get(f"x:{n}") for n in (6, 7, 120)] == [said(6), None, None]
    assert index.novel([Posted(said(6)), Posted(said(120))]) == []
    assert len(index.search(Query(words="post"), limit=999).hits) == 238
    index.close()
