"""Runs: what is not as it was written is noticed, and no bytes lead a reader out of them."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
import xxhash
from numpy.typing import NDArray

from fairwitness.kernels import runs
from fairwitness.kernels.postings import (
    ASIDE,
    Ask,
    Oversize,
    Part,
    Run,
    RunDamaged,
    build,
    counts,
    merge,
    rank,
)

KEYS = np.array([xxhash.xxh64_intdigest(bytes([name])) for name in range(8)], np.uint64)


class Keys(NamedTuple):
    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]


def made(rows: int, first_row: int = 1_000) -> bytes:
    """Return a run of which some lists have several blocks and some rows many tokens."""
    rng = np.random.default_rng(rows)

    def said(most: int, apart: NDArray[np.uint64]) -> Keys:
        lengths = rng.integers(0, most, rows)
        lengths[rows // 2 :][:1] = 40 * most
        starts = np.cumsum([0, *lengths])
        # Of the keys the first is in most rows, the last in few of them.
        chosen = np.minimum(rng.exponential(1.2, int(starts[-1])).astype(np.int64), 7)
        return Keys(KEYS[chosen] ^ apart, starts)

    return bytes(build(first_row, said(5, np.uint64(0)), said(2, ASIDE)))


def everything(data: bytes) -> list[object]:
    """Ask a run all there is."""
    run = Run(data)
    keys = np.concatenate([KEYS, KEYS ^ ASIDE])
    # Two tokens, a phrase and an aside.
    ask = Ask(
        keys=keys,
        starts=np.array([0, 1, 2, 4, 5]),
        members=np.array([0, 3, 1, 2, 8]),
        offsets=np.array([0, 0, 0, 1, 0]),
        weights=np.array([1.0, 2.0, 3.0, 4.0]),
        must=np.zeros(4, bool),
    )
    return [
        (run.first_row, run.rows, run.tokens, run.terms),
        counts([Part(run, run.end_row)], keys).tolist(),
        [run.rows_with(key).tolist() for key in keys],
        run.rows_saying(KEYS[:2], [0, 1]).tolist(),
        [part.tolist() for part in rank([Part(run, run.end_row)], ask, 3.0, 10)[0]],
        run.tokens_before(run.end_row - 1),
        merge([run]),
    ]


def test_lengths_are_kept_in_a_byte() -> None:
    lengths = np.array([0, 1, 127, 128, 133, 134, 255, 256, 31_378, 10**9], np.int64)
    kept = runs.sizes()[runs.length_codes(lengths)]
    assert kept.tolist() == [0, 1, 127, 128, 133, 133, 245, 256, 31_378, 31_378]
    assert (np.diff(runs.sizes().astype(np.int64)) > 0).all()


def test_runs_that_are_no_neighbours_are_refused(twin: str) -> None:
    with pytest.raises(ValueError, match="a run ends at row 1001, the next begins at 1002"):
        merge([Run(made(1)), Run(made(1, 1_002))])


def test_a_run_that_would_be_too_long_is_refused(twin: str) -> None:
    with pytest.raises(Oversize, match="up to row 2147483648"):
        made(1, 2**31 - 1)


def test_a_flipped_bit_anywhere_is_noticed(twin: str) -> None:
    data = made(140)
    told = everything(data)
    for at in range(len(data)) if twin == "native" else range(0, len(data), 37):
        hurt = bytearray(data)
        hurt[at] ^= 1 << at % 8
        try:
            assert everything(bytes(hurt)) == told
        except RunDamaged:
            continue
        raise AssertionError(f"byte {at} is not held to any checksum")


def test_what_is_cut_or_longer_is_no_run(twin: str) -> None:
    data = made(140)
    for size in [*range(0, 80), *range(80, len(data), 97), len(data) - 1]:
        with pytest.raises(RunDamaged):
            Run(data[:size])
    with pytest.raises(RunDamaged):
        Run(data + b"\0")


@pytest.mark.parametrize("field", range(1, 7))
@pytest.mark.parametrize("value", [0, 1, 2**31, 2**32, 2**63, 2**64 - 1])
def test_a_hostile_header_is_no_run(field: int, value: int, twin: str) -> None:
    data = made(140)
    fields = list(struct.unpack("<8s6Q", data[:56]))
    fields[field] = value
    header = struct.pack("<8s6Q", *fields)
    hostile = header + struct.pack("<Q", xxhash.xxh64_intdigest(header)) + data[64:]
    try:
        everything(hostile)
    except RunDamaged:
        return
    assert field in (1, 4), "where it begins and how much it says can be anything"


def hostile_runs(seed: int) -> Iterator[bytes]:
    """Yield runs whose checksums say that nonsense was meant."""
    data = made(140)
    header = runs.read_header(memoryview(data))
    places = runs.places(header.rows, header.terms, header.lists_bytes)
    rng = np.random.default_rng(seed)
    for _ in range(150):
        hurt = bytearray(data)
        for _ in range(int(rng.integers(1, 5))):
            hurt[int(rng.integers(64, places.end))] = int(rng.choice([0, 1, 127, 128, 255]))
        for chunk in range(runs.chunks_in(places.end)):
            begin = 64 + chunk * runs.CHUNK_BYTES
            told = xxhash.xxh64_intdigest(hurt[begin : min(begin + 32_768, places.end)])
            struct.pack_into("<Q", hurt, places.end + 8 * chunk, told)
        yield bytes(hurt)


def test_nonsense_is_never_followed(twin: str) -> None:
    noticed = 0
    for hostile in hostile_runs(5):
        try:
            everything(hostile)
        except RunDamaged:
            noticed += 1
    assert noticed > 50
