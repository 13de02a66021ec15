"""Which rows of a slice a query's clauses allow, as one bool a row.

Columns decide most conditions in a pass over one array. The rows that say something are looked up
in the slice's runs of postings and become a column too.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.changes import author_hash
from fairwitness.index.columns import AUTHOR_FLOODS, COPIES_FLOOD, LINKED, REPLY, REPOST
from fairwitness.index.query import SAID, Clause, Condition, Kind
from fairwitness.index.rows import handle_hash
from fairwitness.index.said import said
from fairwitness.index.slice import Slice
from fairwitness.index.table import Table
from fairwitness.index.words import Runs

Mask = NDArray[np.bool_]

_FLAGS: dict[Kind, int] = {
    "link": LINKED,
    "reply": REPLY,
    "repost": REPOST,
    "flood": AUTHOR_FLOODS | COPIES_FLOOD,
}
_COUNTS: tuple[Kind, ...] = ("likes", "reposts", "replies")
_LISTED: frozenset[Kind] = frozenset(("from", "lang", "network"))


class _Among(NamedTuple):
    """A post's value is one of some, or none of them: many conditions in one pass."""

    kind: Kind
    values: tuple[str, ...]
    negated: bool


_Test = _Among | Condition


class Filters:
    """What some clauses allow."""

    def __init__(self, clauses: Iterable[Clause], table: Table, as_of_ms: int | None) -> None:
        # What takes longest comes last: it looks only at what the others left.
        self._clauses = sorted(_merged(clauses), key=_cost)
        self._table = table
        self._as_of_ms = as_of_ms

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._clauses)

    @property
    def lasting(self) -> tuple[tuple[_Test, ...], ...] | None:
        """What tells these clauses from others, if what they allow of a sealed slice stays so."""
        tests = [test for tests in self._clauses for test in tests]
        if tests and all(isinstance(test, _Among) and test.kind != "from" for test in tests):
            return tuple(self._clauses)
        return None

    def leave_out(self, part: Slice) -> bool:
        """Return whether no post of a slice is young enough, without a look at any."""
        latest_ms = part.history.latest_ms
        return any(
            all(test.kind == "since" and _is_after(test, latest_ms) for test in tests)
            for tests in self._clauses
        )

    def narrow(self, allowed: Mask, part: Slice, runs: Runs) -> int:
        """Take out of `allowed`, the first rows of `part`, those that some clause does not hold of,
        and return how many are left.

        Costs a pass over a column for most conditions, a pass over its postings for a word, and for
        engagement before a past moment some µs a post.
        """
        left: int | None = None
        for tests in self._clauses:
            left = None
            if len(tests) == 1:
                left = self._keep(tests[0], allowed, part, negated=tests[0].negated)
                if left == 0:
                    return 0
                if left is not None:
                    continue
            held = np.zeros(len(allowed), np.bool_)
            for test in tests:
                mask = self._where(test, allowed, part, runs)
                held |= ~mask if test.negated else mask
            allowed &= held
        return int(np.count_nonzero(allowed)) if left is None else left

    def _keep(self, test: _Test, kept: Mask, part: Slice, *, negated: bool) -> int | None:
        """Narrow `kept` by a test of one number a row, and return how many are left; None, with
        nothing done, for any other test."""
        columns, table = part.columns, self._table
        match test:
            case _Among("lang", values):
                return columns.keep_lang(kept, table.langs.numbers(values), negated=negated)
            case _Among("network", values):
                return columns.keep_network(kept, table.networks.numbers(values), negated=negated)
            case Condition("since", value):
                return columns.keep_made_from(kept, int(value), negated=negated)
        return None

    def _where(self, test: _Test, allowed: Mask, part: Slice, runs: Runs) -> Mask:
        columns, rows = part.columns, slice(0, len(allowed))
        kept = np.ones(len(allowed), np.bool_)
        if self._keep(test, kept, part, negated=False) is not None:
            return kept
        if isinstance(test, _Among):
            return self._of_accounts(test, allowed, part)
        if test.kind in SAID:
            return _saying(test, len(allowed), runs)
        if test.kind in _FLAGS:
            flagged: Mask = part.history.marks.flags[rows] & _FLAGS[test.kind] != 0
            return flagged
        value = int(test.value)
        if test.kind == "quality":
            worthy: Mask = columns.quality[rows] >= value
            return worthy
        rest = np.flatnonzero(allowed)
        counts = part.history.counts(rest, self._as_of_ms)[_COUNTS.index(test.kind)]
        enough = np.zeros(len(allowed), np.bool_)
        enough[rest] = counts >= value
        return enough

    def _of_accounts(self, test: _Among, allowed: Mask, part: Slice) -> Mask:
        columns, rows = part.columns, slice(0, len(allowed))
        networks = self._table.networks.all()
        accounts = [author_hash(network, each) for network in networks for each in test.values]
        by_handle = _isin(columns.handle[rows], [handle_hash(each) for each in test.values])
        by_account = _isin(columns.author[rows], accounts)
        return _without_namesakes((by_handle | by_account) & allowed, test.values, part)


def _is_after(test: _Test, moment_ms: int) -> bool:
    return isinstance(test, Condition) and not test.negated and int(test.value) > moment_ms


def _without_namesakes(found: Mask, values: Sequence[str], part: Slice) -> Mask:
    """Take out the rows of accounts that only share a hash: one post of each account tells."""
    rows = np.flatnonzero(found)
    authors, firsts = np.unique(part.columns.author[rows], return_index=True)
    handles = {value.removeprefix("@").casefold() for value in values}
    for author, row in zip(authors.tolist(), rows[firsts].tolist(), strict=True):
        post = part.texts.post_at(row)
        handle = post.author.removeprefix("@").casefold()
        if handle not in handles and post.author_id not in values:
            found[rows[part.columns.author[rows] == author]] = False
    return found


def _saying(condition: Condition, row_count: int, runs: Runs) -> Mask:
    """Return which of the first rows say what a condition asks for, whether negated or not."""
    found = np.zeros(row_count, np.bool_)
    wanted = said(condition)
    if wanted is not None:
        for each in runs:
            rows = wanted.rows_in(each.run)
            found[rows[rows < row_count]] = True
    return found


def _merged(clauses: Iterable[Clause]) -> list[tuple[_Test, ...]]:
    """Return clauses with what one pass can answer put together: `from:a OR from:b`, `-from:a`."""
    merged: list[tuple[_Test, ...]] = []
    excluded: dict[Kind, list[str]] = defaultdict(list)
    for clause in clauses:
        only = clause[0]
        if len(clause) == 1 and only.negated and only.kind in _LISTED:
            excluded[only.kind].append(str(only.value))
        else:
            merged.append(_alternatives(clause))
    merged += ((_Among(kind, tuple(values), True),) for kind, values in excluded.items())
    return merged


def _alternatives(clause: Clause) -> tuple[_Test, ...]:
    listed: dict[Kind, list[str]] = defaultdict(list)
    others: list[_Test] = []
    for condition in clause:
        if condition.kind not in _LISTED:
            others.append(condition)
        elif condition.negated:
            others.append(_Among(condition.kind, (str(condition.value),), True))
        else:
            listed[condition.kind].append(str(condition.value))
    return (*(_Among(kind, tuple(values), False) for kind, values in listed.items()), *others)


def _cost(tests: Sequence[_Test]) -> int:
    kinds = {test.kind for test in tests}
    return 2 if kinds.intersection(_COUNTS) else 1 if kinds & SAID else 0


def _isin(column: NDArray[np.unsignedinteger], values: Sequence[int]) -> Mask:
    if len(values) == 1:
        same: Mask = column == column.dtype.type(values[0])
        return same
    return np.isin(column, np.array(values, column.dtype))
