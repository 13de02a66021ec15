"""All slices as one long table of versions, and where in it a post is."""

from collections.abc import Sequence

import numpy as np

from fairwitness.index.changes import Known
from fairwitness.index.columns import GONE, WITH_ACCOUNT
from fairwitness.index.ids import Hashes
from fairwitness.index.names import Names
from fairwitness.index.slice import Slice
from fairwitness.posts.post import Post


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
        number, row = divmod(ordinal, self.slice_rows)
        return self.slices[number - self.slices[0].first // self.slice_rows], row

    def post(self, ordinal: int) -> Post | None:
        """Return the post of an ordinal, None when it is gone or was dropped."""
        if not self.slices[0].first <= ordinal < self.rows:
            return None
        part, row = self.locate(ordinal)
        return part.post_at(row)

    def newest(self, hash_of_id: int) -> int:
        """Return the ordinal of the last row with this id hash, -1 when there is none."""
        for part in reversed(self.slices):
            if (ordinal := part.newest(hash_of_id)) >= 0:
                return ordinal
        return -1

    def in_sealed(self, hashes: Hashes) -> dict[int, int]:
        """Return the last ordinal of each id hash that sealed slices know, in one go."""
        found: dict[int, int] = {}
        for part in self.slices[:-1]:
            ordinals = part.newest_of(hashes)
            hit = np.flatnonzero(ordinals >= 0)
            found |= zip(hashes[hit].tolist(), ordinals[hit].tolist(), strict=True)
        return found

    def versions(self, post_id: str, newest: int) -> list[int]:
        """Return the ordinals of a post's versions, newest first.

        `newest` is the last row with its hash; rows of another id with the same hash are skipped,
        and those that were dropped with their slice are no more.
        """
        ordinals = []
        while newest >= self.slices[0].first:
            part, row = self.locate(newest)
            if part.texts.post_at(row).id == post_id:
                ordinals.append(newest)
            newest = part.history.prev(row)
        return ordinals

    def known(self, versions: Sequence[int]) -> Known | None:
        """Return what is known of a post, given its versions, newest first."""
        if not versions:
            return None
        part, row = self.locate(versions[0])
        # What an account that came back had said before is no version of what it says now.
        alive = [each for each in versions if not self._flags(each) & GONE]
        flags = self._flags(versions[0])
        return Known(
            versions=tuple(map(self._text_and_moment, alive or versions)),
            author=int(part.columns.author[row]),
            standing=part.history.standing(row),
            gone=bool(flags & GONE),
            with_account=bool(flags & WITH_ACCOUNT),
            gone_ms=part.history.gone_ms(row),
        )

    def _flags(self, ordinal: int) -> int:
        part, row = self.locate(ordinal)
        return int(part.history.marks.flags[row])

    def _text_and_moment(self, ordinal: int) -> tuple[int, int]:
        part, row = self.locate(ordinal)
        return part.text_hash(row), int(part.columns.since_ms[row])
