"""The account of pages: each is free, held by sequences, or cached by the prefix tree alone.

free + held + cached is always all. A page that several sequences share is counted once, and what
is cached is room too: the tree gives it up when somebody needs it.
"""

from __future__ import annotations


class Ledger:
    """Numbers pages from 0; knows nothing of what stands in them."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.cached = 0
        self._free = list(range(count))[::-1]
        self._holders = [0] * count
        self._is_kept = [False] * count

    @property
    def free(self) -> int:
        """Pages that nobody wants."""
        return len(self._free)

    @property
    def held(self) -> int:
        """Pages in tables of sequences."""
        return self.count - self.free - self.cached

    def take(self) -> int:
        """A free page, for one holder; there must be one."""
        page = self._free.pop()
        self._holders[page] = 1
        return page

    def hold(self, page: int) -> None:
        """One more sequence has the page in its table; it is held or cached already."""
        assert self._holders[page] or self._is_kept[page], page
        self.cached -= not self._holders[page]
        self._holders[page] += 1

    def drop(self, page: int) -> None:
        """One sequence fewer has it; the last one leaves it to the tree, or to everybody."""
        assert self._holders[page], page
        self._holders[page] -= 1
        if self._holders[page]:
            return
        if self._is_kept[page]:
            self.cached += 1
        else:
            self._free.append(page)

    def keep(self, page: int) -> None:
        """The tree wants a page that a sequence holds."""
        assert self._holders[page], page
        assert not self._is_kept[page], page
        self._is_kept[page] = True

    def forget(self, page: int) -> None:
        """The tree lets it go."""
        assert self._is_kept[page], page
        self._is_kept[page] = False
        if not self._holders[page]:
            self.cached -= 1
            self._free.append(page)

    def is_held(self, page: int) -> bool:
        """Whether some sequence has the page in its table."""
        return self._holders[page] > 0
