"""Taking turns: a lock that is granted in the order of asking.

The engine takes a turn for every step, so that requests of several threads advance side by side. A
plain lock would let the thread that just released it take it again at once, and starve the others.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType


class Queue:
    """Waiters in order; the first goes when its condition holds. Used with `changed` held."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._waiting: deque[object] = deque()

    def wait(self, may_go: Callable[[], bool]) -> None:
        """Return when all who came before have gone and `may_go()` is true.

        A waiter that is interrupted leaves the queue, so that it never blocks those behind it.
        """
        me = object()
        self._waiting.append(me)
        try:
            self.changed.wait_for(lambda: self._waiting[0] is me and may_go())
        finally:
            self._waiting.remove(me)
            self.changed.notify_all()


class Turns:
    """A first-come first-served lock, used as a context manager."""

    def __init__(self) -> None:
        self._queue = Queue()
        self._is_taken = False

    def __enter__(self) -> None:
        with self._queue.changed:
            self._queue.wait(lambda: not self._is_taken)
            self._is_taken = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._queue.changed:
            self._is_taken = False
            self._queue.changed.notify_all()
