"""Who may hold a KV cache, and whose beginning is shared.

Caches are most of what requests cost in memory, so they come from one budget and are granted in the
order of asking. A cache that is given back stays warm: the next prompt with the same beginning (a
system prompt, a set of posts) takes it over and skips what is already there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fairwitness.engine.sequence import Sequence, capacity_for, shared_tokens
from fairwitness.engine.turns import Queue


class SequencePool:
    """Sequences within `budget` positions, those in use and those kept warm together.

    One request that needs more than the whole budget is let in when it is alone.
    """

    def __init__(self, new_sequence: Callable[[], Sequence], budget: int) -> None:
        self._new_sequence = new_sequence
        self._budget = budget
        self._queue = Queue()
        self._leased = 0  # positions promised to sequences in use
        self._warm: list[Sequence] = []  # least recently used first

    @contextmanager
    def lease(self, prompt_ids: tuple[int, ...], positions: int) -> Iterator[Sequence]:
        """A sequence that may grow to `positions`, already filled with as much of the prompt as a
        warm one has. Waits until there is room."""
        capacity = capacity_for(positions)
        with self._queue.changed:
            self._queue.wait(lambda: not self._leased or self._leased + capacity <= self._budget)
            sequence = self._take(prompt_ids)
            self._leased += capacity
            self._evict()
        is_sound = False
        try:
            yield sequence
            is_sound = True
        except GeneratorExit:  # the caller lost interest, between two steps
            is_sound = True
            raise
        finally:
            with self._queue.changed:
                self._leased -= capacity
                if is_sound and sequence.chunk_ids:
                    self._warm.append(sequence)
                self._evict()
                self._queue.changed.notify_all()

    def _take(self, prompt_ids: tuple[int, ...]) -> Sequence:
        best = max(
            self._warm, key=lambda warm: shared_tokens(warm.chunk_ids, prompt_ids), default=None
        )
        if best is None or not (shared := shared_tokens(best.chunk_ids, prompt_ids)):
            return self._new_sequence()
        self._warm.remove(best)
        best.rewind(shared)
        return best

    def _evict(self) -> None:
        """Let the coldest go until all fit."""
        while self._warm and self._leased + self._warm_positions() > self._budget:
            del self._warm[0]

    def _warm_positions(self) -> int:
        return sum(sequence.capacity for sequence in self._warm)
