"""The home of a server: another process writes to it, and this one reads along.

The index is followed refresh by refresh. What its files do not say, the clock and how the sources
stand, is in the writer's last report.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from fairwitness.answers import Desk
from fairwitness.engine.chat import ChatModel
from fairwitness.home.home import no_model
from fairwitness.home.messages import IntakeReport, Report
from fairwitness.index import IndexFault, LiveIndex
from fairwitness.posts.clock import SystemClock
from fairwitness.posts.health import HealthReport

_READ_S = 60.0
"""How long somebody may go on reading an index that was put aside."""

_log = logging.getLogger(__name__)


class Followed:
    """A home as whoever follows its writer sees it; any thread may read it."""

    def __init__(self, folder: Path, report: Report) -> None:
        """Open the home in `folder`, of which the writer told `report`."""
        self.folder = folder
        self.report = report
        self.index = LiveIndex.open(folder / "index", read_only=True)
        self._clock = SystemClock()
        self._aside: list[tuple[float, LiveIndex]] = []
        self._problem = ""

    @property
    def virtual(self) -> bool:
        """Whether the clock is a replay's."""
        return self.report.virtual

    def now_ms(self) -> int:
        """What time it is in this home: in a replay, as of the last report."""
        if self.report.virtual:
            return self.report.now_ms
        return max(self._clock.now_ms(), self.report.now_ms)

    def health(self, at_ms: int) -> list[HealthReport]:
        """Return how each source stands."""
        return [each.report(at_ms) for each in self.report.sources]

    def desk(self, chat: Callable[[], ChatModel | None] = no_model) -> Desk:
        """Return what answers are made from."""
        return Desk(self.index, self.now_ms, self.health, chat)

    def refresh(self) -> None:
        """Take up what the writer has refreshed; a fault is logged, and reading goes on."""
        try:
            self.index.refresh()
        except (IndexFault, OSError) as error:
            if str(error) != self._problem:
                _log.warning("cannot follow the index: %s", error)
            self._problem = str(error)

    def lose(self, problem: str, *, full: bool) -> None:
        """Say that the writer is gone, for its `problem`, until there is another report."""
        for each in self.report.sources:
            if each.state in ("live", "waiting"):
                each.state, each.problem = "waiting", problem
        intake = IntakeReport("blocked" if full else "failed", problem)
        self.report = msgspec.structs.replace(self.report, intake=intake)

    def go_back(self) -> None:
        """Read the index as of its last checkpoint, until `take_up`.

        A writer that comes back cuts off what was written after that, to write it again from the
        log; nobody should be reading there.
        """
        self._open(at_checkpoint=True)

    def take_up(self) -> None:
        """Follow a writer that has come back."""
        self._open(at_checkpoint=False)

    def close(self) -> None:
        """Let go of the files."""
        for index in (self.index, *(each for _, each in self._aside)):
            index.close()

    def _open(self, *, at_checkpoint: bool) -> None:
        try:
            index = LiveIndex.open(
                self.folder / "index", read_only=True, at_checkpoint=at_checkpoint
            )
        except (IndexFault, OSError) as error:
            _log.warning("cannot open the index anew: %s", error)
            return
        self._aside.append((time.monotonic(), self.index))
        self.index = index
        while self._aside[0][0] < time.monotonic() - _READ_S:
            self._aside.pop(0)[1].close()
