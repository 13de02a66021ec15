"""Names by number, for columns that hold one of a few names."""

from collections.abc import Iterable

_ROOM = 65_535
"""What a column of 16 bits can tell apart. No network and no language comes near; whoever makes
up more gets them all under one number, which has no name."""


class Names:
    """Names in the order in which they came."""

    def __init__(self, names: Iterable[str]) -> None:
        self._numbers = {name: number for number, name in enumerate(names)}

    def number(self, name: str) -> int:
        """Return the number of `name`, a new one if it had none."""
        known = self._numbers.get(name)
        if known is not None:
            return known
        if len(self._numbers) >= _ROOM:
            return _ROOM
        return self._numbers.setdefault(name, len(self._numbers))

    def numbers(self, names: Iterable[str]) -> list[int]:
        """Return the numbers of those names that have one."""
        return [self._numbers[name] for name in names if name in self._numbers]

    def all(self) -> tuple[str, ...]:
        """Return the names in the order of their numbers."""
        return tuple(self._numbers.copy())
