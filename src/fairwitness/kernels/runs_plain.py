"""The plain twin of `csrc/runs.cpp`: reads, builds and merges runs, equal to the byte."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xxhash
from numpy.typing import NDArray

from fairwitness.kernels import runs
from fairwitness.kernels.runs import BLOCK_ROWS, Oversize, RunDamaged

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Listed:
    """The list of one key."""

    is_aside: bool
    rows: Numbers
    """Counted from the run's first, ascending."""
    times: Numbers
    """How often the token is in each row."""
    gaps: Numbers
    """How many tokens lie before each token of each row; none for asides."""

    def positions(self) -> Numbers:
        """Return where in its row each token stands."""
        steps: Numbers = np.cumsum(self.gaps + 1)
        begins = np.cumsum(self.times) - self.times
        steps -= np.repeat(np.where(begins > 0, steps[begins - 1], 0), self.times) + 1
        return steps

    def kept(self, keep: NDArray[np.bool_]) -> "Listed":
        """Return the same without some rows."""
        gaps = self.gaps if self.is_aside else self.gaps[np.repeat(keep, self.times)]
        return Listed(self.is_aside, self.rows[keep], self.times[keep], gaps)


class Opened:
    """The lists of a run, each read whole and held to the checksums."""

    def __init__(self, data: memoryview, header: runs.Header, seen: NDArray[np.uint8]) -> None:
        """Read `data`; `seen` says of each chunk whether it was held to its checksum."""
        self.header, self._seen = header, seen
        self._bytes = np.frombuffer(data, np.uint8)
        self._places = runs.places(header.rows, header.terms, header.lists_bytes)

    def touch(self, begin: int, end: int) -> None:
        """Hold bytes to their checksums."""
        first, last = ((at - runs.BODY_AT) // runs.CHUNK_BYTES for at in (begin, end - 1))
        for chunk in range(first, last + 1) if end > begin else ():
            if not self._seen[chunk]:
                self._check(chunk)

    def touch_all(self) -> None:
        """Hold all bytes to their checksums."""
        self.touch(runs.BODY_AT, self._places.end)

    def lengths(self, rows: int) -> NDArray[np.uint8]:
        """Return the lengths of the first rows."""
        begin = self._places.lengths
        self.touch(begin, begin + rows)
        return self._bytes[begin : begin + rows]

    def keys(self) -> NDArray[np.uint64]:
        """Return all keys, ascending."""
        self.touch(self._places.keys, self._places.ends)
        return np.frombuffer(self._bytes, "<u8", self.header.terms, self._places.keys)

    def find(self, key: int) -> Listed | None:
        """Return the list of a key."""
        keys = self.keys()
        term = int(np.searchsorted(keys, np.uint64(key)))
        return self.listed(term) if term < len(keys) and int(keys[term]) == key else None

    def listed(self, term: int) -> Listed:
        """Return the list of the term of this number."""
        self.touch(self._places.ends, self._places.lengths)
        ends = np.frombuffer(self._bytes, "<u4", self.header.terms, self._places.ends)
        begin, end = int(ends[term - 1]) if term else 0, int(ends[term])
        if not begin <= end <= self.header.lists_bytes:
            raise RunDamaged(f"list {term} of a run ends at {end}")
        begin, end = begin + self._places.lists, end + self._places.lists
        self.touch(begin, end)
        return _read_list(self._bytes[begin:end], self.header.rows)

    def _check(self, chunk: int) -> None:
        begin = runs.BODY_AT + chunk * runs.CHUNK_BYTES
        told = self._bytes[begin : min(begin + runs.CHUNK_BYTES, self._places.end)]
        written = self._bytes[self._places.end + 8 * chunk :][:8].view("<u8")[0]
        if xxhash.xxh64_intdigest(told.data) != int(written):
            raise RunDamaged(f"chunk {chunk} of a run is not as it was written")
        self._seen[chunk] = 1


def _read_list(data: NDArray[np.uint8], rows: int) -> Listed:
    (head,), at = _read_varints(data, 0, 1)
    count, has_several, is_aside = int(head) >> 2, bool(head & 2), bool(head & 1)
    if not 0 < count <= rows:
        raise RunDamaged(f"a list of a run of {rows} rows has {count}")
    blocks = -(-count // BLOCK_ROWS)
    at += blocks * (8 if is_aside else 12) if blocks > 1 else 0
    steps, times = np.empty(count, np.int64), np.ones(count, np.int64)
    for first in range(0, count, BLOCK_ROWS):
        size = min(BLOCK_ROWS, count - first)
        steps[first : first + size], at = _read_varints(data, at, size)
        if has_several:
            at = _read_several(data, at, times[first : first + size])
    listed = np.cumsum(steps + 1) - 1
    if listed[-1] >= rows:
        raise RunDamaged(f"a list of a run of {rows} rows has row {listed[-1]}")
    if is_aside:
        return Listed(is_aside, listed, times, np.empty(0, np.int64))
    gaps, at = _read_varints(data, at, int(times.sum()))
    return Listed(is_aside, listed, times, gaps)


def _read_several(data: NDArray[np.uint8], at: int, times: Numbers) -> int:
    """Read into `times` which rows of a block hold the token several times; return what follows."""
    (several,), at = _read_varints(data, at, 1)
    before = -1
    for _ in range(int(several)):
        if at >= len(data) or not before < data[at] < len(times):
            raise RunDamaged("a list of a run is none")
        before = int(data[at])
        (more,), at = _read_varints(data, at + 1, 1)
        times[before] = more + 2
    return at


def _read_varints(data: NDArray[np.uint8], at: int, count: int) -> tuple[Numbers, int]:
    """Return the next `count` numbers, and where they end."""
    told = data[at : at + 5 * count]
    ends = np.flatnonzero(told < 128)[:count] + 1
    lengths = np.diff(ends, prepend=0)
    if len(ends) < count or (lengths > 5).any():
        raise RunDamaged("a list of a run ends too soon")
    numbers = np.zeros(count, np.int64)
    begins = ends - lengths
    for byte in range(int(lengths.max(initial=0))):
        has = lengths > byte
        bits = told[begins[has] + byte].astype(np.int64) & 127
        numbers[has] |= bits << 7 * byte
    return numbers, at + int(ends[-1] if count else 0)


def _varints(numbers: Numbers) -> bytes:
    """Return numbers as varints, one behind the other."""
    groups = numbers[:, None] >> np.arange(0, 35, 7)
    used = np.column_stack([np.ones(len(numbers), bool), groups[:, 1:] > 0])
    more = np.column_stack([groups[:, 1:] > 0, np.zeros(len(numbers), bool)])
    coded = (groups & 127 | more.astype(np.int64) << 7).astype(np.uint8)
    return bytes(coded[used])


def _list_bytes(listed: Listed) -> bytes:
    count, has_several = len(listed.rows), bool((listed.times > 1).any())
    head = _varints(np.array([count << 2 | has_several << 1 | listed.is_aside], np.int64))
    steps = np.diff(listed.rows, prepend=-1) - 1
    table, told, placed = [], bytearray(), bytearray()
    gaps_at = 0
    for first in range(0, count, BLOCK_ROWS):
        times = listed.times[first : first + BLOCK_ROWS]
        told += _varints(steps[first : first + BLOCK_ROWS])
        if has_several:
            told += _several_bytes(times)
        line = [int(listed.rows[first + len(times) - 1]), len(told)]
        if not listed.is_aside:
            gaps_end = gaps_at + int(times.sum())
            placed += _varints(listed.gaps[gaps_at:gaps_end])
            line.append(len(placed))
            gaps_at = gaps_end
        table += line
    lines = np.array(table, "<u4").tobytes() if count > BLOCK_ROWS else b""
    return head + lines + bytes(told) + bytes(placed)


def _several_bytes(times: Numbers) -> bytes:
    several = np.flatnonzero(times > 1)
    told = bytearray(_varints(np.array([len(several)])))
    for which in several:
        told += bytes([which]) + _varints(times[which : which + 1] - 2)
    return bytes(told)


def build(
    first_row: int,
    text: tuple[NDArray[np.uint64], Numbers],
    aside: tuple[NDArray[np.uint64], Numbers],
) -> bytes:
    """Return a run of some rows: hashes of their tokens, and where those of each row begin."""
    lists = sorted([*_grouped(*text, is_aside=False), *_grouped(*aside, is_aside=True)], key=_order)
    return _run_bytes(first_row, runs.length_codes(np.diff(text[1])), lists)


def _order(keyed: tuple[int, Listed]) -> tuple[int, bool]:
    return keyed[0], keyed[1].is_aside


def _grouped(
    hashes: NDArray[np.uint64], starts: Numbers, *, is_aside: bool
) -> Iterator[tuple[int, Listed]]:
    hashes = hashes[starts[0] : starts[-1]]
    lengths = np.diff(starts)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    positions = np.arange(len(hashes)) - np.repeat(starts[:-1] - starts[0], lengths)
    order = np.argsort(hashes, kind="stable")
    begins = np.flatnonzero(np.diff(hashes[order], prepend=~hashes[order[:1]]))
    for begin, end in pairwise([*begins.tolist(), len(hashes)]):
        told = order[begin:end]
        of_row, firsts, times = np.unique(rows[told], return_index=True, return_counts=True)
        gaps = np.diff(positions[told], prepend=-1) - 1
        gaps[firsts] = positions[told][firsts]
        if is_aside:
            times, gaps = np.ones_like(times), gaps[:0]
        yield int(hashes[told[0]]), Listed(is_aside, of_row, times, gaps)


def merge(opened: Sequence[Opened], rows: int, gone: NDArray[np.bool_] | None) -> bytes:
    """Return one run of `rows` rows of neighbouring ones, without the postings of `gone` ones."""
    first_row = opened[0].header.first_row
    lists: dict[tuple[int, bool], list[Listed]] = {}
    lengths = np.empty(rows, np.uint8)
    for each in opened:
        offset = each.header.first_row - first_row
        count = min(each.header.rows, rows - offset)
        if count <= 0:
            continue
        lengths[offset : offset + count] = each.lengths(count)
        for term, key in enumerate(each.keys().tolist()):
            listed = each.listed(term)
            keep = listed.rows < count
            if gone is not None:
                keep[keep] = ~gone[offset + listed.rows[keep]]
            kept = listed.kept(keep)
            moved = Listed(kept.is_aside, kept.rows + offset, kept.times, kept.gaps)
            lists.setdefault((key, kept.is_aside), []).append(moved)
    joined = [(key, _joined(some)) for (key, _), some in sorted(lists.items(), key=_first)]
    return _run_bytes(first_row, lengths, [each for each in joined if len(each[1].rows)])


def _first(item: tuple[tuple[int, bool], list[Listed]]) -> tuple[int, bool]:
    return item[0]


def _joined(some: Sequence[Listed]) -> Listed:
    def all_of(part: Callable[[Listed], Numbers]) -> Numbers:
        return np.concatenate([part(each) for each in some])

    return Listed(
        some[0].is_aside,
        all_of(lambda each: each.rows),
        all_of(lambda each: each.times),
        all_of(lambda each: each.gaps),
    )


def _run_bytes(
    first_row: int, lengths: NDArray[np.uint8], lists: Sequence[tuple[int, Listed]]
) -> bytes:
    told = [_list_bytes(listed) for _, listed in lists]
    ends = np.cumsum(list(map(len, told)))
    lists_bytes = int(ends[-1]) if told else 0
    places = runs.places(len(lengths), len(lists), lists_bytes)
    size_bytes = places.end + 8 * runs.chunks_in(places.end)
    if size_bytes > runs.MAX_BYTES:
        raise Oversize(f"a run of {size_bytes} bytes")
    tokens = int(runs.sizes()[lengths].sum())
    header = runs.Header(first_row, len(lengths), len(lists), tokens, lists_bytes, size_bytes)
    keys = np.array([key for key, _ in lists], "<u8").tobytes()
    body = b"".join([keys, ends.astype("<u4").tobytes(), lengths.tobytes(), *told])
    body = body.ljust(places.end - runs.BODY_AT, b"\0")
    chunks = (body[at : at + runs.CHUNK_BYTES] for at in range(0, len(body), runs.CHUNK_BYTES))
    sums = np.array([xxhash.xxh64_intdigest(chunk) for chunk in chunks], "<u8")
    return runs.pack_header(header) + body + sums.tobytes()
