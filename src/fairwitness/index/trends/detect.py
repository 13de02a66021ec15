"""Which of the things that were just said are surprising."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.trends.recent import Recent
from fairwitness.index.trends.sketch import TICK_MS, WINDOWS, Sketch, significant
from fairwitness.index.trends.window import Touched
from fairwitness.kernels.trends import Items, hot, keys_of, slots_of

_MOST = 64
"""So many new ones are taken from a tick, the most surprising first."""
_MOST_LIFT = 1000.0
_FEW = 1 / 16
"""Of all slots; with fewer entries it is faster to look at theirs than at all."""

Key = tuple[int, int]
"""Scope and item."""


@dataclass(frozen=True)
class Entries:
    """What the open tick says, as far as it is remembered; arrays of one length."""

    items: Items
    langs: NDArray[np.uint16]
    """Scope of the post's language."""
    places: NDArray[np.int64]
    """Of the posts, in the ring of recent ones."""

    @classmethod
    def of_tick(cls, recent: Recent) -> "Entries":
        """Return every item of the open tick."""
        items, places = recent.of_tick()
        return cls(items, recent.scopes[places], places)

    def touched(self, slots: int) -> Touched:
        """Return the slots that the tick counted in; so many `slots` there are in a row."""
        if len(self.items) > slots * _FEW:
            return None
        own = self.langs > 0
        keys = (keys_of(self.items, 0 * self.langs), keys_of(self.items[own], self.langs[own]))
        return [np.unique(row) for row in slots_of(np.concatenate(keys), slots)]


@dataclass(frozen=True)
class Hit:
    """Something surprising in the open tick."""

    key: Key
    window: int
    """Which of WINDOWS it is most surprising in."""
    expected: float
    """In that window."""
    count: int
    """In the open tick."""

    @property
    def before_per_minute(self) -> float:
        """What was usual, raised with the number of all posts."""
        return self.expected * 60_000 / TICK_MS / WINDOWS[self.window]


def surprising(sketch: Sketch, entries: Entries, known: Collection[Key]) -> list[Hit]:
    """Return what is surprising and not yet known, the most surprising first."""
    at, own = _perhaps(sketch, entries)
    if not len(at):
        return []
    items, langs = entries.items[at], entries.langs[at]
    scopes = np.where(own, langs, 0).astype(np.uint16)
    keys, first, which = np.unique(keys_of(items, scopes), return_index=True, return_inverse=True)
    slots = slots_of(keys, sketch.slots)
    lifts, strange = _lifts(sketch, scopes, langs, which)
    scores, expected = sketch.surprise(slots, lifts)
    window = scores.argmax(axis=0)
    score = scores[window, np.arange(len(keys))]
    in_tick = sketch.in_tick(slots)
    hits = np.flatnonzero(significant(score) & ~strange)
    found = []
    for n in hits[np.argsort(-score[hits], kind="stable")].tolist():
        entry, best = first[n], int(window[n])
        key = int(scopes[entry]), int(items[entry])
        if key not in known:
            found.append(Hit(key, best, float(expected[best, n]), int(in_tick[n])))
    return found[:_MOST]


def _perhaps(sketch: Sketch, entries: Entries) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the entries that may be surprising, and whether in their language or over all."""
    if len(entries.items) > sketch.slots * _FEW:
        return hot(entries.items, entries.langs, sketch.hot())
    found = []
    for scopes in (0 * entries.langs, entries.langs):
        found.append(sketch.hot_at(slots_of(keys_of(entries.items, scopes), sketch.slots)))
    found[1] &= entries.langs > 0
    at, own = np.nonzero(np.stack(found, axis=1))
    return at, own > 0


def _lifts(
    sketch: Sketch,
    scopes: NDArray[np.uint16],
    langs: NDArray[np.uint16],
    which: NDArray[np.int64],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return how much more posts explain of each thing, and of what nobody knows what is usual.

    Where a language wakes up all its words do, in it and over all; so they have to rise more than
    it does. which: (entries,), the thing each is of. Lifts are (windows, things).
    """
    lifts = np.minimum(sketch.lifts(), _MOST_LIFT)
    of_entry = np.maximum(lifts[:, scopes], lifts[:, langs])
    entries = np.bincount(which)
    lifted = np.stack([np.bincount(which, row) / entries for row in of_entry])
    strange = np.bincount(which, sketch.unknown()[langs]) / entries > 0.5
    return lifted.astype(np.float32), strange
