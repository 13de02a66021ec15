"""All slices as one long table of versions, and where in it a post is."""

from collections.abc import Iterable, Sequence

import numpy as np
import xxhash

from fairwitness.index.changes import Known
from fairwitness.index.columns import GONE, WITH_ACCOUNT
from fairwitness.index.slice import Slice


class Names:
    """Names by number, for columns that hold one of a few names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._numbers = {name: number for number, name in enumerate(names)}

    def number(self, name: str) -> int:
        """Return the number of `name`, a new one if it had none."""
        return self._numbers.setdefault(name, len(self._numbers))

    def numbers(self, names: Iterable[str]) -> list[int]:
        """Return the numbers of those names that have one."""
        return [self._numbers[name] for name in names if name in self._numbers]

    def all(self) -> tuple[str, ...]:
        """Return the names in the order of their numbers."""
        return tuple(self._numbers.copy())


def id_hash(post_id: str) -> int:
    """Return the hash by which ids are found, 64 bits."""
    return xxhash.xxh3_64_intdigest(post_id.encode("utf-8", "surrogatepass"))


class Table:
    """The slices, oldest first; the last is the hot one."""

    def __init__(self, slices: list[Slice], slice_rows: int, networks: Names, langs: Names) -> None:
        self.slices = slices
        self.slice_rows = slice_rows
        self.networks = networks
        self.langs = langs

    @property
    def hot(self) -> Slice:
        """The slice that takes new rows."""
        return self.slices[-1]

    @property
    def rows(self) -> int:
        """How many ordinals there are."""
        return self.hot.first + self.hot.rows

    def locate(self, ordinal: int) -> tuple[Slice, int]:
        """Return the slice of an ordinal and its row there."""
        at, row = divmod(ordinal, self.slice_rows)
        return self.slices[at], row

    def newest(self, hash_of_id: int) -> int:
        """Return the ordinal of the last row with this id hash, -1 when there is none."""
        for part in reversed(self.slices):
            if (ordinal := part.newest(hash_of_id)) >= 0:
                return ordinal
        return -1

    def in_sealed(self, ids: Sequence[str]) -> dict[int, int]:
        """Return the last ordinal of each id hash that sealed slices know, in one go."""
        if len(self.slices) == 1 or not ids:
            return {}
        hashes = np.array([id_hash(id_) for id_ in ids], np.uint64)
        found: dict[int, int] = {}
        for part in self.slices[:-1]:
            ordinals = part.newest_of(hashes)
            hit = np.flatnonzero(ordinals >= 0)
            found |= zip(hashes[hit].tolist(), ordinals[hit].tolist(), strict=True)
        return found

    def versions(self, post_id: str, newest: int) -> list[int]:
        """Return the ordinals of a post's versions, newest first.

        `newest` is the last row with its hash; rows of another id with the same hash are skipped.
        """
        wanted = post_id.encode("utf-8", "surrogatepass")
        ordinals = []
        while newest >= 0:
            part, row = self.locate(newest)
            if part.id_at(row) == wanted:
                ordinals.append(newest)
            newest = int(part.columns.prev[row])
        return ordinals

    def known(self, versions: Sequence[int]) -> Known | None:
        """Return what is known of a post, given its versions, newest first."""
        if not versions:
            return None
        part, row = self.locate(versions[0])
        columns = part.columns
        # What an account that came back had said before is no version of what it says now.
        alive = [each for each in versions if not self._is_gone(each)]
        return Known(
            versions=tuple(map(self._text_and_moment, alive or versions)),
            author_hash=int(columns.author_hash[row]),
            standing=part.reports.standing(row),
            gone=bool(columns.flags[row] & GONE),
            with_account=bool(columns.flags[row] & WITH_ACCOUNT),
            gone_ms=int(columns.made_ms[row]),
        )

    def _is_gone(self, ordinal: int) -> bool:
        part, row = self.locate(ordinal)
        return bool(part.columns.flags[row] & GONE)

    def _text_and_moment(self, ordinal: int) -> tuple[int, int]:
        part, row = self.locate(ordinal)
        return int(part.columns.text_hash[row]), int(part.columns.since_ms[row])
