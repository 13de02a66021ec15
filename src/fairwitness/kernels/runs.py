"""What a run is: the postings of a stretch of rows, in bytes.

A run never changes, and of the same rows it is always the same bytes, however many runs it was
merged from. Numbers are little-endian; a varint has seven bits a byte, the lowest first, and all
bytes but its last have bit 7 set.

    header      "FWRUN", two zeros, the version 1; u64 each: first row, rows, terms, tokens, bytes
                of all lists, bytes of the run; XXH64 of these 56 bytes
    keys        u64 each, ascending; of equal ones the text's before the asides'
    ends        u32 each: where in `lists` that of each key ends
    lengths     u8 a row: how many text tokens it has, see `length_codes`
    lists       one a key
    padding     zeros, up to a multiple of 8
    checksums   XXH64 of each 32,768 bytes from the keys to the padding

Rows of a list count from the first of the run. A list is

    head        varint: rows << 2 | (any holds the token several times) << 1 | (is of asides)
    table       of more than 128 rows: for each block of 128 its last row, where its rows end, and
                for text where its positions end, u32 each
    rows        a varint each: how many rows lie between it and the one before. Behind those of a
                block, if any of the list holds the token several times: varint how many do, and for
                each of these u8 which of the block, varint times - 2
    positions   for text, of each row in turn: a varint each, how many tokens lie between it and
                the one before
"""

import functools
import struct
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

BODY_AT = 64
CHUNK_BYTES = 32_768
BLOCK_ROWS = 128
MAX_BYTES = 2**31 - 1
MAX_ROW = 2**31 - 1

_MAGIC = b"FWRUN\0\0\1"
_FIELDS = struct.Struct("<8s6Q")
_SUM = struct.Struct("<Q")
_EXACT = 128


class RunFault(Exception):
    """A run cannot be read or made."""


class RunDamaged(RunFault):
    """The bytes are no run, or not those that were written."""


class Oversize(RunFault, ValueError):
    """A run would pass 2³¹ bytes, or a row 2³¹."""


class Header(NamedTuple):
    """What a run says of itself."""

    first_row: int
    rows: int
    terms: int
    tokens: int
    lists_bytes: int
    size_bytes: int


class Places(NamedTuple):
    """Where the parts of a run begin; `end` is where its checksums do."""

    keys: int
    ends: int
    lengths: int
    lists: int
    end: int


def places(rows: int, terms: int, lists_bytes: int) -> Places:
    """Return where the parts of a run begin."""
    ends = BODY_AT + 8 * terms
    lengths = ends + 4 * terms
    lists = lengths + rows
    return Places(BODY_AT, ends, lengths, lists, -(-(lists + lists_bytes) // 8) * 8)


def chunks_in(end: int) -> int:
    """Return how many checksums a run has whose checksums begin at `end`."""
    return -(-(end - BODY_AT) // CHUNK_BYTES)


def pack_header(header: Header) -> bytes:
    """Return the first bytes of a run."""
    fields = _FIELDS.pack(_MAGIC, *header)
    return fields + _SUM.pack(xxhash.xxh64_intdigest(fields))


def read_header(data: memoryview) -> Header:
    """Return what a run says of itself; raise RunDamaged if it is none, or not whole."""
    if len(data) < BODY_AT or bytes(data[: len(_MAGIC)]) != _MAGIC:
        raise RunDamaged(f"{len(data)} bytes are no run of version {_MAGIC[-1]}")
    fields = data[: _FIELDS.size]
    if _SUM.unpack(data[_FIELDS.size : BODY_AT])[0] != xxhash.xxh64_intdigest(fields):
        raise RunDamaged("the header of a run is not as it was written")
    header = Header(*_FIELDS.unpack(fields)[1:])
    end = places(header.rows, header.terms, header.lists_bytes).end
    if header.size_bytes != len(data) or len(data) != end + 8 * chunks_in(end):
        raise RunDamaged(f"a run of {header.size_bytes} bytes has {len(data)}")
    if header.first_row + header.rows > MAX_ROW:
        raise RunDamaged(f"a run ends at row {header.first_row + header.rows}")
    return header


@functools.cache
def sizes() -> NDArray[np.uint32]:
    """Return how many tokens each of the 256 lengths stands for, shape (256,).

    A length is exact below 128; above, the sixteenth roots of 2 part each doubling, so that it is
    at most 4.3 % too small, and 31,378 at most.
    """
    roots = np.arange(256 - _EXACT) / 16
    return np.append(np.arange(_EXACT), np.floor(_EXACT * 2.0**roots)).astype(np.uint32)


def length_codes(lengths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the one byte that stands for each length: the largest one that is not more."""
    return (np.searchsorted(sizes(), lengths, side="right") - 1).astype(np.uint8)
