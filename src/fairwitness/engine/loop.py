"""The one thread that steps: it plans, runs the model, and hands out what came of it.

It lives while there is something to do. Whoever submits or cancels only leaves word; pages, tables
and the model are touched by this thread alone. While the native step runs, the GIL is free, so the
readers of the last step's tokens work meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.request import EngineError
from fairwitness.engine.scheduler import Counts, Rules, Scheduler
from fairwitness.engine.sequence import Piece, Shown
from fairwitness.engine.tasks import Task
from fairwitness.models import DecoderConfig


class DeadlineError(EngineError):
    """The time that a request was given is over."""


class Steps(Protocol):
    """A model that runs pieces of sequences: the native step, or JAX."""

    config: DecoderConfig
    rules: Rules
    news: NDArray[np.int32]
    """One number: not 0 once somebody left word. Then what goes on by itself soon ends."""

    def step(self, pieces: Sequence[Piece]) -> list[Shown]:
        """Run the pieces; return what each wants."""

    def warm_up(self, positions: int) -> list[Callable[[], None]]:
        """What the first requests of up to `positions` would wait for, in bits of work."""


@dataclass(frozen=True)
class Load:
    """What an engine holds at one moment, and what it did so far."""

    running: int
    waiting: int
    pages_free: int
    pages_held: int
    pages_cached: int
    counts: Counts
    failovers: int = 0  # answers that had to go on in another process


IDLE = Load(0, 0, 0, 0, 0, Counts())


@dataclass
class _Chore:
    """Something to do between two steps, or when nothing runs."""

    work: Callable[[], None]
    needs_idle: bool
    is_done: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None


class Loop:
    """Steps a model for everybody who submits. Its methods may be called from any thread."""

    def __init__(self, model: Steps) -> None:
        self.model = model
        self.swaps = 0  # how often other weights took over
        self._scheduler = Scheduler(model.rules)
        self._lock = threading.Lock()
        self._tasks: dict[object, Task] = {}  # by sequence
        self._gone: deque[Task] = deque()
        self._chores: deque[_Chore] = deque()
        self._is_stepping = False

    def submit(self, task: Task) -> None:
        """Queue a task; errors as in `Scheduler.submit`."""
        with self._lock:
            self._scheduler.submit(task.sequence)
            self._tasks[task.sequence] = task
            self._wake()

    def cancel(self, task: Task) -> None:
        """Give back what a task holds, before the next step. It takes no lock: a stream can be
        dropped anywhere, also by this thread in the midst of its work."""
        self._gone.append(task)
        self.model.news[0] = 1

    def call(self, work: Callable[[], None], needs_idle: bool = False) -> None:
        """Do `work` in the stepping thread, and wait for it. With `needs_idle` those who have begun
        finish before, and those who wait begin after."""
        chore = _Chore(work, needs_idle)
        with self._lock:
            self._chores.append(chore)
            self._wake()
        chore.is_done.wait()
        if chore.failure is not None:
            raise chore.failure

    def swap(self, model: Steps) -> None:
        """Go on with other weights of the same shape; see `call`: nobody is dropped, and nobody's
        answer is of both."""

        def exchange() -> None:
            self._scheduler.tree.clear()
            self.model = model
            self.swaps += 1

        self.call(exchange, needs_idle=True)

    def load(self) -> Load:
        """What is held now."""
        with self._lock:
            scheduler = self._scheduler
            ledger = scheduler.ledger
            return Load(
                len(scheduler.running),
                len(scheduler.waiting),
                ledger.free,
                ledger.held,
                ledger.cached,
                replace(scheduler.counts),
            )

    def _wake(self) -> None:
        self.model.news[0] = 1
        if not self._is_stepping:
            self._is_stepping = True
            threading.Thread(target=self._run, name="engine", daemon=True).start()

    def _run(self) -> None:
        try:
            while self._go_on():
                pass
        except BaseException as error:  # our own fault; still nobody may wait for ever
            with self._lock:
                self._give_up(error)
            raise

    def _go_on(self) -> bool:
        """Do the next thing; whether there was one."""
        with self._lock:
            self.model.news[0] = 0
            self._tidy()
            chore = self._next_chore()
            pieces = [] if chore else self._scheduler.plan()
            self._is_stepping = bool(chore or pieces)
            if not self._is_stepping:
                return False
        if chore:
            self._do(chore)
        else:
            self._step(pieces)
        return True

    def _give_up(self, error: BaseException) -> None:
        """Tell everybody, and begin again with nothing."""
        for task in self._tasks.values():
            task.fail(EngineError(f"the engine failed: {error!r}"))
        for chore in self._chores:
            chore.failure = error
            chore.is_done.set()
        self._tasks.clear()
        self._chores.clear()
        self._scheduler = Scheduler(self.model.rules)
        self._is_stepping = False

    def _step(self, pieces: list[Piece]) -> None:
        try:
            shown = self.model.step(pieces)
        except Exception as error:  # whatever it is, nobody may wait for ever
            with self._lock:
                for piece in pieces:
                    failure = EngineError(f"the model's step failed: {error!r}")
                    self._end(self._tasks[piece.sequence], failure)
            return
        tasks = [self._tasks[piece.sequence] for piece in pieces]
        taken = list(map(_taken, tasks, pieces, shown))
        # Readers are told when all have chosen: each that wakes up wants the GIL.
        with self._lock:
            for task, piece, chosen in zip(tasks, pieces, taken, strict=True):
                if isinstance(chosen, EngineError):
                    task.tell()  # what came before
                    self._end(task, chosen)
                    continue
                self._scheduler.ran(piece, chosen)
                if task.is_finished:
                    self._end(task)
        for task in tasks:
            task.tell()

    def _tidy(self) -> None:
        """Let go of those who left, and of those whose time is over."""
        while self._gone:
            task = self._gone.popleft()
            if task.sequence in self._tasks:
                self._end(task)
        for sequence in self._scheduler.expired(time.monotonic()):
            self._end(self._tasks[sequence], DeadlineError("the time for this request is over"))

    def _end(self, task: Task, error: EngineError | None = None) -> None:
        self._scheduler.release(task.sequence)
        del self._tasks[task.sequence]
        if error is not None:
            task.fail(error)

    def _next_chore(self) -> _Chore | None:
        """The next chore whose time has come; one that needs peace keeps new sequences out."""
        if not self._chores:
            return None
        is_ready = not self._chores[0].needs_idle or self._scheduler.is_idle
        self._scheduler.is_open = is_ready
        return self._chores.popleft() if is_ready else None

    def _do(self, chore: _Chore) -> None:
        try:
            chore.work()
        except BaseException as error:  # raised again where it was asked for
            chore.failure = error
        chore.is_done.set()


def _taken(task: Task, piece: Piece, shown: Shown) -> list[int] | EngineError:
    """The tokens that a task chose, or why it cannot go on."""
    try:
        return task.take(piece, shown)
    except EngineError as error:
        return error
    except Exception as error:  # a rule can break in its own ways; it is its own answer's end
        return EngineError(f"the answer broke off: {error!r}")
