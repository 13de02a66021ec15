"""Postings: what a dict of rows says, from both twins, however the rows are parted into runs."""

import functools
import gc
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels import native, runs
from fairwitness.kernels.postings import (
    ASIDE,
    Ask,
    Part,
    Ranked,
    Run,
    build,
    counts,
    merge,
    rank,
)

Row = tuple[list[int], list[int]]
"""The text tokens of a row in order, and its asides."""

# Tokens by small names; some keys are as small and as large as they get.
KEYS = [0, 2**64 - 1, *(xxhash.xxh64_intdigest(bytes([name])) for name in range(6))]
FIRST_ROW = 1_000


class Keys(NamedTuple):
    hashes: np.ndarray
    starts: np.ndarray


def keys_of(rows: Sequence[Sequence[int]], apart: int = 0) -> Keys:
    hashes = [KEYS[token] ^ apart if token < len(KEYS) else token for row in rows for token in row]
    starts = np.cumsum([0, *map(len, rows)])
    return Keys(np.array(hashes, np.uint64), starts.astype(np.int64))


def made(rows: Sequence[Row], first_row: int = FIRST_ROW) -> bytes | memoryview:
    text, aside = keys_of([row[0] for row in rows]), keys_of([row[1] for row in rows], int(ASIDE))
    return build(first_row, text, aside)


def parted(rows: Sequence[Row], cuts: Sequence[int]) -> list[Run]:
    """Return runs of the rows between cuts."""
    edges = [0, *sorted(cut % (len(rows) + 1) for cut in cuts), len(rows)]
    return [Run(made(rows[begin:end], FIRST_ROW + begin)) for begin, end in pairwise(edges)]


def ranked(
    run: Run,
    ask: Ask,
    mean_length: float,
    depth: int,
    end_row: int,
    allowed: np.ndarray | None = None,
) -> Ranked:
    (found,) = rank([Part(run, end_row, allowed)], ask, mean_length, depth)
    return found


ROWS = st.lists(
    st.tuples(st.lists(st.integers(0, 7), max_size=8), st.lists(st.integers(0, 7), max_size=3)),
    max_size=30,
)
CUTS = st.lists(st.integers(0, 99), max_size=4)
# Long enough for several blocks of 128 rows; LONGEST also for several windows of 16,384.
LONG = st.tuples(st.integers(0, 9), st.sampled_from([129, 700])).map(
    lambda drawn: long_rows(*drawn)
)
LONGEST = st.tuples(st.integers(0, 1), st.sampled_from([700, 20_000])).map(
    lambda drawn: long_rows(*drawn)
)


@functools.cache
def long_rows(seed: int, count: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 5, count)
    # Of eight tokens the first is in most rows, the last in few of them.
    chosen = np.minimum(rng.exponential(1.2, (count, 5)).astype(int), 7).tolist()
    lengths[count // 2 : count // 2 + 3] = 200
    return [
        ((chosen[row] * 50)[:length], chosen[row][: length % 3])
        for row, length in enumerate(lengths.tolist())
    ]


def phrase_times(tokens: Sequence[int], phrase: Sequence[tuple[int, int]]) -> int:
    """Return how often tokens stand at their offsets."""
    return sum(
        all(0 <= at + apart < len(tokens) and tokens[at + apart] == name for name, apart in phrase)
        for at in range(-10, len(tokens) + 10)
    )


class Asked(NamedTuple):
    """An ask in small names: phrases of text, or single asides."""

    phrases: list[list[tuple[int, int]]]
    asides: list[int]
    weights: list[float]
    must: list[bool]

    def ask(self) -> Ask:
        members = [(KEYS[name], apart) for phrase in self.phrases for name, apart in phrase]
        members += [(KEYS[name] ^ int(ASIDE), 0) for name in self.asides]
        keys = sorted({key for key, _ in members})
        sizes = [*map(len, self.phrases), *(1 for _ in self.asides)]
        return Ask(
            keys=np.array(keys, np.uint64),
            starts=np.cumsum([0, *sizes]).astype(np.int64),
            members=np.array([keys.index(key) for key, _ in members], np.int64),
            offsets=np.array([apart for _, apart in members], np.int64),
            weights=np.array(self.weights, np.float64),
            must=np.array(self.must, bool),
        )

    def score(self, row: Row, mean: float, unit: float) -> float | None:
        """Return the score of a row by the formula, None if it is not found."""
        length = int(runs.sizes()[runs.length_codes(np.array([len(row[0])]))[0]])
        relative = length / mean if mean > 0 else 1.0
        parts = []
        for phrase, weight in zip(self.phrases, self.weights, strict=False):
            times = phrase_times(row[0], phrase)
            part = weight * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * relative))
            parts.append(max(round(part / unit), 1) * unit if times else 0.0)
        for name, weight in zip(self.asides, self.weights[len(self.phrases) :], strict=True):
            parts.append(max(round(weight / unit), 1) * unit if name in row[1] else 0.0)
        if not all(part for part, must in zip(parts, self.must, strict=True) if must):
            return None
        return sum(parts) or None


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    token = st.integers(0, 7)
    phrase = st.lists(st.tuples(token, st.integers(0, 3)), min_size=1, max_size=3)
    phrases = draw(st.lists(phrase, max_size=3))
    asides = draw(st.lists(token, max_size=2))
    count = len(phrases) + len(asides)
    weight = st.floats(0, 20) | st.sampled_from([0.0, 1e-9, 1.0])
    weights = draw(st.lists(weight, min_size=count, max_size=count))
    musts = st.lists(st.sampled_from([False, False, True]), min_size=count, max_size=count)
    return Asked(phrases, asides, weights, draw(musts))


def same(one: Ranked, other: Ranked) -> bool:
    return bool(np.array_equal(one.rows, other.rows) and np.array_equal(one.scores, other.scores))


def best(ranked: Sequence[Ranked], depth: int) -> list[tuple[float, int]]:
    """Return the best of several runs together."""
    pairs = [
        (score, row)
        for each in ranked
        for row, score in zip(each.rows.tolist(), each.scores.tolist(), strict=True)
    ]
    return sorted(pairs, reverse=True)[:depth]


# ── what is held ─────────────────────────────────────────────────────────────────────────────────


def check_held(run: Run, rows: Sequence[Row], first_row: int = FIRST_ROW) -> None:
    """Hold a run to the rows that it is of."""
    end = first_row + len(rows)
    assert (run.first_row, run.rows, run.end_row) == (first_row, len(rows), end)
    lengths = [len(text) for text, _ in rows]
    assert run.tokens == runs.sizes()[runs.length_codes(np.array(lengths, np.int64))].sum()
    keys = np.array([*KEYS, *(key ^ int(ASIDE) for key in KEYS), 12345], np.uint64)
    holding = [[at for at, (text, _) in enumerate(rows) if name in text] for name in range(8)]
    holding += [[at for at, (_, aside) in enumerate(rows) if name in aside] for name in range(8)]
    holding.append([])
    assert run.terms == sum(map(bool, holding))
    assert counts([Part(run, run.end_row)], keys).tolist() == list(map(len, holding))
    for key, at in zip(keys, holding, strict=True):
        assert run.rows_with(key).tolist() == [first_row + row for row in at]
    for below in (0, first_row, first_row + len(rows) // 2, end, end + 1):
        cut = sum(length for at, length in enumerate(lengths) if first_row + at < below)
        assert max(lengths, default=0) > 127 or run.tokens_before(below) == cut
        expected = [sum(first_row + row < below for row in at) for at in holding]
        assert counts([Part(run, below)], keys).tolist() == expected
    run.verify()


@settings(deadline=None, max_examples=30)
@given(rows=ROWS | LONG, cuts=CUTS)
def test_a_run_holds_what_its_rows_say(rows: list[Row], cuts: list[int]) -> None:
    whole = made(rows)
    check_held(Run(whole), rows)
    assert merge(parted(rows, cuts)) == whole, "runs that are merged are as if built at once"


@settings(deadline=None, max_examples=25)
@given(rows=ROWS | LONG, cuts=CUTS)
def test_the_twins_write_the_same_bytes(rows: list[Row], cuts: list[int]) -> None:
    if native.library() is None:
        pytest.skip("NO NATIVE KERNELS: nothing to compare")
    parts = parted(rows, cuts)
    gone = np.arange(len(rows)) % 3 == 1
    end_row = FIRST_ROW + len(rows) * 2 // 3
    told = [made(rows), merge(parts), merge(parts, gone), merge(parts, gone, end_row)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: None)
        check_held(Run(made(rows)), rows)
        assert told == [made(rows), merge(parts), merge(parts, gone), merge(parts, gone, end_row)]


@settings(deadline=None, max_examples=40)
@given(rows=ROWS | LONG, cuts=CUTS, gone_seed=st.integers(0, 9), share=st.floats(0, 1))
def test_what_is_gone_or_beyond_the_end_is_left_out(
    rows: list[Row], cuts: list[int], gone_seed: int, share: float
) -> None:
    gone = np.random.default_rng(gone_seed).random(len(rows)) < share
    kept = int(len(rows) * share)
    left = Run(merge(parted(rows, cuts), gone, FIRST_ROW + kept))
    empty: Row = ([], [])
    silent = [empty if is_gone else row for row, is_gone in zip(rows, gone, strict=True)][:kept]
    expected = Run(made(silent))
    assert left.tokens == Run(made(rows[:kept])).tokens
    assert left.terms == expected.terms
    for name in range(8):
        for key in (KEYS[name], KEYS[name] ^ int(ASIDE)):
            assert np.array_equal(left.rows_with(key), expected.rows_with(key))
        keys = [KEYS[name], KEYS[name - 1]]
        assert np.array_equal(left.rows_saying(keys, [0, 1]), expected.rows_saying(keys, [0, 1]))
    assert merge([left]) == merge([left, Run(made([], FIRST_ROW + kept))])


# ── what is asked ────────────────────────────────────────────────────────────────────────────────


@settings(deadline=None, max_examples=60)
@given(
    rows=ROWS | LONG,
    phrase=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4)), min_size=1, max_size=4),
)
def test_a_phrase_is_found_where_it_stands(rows: list[Row], phrase: list[tuple[int, int]]) -> None:
    run = Run(made(rows))
    names, apart = zip(*phrase, strict=True)
    expected = [
        FIRST_ROW + at
        for at, (text, _) in enumerate(rows)
        if (names[0] in text if len(phrase) == 1 else phrase_times(text, phrase))
    ]
    keys = [KEYS[name] for name in names]
    assert run.rows_saying(keys, apart).tolist() == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: None)
        assert run.rows_saying(keys, apart).tolist() == expected
    assert len(phrase) == 1 or not len(run.rows_saying([KEYS[0] ^ int(ASIDE), *keys], [0, *apart]))


@settings(deadline=None, max_examples=150)
@given(
    rows=ROWS | LONG,
    query=asked(),
    cuts=CUTS,
    depth=st.sampled_from([0, 1, 3, 10, 10**9]),
    end=st.integers(0, 40),
    masked=st.booleans(),
)
def test_the_best_rows_are_those_of_the_formula(
    rows: list[Row], query: Asked, cuts: list[int], depth: int, end: int, masked: bool
) -> None:
    end_row = FIRST_ROW + (end if end < 30 else len(rows))
    allowed = np.random.default_rng(end).random(FIRST_ROW + len(rows) + 40) < 0.7
    ask, run = query.ask(), Run(made(rows))
    mean = run.tokens / max(run.rows, 1)
    given_mask = allowed if masked else None
    found = ranked(run, ask, mean, depth, end_row, given_mask)
    scores = {FIRST_ROW + at: query.score(row, mean, ask.unit) for at, row in enumerate(rows)}
    truth = sorted(
        (
            (score, row)
            for row, score in scores.items()
            if score and row < end_row and (not masked or allowed[row])
        ),
        reverse=True,
    )[:depth]
    assert len(found.rows) == len(truth)
    for row, score, (expected, _) in zip(*found, truth, strict=True):
        assert math.isclose(score, scores[int(row)] or 0.0, abs_tol=9 * ask.unit)
        assert math.isclose(score, expected, abs_tol=9 * ask.unit)
    pairs = list(zip(found.scores.tolist(), found.rows.tolist(), strict=True))
    assert pairs == sorted(pairs, reverse=True), "best first, of equals the later one"
    assert len(set(found.rows.tolist())) == len(pairs)
    several = [Part(part, end_row, given_mask) for part in parted(rows, cuts)]
    together = rank(several, ask, mean, depth)
    assert best(together, depth) == pairs, "runs decide nothing"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: None)
        assert same(ranked(run, ask, mean, depth, end_row, given_mask), found)
        for plain, mine in zip(rank(several, ask, mean, depth), together, strict=True):
            assert same(plain, mine)


@settings(deadline=None, max_examples=40)
@given(
    rows=LONGEST, query=asked(), depth=st.sampled_from([1, 10, 200, 10**6]), share=st.floats(0, 1)
)
def test_the_twins_find_the_same_in_long_runs(
    rows: list[Row], query: Asked, depth: int, share: float
) -> None:
    run, ask = Run(made(rows)), query.ask()
    allowed = np.random.default_rng(depth).random(run.end_row) < share
    end_row = FIRST_ROW + int(share * 1.2 * len(rows))
    asks = [(2.0, depth, run.end_row, None), (2.0, depth, min(end_row, run.end_row), allowed)]
    found = [ranked(run, ask, *each) for each in asks]
    said = run.rows_saying(KEYS[1:3], [0, 1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: None)
        for each, expected in zip(asks, found, strict=True):
            assert same(ranked(run, ask, *each), expected)
        assert np.array_equal(run.rows_saying(KEYS[1:3], [0, 1]), said)


def test_a_row_that_says_it_shorter_or_more_often_is_better(twin: str) -> None:
    rows: list[Row] = [([2, 3, 4], []), ([2], []), ([2, 2, 4], []), ([3], [2]), ([2, 3, 5], [])]
    run = Run(made(rows))
    ask = Asked([[(2, 0)]], [2], [1.0, 0.25], [False, False]).ask()
    found = ranked(run, ask, 2.0, 10, run.end_row)
    assert (found.rows - FIRST_ROW).tolist() == [1, 2, 4, 0, 3]
    expected = [2.2 / (1 + 1.2 * 0.625), 4.4 / (2 + 1.2 * 1.375), *2 * [2.2 / (1 + 1.2 * 1.375)]]
    assert np.allclose(found.scores, [*expected, 0.25], atol=1e-8)


def test_weights_that_cannot_be_added_are_refused() -> None:
    for weight in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="weights of an ask"):
            Asked([[(1, 0)]], [], [weight], [False]).ask()


# ── extremes ─────────────────────────────────────────────────────────────────────────────────────


def test_no_rows_and_empty_texts(twin: str) -> None:
    nothing = Run(made([]))
    check_held(nothing, [])
    check_held(Run(made([([], [])] * 3)), [([], [])] * 3)
    ask = Asked([[(1, 0)], [(1, 0), (2, 1)]], [1], [1.0, 2.0, 3.0], [False] * 3).ask()
    silent = Run(made([([], [1, 1, 1]), ([], [])]))
    assert ranked(silent, ask, 0.0, 5, silent.end_row).rows.tolist() == [FIRST_ROW]
    assert not len(ranked(nothing, ask, 0.0, 5, 10**6).rows)
    assert Run(merge([nothing], end_row=0)).rows == 0


def test_a_text_of_a_hundred_thousand_tokens(twin: str) -> None:
    many = [*range(100, 1_100), *([2] * 99_000)]
    run = Run(made([([2], []), (many, []), ([3, 2], [])]))
    assert counts([Part(run, run.end_row)], np.array([KEYS[2], 1_099, 99], np.uint64)).tolist() == [
        3,
        1,
        0,
    ]
    assert run.rows_saying([1_098, 1_099, KEYS[2]], [0, 1, 2]).tolist() == [FIRST_ROW + 1]
    assert run.rows_saying([KEYS[2], KEYS[2]], [0, 98_999]).tolist() == [FIRST_ROW + 1]
    assert not len(run.rows_saying([KEYS[2], KEYS[2]], [0, 99_000]))
    assert run.tokens == 1 + 31_378 + 2
    ask = Asked([[(2, 0)], [(2, 0), (2, 1)]], [], [1.0, 1.0], [False, False]).ask()
    assert ranked(run, ask, 10.0, 1, run.end_row).rows.tolist() == [FIRST_ROW + 1]
    assert merge([run]) == made([([2], []), (many, []), ([3, 2], [])])


def test_one_key_may_be_of_text_and_of_asides(twin: str) -> None:
    text, aside = keys_of([[1], [2], [1]]), keys_of([[2], [1], [1]])
    run = Run(build(0, text, aside))
    assert run.terms == 4
    assert run.rows_with(KEYS[1]).tolist() == [0, 2], "text comes first"
    assert merge([run]) == build(0, text, aside)
    later = Run(build(3, text, aside))
    assert merge([run, later]) == build(
        0, keys_of([[1], [2], [1]] * 2), keys_of([[2], [1], [1]] * 2)
    )


@pytest.mark.skipif(native.library() is None, reason="NO NATIVE KERNELS: no compiler")
def test_what_a_kernel_made_is_there_as_long_as_anybody_looks_at_it() -> None:
    run = made([([1], []), ([2], [])])
    looked_at = [memoryview(merge([Run(run)]))[at:] for at in range(50)]
    gc.collect()
    assert all(look == run[at:] for at, look in enumerate(looked_at))
