"""Codes: flat and in lists, masked, forgotten, saved and opened."""

import resource
from pathlib import Path

import numpy as np
import pytest

from fairwitness.index.codes import Growing, Inverted, centres_of, forget, lists_of
from fairwitness.index.errors import IndexCorrupt
from fairwitness.index.slice_codes import SliceCodes
from fairwitness.index.sums import Sums, told_in
from fairwitness.kernels import hamming
from fairwitness.kernels.hamming import Near


def alike(count: int, topics: int = 40, seed: int = 0) -> np.ndarray:
    """Return codes around some topics, 40 bits from the middle on average."""
    rng = np.random.default_rng(seed)
    middles = rng.random((topics, 256)) < 0.5
    bits = middles[rng.integers(0, topics, count)] ^ (rng.random((count, 256)) < 0.16)
    return np.packbits(bits, axis=1)


HELD = alike(20_000)
QUERIES = HELD[::1_000]


def built(held: np.ndarray) -> Inverted:
    centres = centres_of(held)
    return Inverted.build(centres, held, lists_of(held, centres))


def flat(held: np.ndarray, query: np.ndarray, k: int) -> Near:
    centres = np.zeros((1, 32), np.uint8)
    return Growing(centres, held, lists_of(held, centres)).nearest(query, k, np.arange(1))


def test_growing_lists_find_what_sorted_ones_do() -> None:
    held = alike(150_000)  # rows of three stretches
    lists = built(held[:5_000])
    growing = Growing(lists.centres, held, lists_of(held, lists.centres))
    sealed = Inverted.build(growing.centres, growing.codes, growing.lists)
    allowed = np.random.default_rng(0).random(len(held)) < 0.5
    rows = np.array([0, 65_535, 65_536, 149_999])
    assert sealed.code_of(rows).tolist() == held[rows].tolist()
    for query in QUERIES:
        some = np.argsort(hamming.distances([growing.centres], query)[0], kind="stable")[:9]
        for mask in (None, allowed):
            one, two = (each.nearest(query, 50, some, mask, 90) for each in (growing, sealed))
            assert one.rows.tolist() == two.rows.tolist()
            assert one.distances.tolist() == two.distances.tolist()


def listed(lists: Inverted, query: np.ndarray, k: int, probes: int = 1_000) -> Near:
    """Look into the lists that are nearest."""
    return lists.nearest(
        query, k, np.argsort(hamming.distances([lists.centres], query)[0], kind="stable")[:probes]
    )


def test_lists_find_nearly_all_that_a_full_look_finds() -> None:
    lists = built(HELD)
    share = []
    for query in QUERIES:
        full, some = flat(HELD, query, 100), listed(lists, query, 100, 16)
        share.append((some.distances <= full.distances[-1]).mean())
        assert listed(lists, query, 100).rows.tolist() == full.rows.tolist()
        limit = int(full.distances[9])
        near = lists.nearest(query, 100, np.arange(len(lists.centres)), limit=limit)
        assert near.rows.tolist() == full.rows[full.distances <= limit].tolist()
    assert np.mean(share) > 0.95


def test_what_is_forgotten_is_destroyed_on_the_disk_and_never_found(tmp_path: Path) -> None:
    path = tmp_path / "codes"
    built(HELD).save(path)
    before = path.read_bytes()
    assert HELD[7].tobytes() in before
    opened = Inverted.open(path, read_only=False)
    opened.forget([7, 19_999])
    assert HELD[7].tobytes() not in path.read_bytes()
    again = Inverted.open(path, read_only=True)
    assert 7 not in listed(again, HELD[7], 300).rows
    assert not again.code_of(np.array([7, 19_999])).any()
    kept = np.array([0, 8, 12_345])
    assert again.code_of(kept).tolist() == HELD[kept].tolist()


def test_a_mapped_flat_file_forgets_too(tmp_path: Path) -> None:
    path = tmp_path / "flat"
    HELD[:100].tofile(path)
    mapped = np.memmap(path, np.uint8, "r+", shape=(100, 32))
    assert flat(mapped, HELD[5], 1).rows.tolist() == [5]
    forget(mapped, [5])
    assert HELD[5].tobytes() not in path.read_bytes()
    assert 5 not in flat(mapped, HELD[5], 100).rows


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "slices" / "codes"
    path.parent.mkdir()
    built(HELD[:100]).save(path)
    whole = path.read_bytes()
    for broken in (whole[:-1], b"x" + whole[1:], whole[:10]):
        path.write_bytes(broken)
        with pytest.raises(IndexCorrupt, match="codes"):
            Inverted.open(path, read_only=True)


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_few_codes_and_blank_ones(count: int, tmp_path: Path) -> None:
    held = HELD[:count].copy()
    held[1:2] = 0
    lists = built(held)
    lists.save(tmp_path / "codes")
    opened = Inverted.open(tmp_path / "codes", read_only=True)
    said = [row for row in range(count) if row != 1]
    assert sorted(listed(opened, HELD[0], 100).rows.tolist()) == said


def test_building_twice_gives_the_same() -> None:
    one, two = built(HELD), built(HELD)
    assert (one.rows == two.rows).all()
    assert (one.centres == two.centres).all()
    assert len(one.centres) > 16


def test_what_goes_while_codes_are_sorted_is_destroyed_too(tmp_path: Path) -> None:
    held = SliceCodes(tmp_path, 1_000, read_only=False)
    held.add(0, HELD[:1_000])

    def gone() -> np.ndarray:
        assert (tmp_path / "meanings").exists(), "asked before they are sorted"
        return np.array([5])

    held.seal(1_000, gone)
    assert HELD[5].tobytes() not in (tmp_path / "meanings").read_bytes()
    assert HELD[6].tobytes() in (tmp_path / "meanings").read_bytes()
    held.close()


def test_a_kill_while_codes_are_destroyed_is_no_damage(tmp_path: Path) -> None:
    held = SliceCodes(tmp_path, 20_000, read_only=False)
    held.add(0, HELD)
    held.seal(20_000, lambda: np.zeros(0, np.int64))
    path = tmp_path / "meanings"
    rows = np.arange(0, 19_999, 7)  # in each stretch, and over the ends of some
    starts = Inverted.open(path, read_only=True).starts_of(rows)
    data = path.read_bytes()
    assert [data[at : at + 32] for at in starts[:9]] == [HELD[row].tobytes() for row in rows[:9]]
    Sums(path).destroying(starts, 32)
    held.close()
    again = SliceCodes(
        tmp_path, 20_000, read_only=False
    )  # which destroys them, and finds no damage
    sorted_codes = again.lists(20_000)
    assert isinstance(sorted_codes, Inverted)
    assert not sorted_codes.code_of(rows).any()
    assert sorted_codes.code_of(rows + 1).tolist() == HELD[rows + 1].tolist()
    again.forget([1, 2])
    again.close()
    SliceCodes(tmp_path, 20_000, read_only=False).close()
    data = bytearray(path.read_bytes())
    data[int(starts[-1]) + 32] ^= 1
    path.write_bytes(data)
    with pytest.raises(IndexCorrupt, match="meanings: not what was written"):
        SliceCodes(tmp_path, 20_000, read_only=False)


def test_without_room_for_sums_codes_are_destroyed_all_the_same(tmp_path: Path) -> None:
    held = SliceCodes(tmp_path, 1_000, read_only=False)
    held.add(0, HELD[:1_000])
    held.seal(1_000, lambda: np.zeros(0, np.int64))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        held.forget([5])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not told_in(tmp_path / "meanings").exists()
    assert HELD[5].tobytes() not in (tmp_path / "meanings").read_bytes()
    held.close()
    for _ in range(2):  # sums are told anew, and hold
        SliceCodes(tmp_path, 1_000, read_only=False).close()
        assert told_in(tmp_path / "meanings").exists()
