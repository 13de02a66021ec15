"""What the server counts of its own work: questions, abstentions, and how long answers took."""

import bisect
import threading
import time
from collections.abc import Iterator
from itertools import accumulate

from fairwitness.answers import Finished, Said, Told

BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Upper bounds of the histograms; the promise is a first sentence within two seconds."""


class Histogram:
    """Durations in buckets, as Prometheus counts them."""

    def __init__(self) -> None:
        self._buckets = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def add(self, duration_s: float) -> None:
        """Count one duration."""
        self._buckets[bisect.bisect_left(BOUNDS_S, duration_s)] += 1
        self._sum_s += duration_s

    def read(self) -> tuple[list[int], float]:
        """Return how many were at most each bound (the last: any), and their sum in seconds."""
        return list(accumulate(self._buckets)), self._sum_s


class Counts:
    """Counted by the threads that answer, read by whoever asks for metrics."""

    def __init__(self) -> None:
        self.questions = 0
        self.abstentions = 0
        self.first_sentence = Histogram()
        self.total = Histogram()
        self._lock = threading.Lock()

    def watched(self, told: Iterator[Told], asked_s: float) -> Iterator[Told]:
        """Yield `told`, counting; `asked_s` is when the question came, on the monotonic clock."""
        with self._lock:
            self.questions += 1
        silent = True
        for each in told:
            taken_s = time.perf_counter() - asked_s
            with self._lock:
                self._count(each, taken_s, first=silent)
            silent = False
            yield each

    def _count(self, told: Told, taken_s: float, *, first: bool) -> None:
        match told:
            case Said() if first:
                self.first_sentence.add(taken_s)
            case Finished(answer):
                self.total.add(taken_s)
                self.abstentions += answer.abstained
            case _:
                pass
