"""What is asked of postings, and what it is worth: terms, and BM25.

Robertson and Zaragoza, Foundations and Trends in Information Retrieval, 2009, with the constants
that Lucene chose (lucene/core/src/java/org/apache/lucene/search/similarities/BM25Similarity.java):
of a row with `times` of a term and `length` tokens the term's part is

    weight · times · (1.2 + 1) / (times + 1.2 · (1 - 0.75 + 0.75 · length / mean_length))

and of an aside its weight. Each part is rounded to a multiple of a unit that the ask alone decides,
and is one at least, so sums are exact: neither the order of terms matters, nor which run a row is
in, nor which twin adds.
"""

import ctypes
import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import native, runs

_K1, _B = 1.2, 0.75
_TERMS_MAX = 10_000
_UNITS_BITS = 30  # all terms of an ask together reach no higher, which leaves room to round up


@dataclass(frozen=True, eq=False)
class Ask:
    """Terms to rank by; made once, for any number of runs.

    A term with one member is a token or an aside, one with several a phrase of text tokens.
    """

    keys: NDArray[np.uint64]
    """All distinct keys."""
    starts: NDArray[np.int64]
    """Where the members of each term begin, and where the last one's end; shape (terms + 1,)."""
    members: NDArray[np.int64]
    """Which of `keys` each is."""
    offsets: NDArray[np.int64]
    """Where in the phrase each member stands."""
    weights: NDArray[np.float64]
    """What each term weighs, idf times boost: at least 0."""
    must: NDArray[np.bool_]
    """Whether a row has to hold each term."""

    def __post_init__(self) -> None:
        """Raise ValueError for weights that cannot be added up."""
        if not (np.isfinite(self.weights).all() and (self.weights >= 0).all()):
            raise ValueError(f"weights of an ask are {self.weights.tolist()}")
        assert (np.diff(self.starts) > 0).all(), self.starts
        assert len(self.starts) == len(self.weights) + 1 == len(self.must) + 1
        assert len(self.members) == len(self.offsets) == self.starts[-1]
        if len(self.weights) > _TERMS_MAX:
            raise ValueError(f"an ask has {len(self.weights)} terms")

    @functools.cached_property
    def unit(self) -> float:
        """What scores are multiples of, a power of two."""
        reach = math.frexp(float(self.weights.sum()) * (_K1 + 1))[1]
        return math.ldexp(1.0, max(reach, -900) - _UNITS_BITS)

    @functools.cached_property
    def tops(self) -> NDArray[np.float64]:
        """What each term would give if a row said nothing else for ever, in units."""
        return self.weights * (_K1 + 1) / self.unit

    @functools.cached_property
    def flats(self) -> NDArray[np.uint32]:
        """What each term gives as an aside, in units, at least one."""
        return np.maximum(np.floor(self.weights / self.unit + 0.5), 1).astype(np.uint32)

    @functools.cached_property
    def view(self) -> "AskView":
        """The same as the kernel takes it."""
        return AskView.of(self)


class AskView(ctypes.Structure):
    """csrc/postings.cpp has the same."""

    held: list[NDArray[Any]]
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("keys", "starts", "members", "offsets")),
        *((name, ctypes.c_void_p) for name in ("tops", "flats", "must")),
        *((name, ctypes.c_int64) for name in ("keys_count", "terms")),
    )

    @classmethod
    def of(cls, ask: Ask) -> "AskView":
        """Return where the parts of an ask are, and hold on to them."""
        kinds = (np.uint64, np.int64, np.int64, np.int64, np.float64, np.uint32, np.bool_)
        parts = (ask.keys, ask.starts, ask.members, ask.offsets, ask.tops, ask.flats, ask.must)
        held: list[NDArray[Any]] = [
            np.ascontiguousarray(part, kind) for part, kind in zip(parts, kinds, strict=True)
        ]
        view = cls(*map(native.at, held), len(ask.keys), len(ask.weights))
        view.held = held
        return view


class Ranked(NamedTuple):
    """Rows and their scores, best first."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


@functools.lru_cache(64)
def norms(mean_length: float) -> NDArray[np.float64]:
    """Return what each of the 256 lengths adds to the count of a term below its part."""
    relative = runs.sizes() / mean_length if mean_length > 0 else np.ones(256)
    return _K1 * (1 - _B + _B * relative)
