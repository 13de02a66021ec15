"""Which of the things that were just said are surprising."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.trends.recent import Recent
from fairwitness.index.trends.sketch import TICK_MS, WINDOWS, Sketch, significant
from fairwitness.kernels.trends import Items, keys_of, slots_of

_MOST = 64
"""So many new ones are taken from a tick, the most surprising first."""
_MOST_LIFT = 1000.0

Key = tuple[int, int]
"""Scope and item."""


@dataclass(frozen=True)
class Entries:
    """What the open tick says; all arrays of one length but `slots`, which is (2, n)."""

    items: Items
    scopes: NDArray[np.uint16]
    langs: NDArray[np.uint16]
    """Scope of the post's language, also where `scopes` is 0."""
    places: NDArray[np.int64]
    """Of the posts, in the ring of recent ones."""
    keys: Items
    slots: NDArray[np.int64]

    @classmethod
    def of_tick(cls, recent: Recent, slots: int) -> "Entries":
        """Return every item of the open tick, over all and again in its language."""
        items, places = recent.of_tick()
        langs = recent.scopes[places]
        own = langs > 0
        scopes = np.concatenate((np.zeros(len(own), np.uint16), langs[own]))
        items = np.concatenate((items, items[own]))
        keys = keys_of(items, scopes)
        places = np.concatenate((places, places[own]))
        langs = np.concatenate((langs, langs[own]))
        return cls(items, scopes, langs, places, keys, slots_of(keys, slots))


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
    counts = sketch.counts(entries.slots)
    at = np.flatnonzero((counts >= sketch.least()).any(axis=0))
    if not len(at):
        return []
    in_tick = sketch.in_tick(entries.slots)
    _, first, which = np.unique(entries.keys[at], return_index=True, return_inverse=True)
    lifts, strange = _lifts(sketch, entries.scopes[at], entries.langs[at], which)
    first = at[first]
    scores, expected = sketch.surprise(entries.slots[:, first], lifts)
    window = scores.argmax(axis=0)
    score = scores[window, np.arange(len(first))]
    hits = np.flatnonzero(significant(score) & ~strange)
    found = []
    for n in hits[np.argsort(-score[hits], kind="stable")].tolist():
        entry, best = first[n], int(window[n])
        key = int(entries.scopes[entry]), int(entries.items[entry])
        if key not in known:
            found.append(Hit(key, best, float(expected[best, n]), int(in_tick[entry])))
    return found[:_MOST]


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
