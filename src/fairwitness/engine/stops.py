"""Stop texts in a stream: hold back only what may still become one."""

from __future__ import annotations

from collections.abc import Sequence


class StopScanner:
    """Passes text through until one of `stops` appears.

    A stop text may arrive in pieces, so an end of the text that a stop text could begin with waits
    for the next piece. `is_stopped` is true once a stop text was met.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.is_stopped = False

    def push(self, text: str) -> str:
        """The part of the text so far that is certain to belong to the answer."""
        if self.is_stopped:
            return ""
        text = self._held + text
        places = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if places:
            self.is_stopped, self._held = True, ""
            return text[: min(places)]
        certain = len(text) - self._uncertain(text)
        self._held = text[certain:]
        return text[:certain]

    def finish(self) -> str:
        """What was held back, when no more text comes."""
        held, self._held = self._held, ""
        return held

    def _uncertain(self, text: str) -> int:
        """Length of the longest end of `text` that begins a stop text."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
