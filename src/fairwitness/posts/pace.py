"""When something costly is due again: often, but never so often that it takes over."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Pace:
    """Keeps work that is done again and again to `share` of the time."""

    share: float
    ended_s: float = 0.0
    """When it was last done, on the monotonic clock."""
    took_s: float = 0.0

    def is_due(self, every_s: float, latest_s: float) -> bool:
        """Return whether to do it: after `every_s`, or as its share asks, but by `latest_s`."""
        pause_s = self.took_s * (1 / self.share - 1)
        return time.monotonic() - self.ended_s >= max(every_s, min(pause_s, latest_s))

    def run(self, work: Callable[[], None]) -> None:
        """Do it, and remember when and how long; what fails is due again at once."""
        began_s = time.monotonic()
        work()
        self.ended_s = time.monotonic()
        self.took_s = self.ended_s - began_s
