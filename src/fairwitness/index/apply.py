"""Events in, rows and columns out: the writing side of the index.

Nearly all events are new posts, and those are added together, column by column. Whatever touches a
post that is known goes one by one, after the new ones that it may be about.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from operator import is_
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwitness.index import changes
from fairwitness.index.changes import Known, Novelty, Verdict
from fairwitness.index.ids import Hashes, id_hash
from fairwitness.index.notice import Noticing
from fairwitness.index.query import Applied
from fairwitness.index.reports import UNSAID, merged
from fairwitness.index.rows import Fresh, fresh, fresh_in, rows_of
from fairwitness.index.slice import NewRows
from fairwitness.index.table import Table
from fairwitness.kernels.words import of_texts
from fairwitness.posts.encoded import Encoded
from fairwitness.posts.post import AccountGone, Deleted, Edited, Event, Post, Posted

_Outcome = Counter[str]


class Applier:
    """Applies events to a table; `roll` puts a new hot slice under a full one."""

    def __init__(self, folder: Path, table: Table, roll: Callable[[], None]) -> None:
        self._table = table
        self.noticing = Noticing(folder, table)
        self._roll = roll
        self._asked: tuple[Sequence[Event], int, Fresh | None] = ((), 0, None)
        """What was looked up last, when there were so many rows, and what came out: a batch is
        asked about, and then it is applied."""
        self._hashes = np.zeros(0, np.uint64)
        """Of the ids at hand."""
        self._sealed: dict[int, int] = {}
        """Newest ordinals in sealed slices of the ids at hand, looked up in one go."""

    def novel(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return the events that would change something, in order; encoded ones as they are."""
        if self._look_ahead(events):
            return events if isinstance(events, Encoded) else list(events)
        return Novelty(lambda id_: self._known(id_)[0], self._ids_of).of(events)

    def apply(self, events: Sequence[Event]) -> Applied:
        """Do what the events say. May stop in the middle with IndexDiskFull: apply them again."""
        only_new = self._look_ahead(events)
        done = Counter(posted=self._add_all(only_new)) if only_new else self._do_all(events)
        for part in self._table.slices:
            part.flush()
        return Applied(**done)

    def _do_all(self, events: Sequence[Event]) -> _Outcome:
        done: _Outcome = Counter()
        new: dict[int, Post] = {}

        def add() -> None:
            done["posted"] += self._add_all(fresh(list(new.values())))
            new.clear()

        for event in events:
            if isinstance(event, Posted | Edited):
                hash_of_id = id_hash(event.post.id)
                if hash_of_id not in new and self._newest(hash_of_id) < 0:
                    new[hash_of_id] = event.post
                    continue
            elif isinstance(event, Deleted):
                hash_of_id = id_hash(event.id)
            if new and (isinstance(event, AccountGone) or hash_of_id in new):
                add()
            done.update(self._do(event))
        add()
        return done

    def _do(self, event: Event) -> _Outcome:
        match event:
            case Posted(post) | Edited(post):
                return Counter([self._say(post)])
            case Deleted():
                return Counter(["deleted" if self._delete(event) else "nothing"])
            case AccountGone():
                gone_count = self._delete_account(event)
                return Counter({"deleted": gone_count} if gone_count else {"nothing": 1})

    def _look_ahead(self, events: Sequence[Event]) -> Fresh | None:
        """Look all ids up; return the posts where they are posts alone, each new and there once."""
        asked, rows, new = self._asked
        same = rows == self._table.rows and len(asked) == len(events)
        if new is None or not same or (asked is not events and not all(map(is_, asked, events))):
            new = self._all_new(events)
            self._asked = events, self._table.rows, new
        return new

    def _all_new(self, events: Sequence[Event]) -> Fresh | None:
        new = fresh_in(events)
        if new is None:
            self._look_into_sealed(_hashes_in(events))
            return None
        hashes = new.fields.id
        self._look_into_sealed(hashes)
        known = self._sealed or (self._table.hot.newest_of(hashes) >= 0).any()
        return None if known or len(np.unique(hashes)) < len(hashes) else new

    def _look_into_sealed(self, hashes: Hashes) -> None:
        self._hashes = hashes
        self._sealed = self._table.in_sealed(hashes)

    def _newest(self, hash_of_id: int) -> int:
        newest = self._table.hot.newest(hash_of_id)
        return newest if newest >= 0 else self._sealed.get(hash_of_id, -1)

    def _known(self, post_id: str) -> tuple[Known | None, list[int], int]:
        newest = self._newest(id_hash(post_id))
        if newest < 0:
            return None, [], newest
        versions = self._table.versions(post_id, newest)
        return self._table.known(versions), versions, newest

    def _add_all(self, new: Fresh) -> int:
        """Add posts that no slice knows."""
        done = 0
        while done < len(new.posts):
            end = done + self._room()
            some = fresh(new.posts[done:end]) if done or end < len(new.posts) else new
            self._extend(some, self._rows_of(some))
            done = end
        return len(new.posts)

    def _room(self) -> int:
        """Return how many rows the hot slice takes, at least one."""
        if not self._table.hot.room:
            self._roll()
            self._look_into_sealed(self._hashes)
        return self._table.hot.room

    def _rows_of(self, new: Fresh) -> NewRows:
        return rows_of(new, self._table.networks, self._table.langs)

    def _extend(self, new: Fresh, rows: NewRows) -> int:
        hot = self._table.hot
        self._reserve(len(new.posts), new.fields.counts)
        told = of_texts(new.fields.texts)
        rows = self.noticing.notice(new, rows, self._table.rows, told)
        ordinal = hot.extend(rows, *new, told)
        hot.history.count_all(ordinal - hot.first, new.fields.counts)
        return ordinal

    def _reserve(self, rows: int, counts: NDArray[np.int64]) -> None:
        """Make sure of room on the disk for all that new rows need, or raise IndexDiskFull.

        What comes after it cannot be half done: it would be noticed twice, or not counted.
        """
        self._table.hot.reserve(rows, counts)

    def _say(self, post: Post) -> str:
        known, versions, newest = self._known(post.id)
        match changes.judge(post, changes.text_hash(post), known):
            case Verdict.NEW:
                self._add(post, newest)
                return "posted"
            case Verdict.EDIT if known is not None:
                self._edit(post, known, versions[0], newest)
                return "edited"
            case Verdict.REPORT if known is not None:
                part, row = self._table.locate(versions[0])
                part.history.report(row, merged(known.standing, post.engagement, post.seen_ms))
                return "reported"
        return "nothing"

    def _add(self, post: Post, prev: int, times_ms: tuple[int, int] | None = None) -> int:
        """Add one version, behind the row `prev`; `times_ms` are since when it holds, and made."""
        self._room()
        new = fresh([post])
        rows = self._rows_of(new)
        if times_ms is not None:
            since_ms, made_ms = (np.array([moment_ms]) for moment_ms in times_ms)
            rows = rows._replace(since_ms=since_ms, made_ms=made_ms)
        ordinal = self._extend(new, rows)
        if prev >= 0:
            self._table.hot.history.follow(ordinal - self._table.hot.first, prev)
        return ordinal

    def _edit(self, post: Post, known: Known, old: int, prev: int) -> None:
        part, row = self._table.locate(old)
        # Versions follow one another in time even if sources' clocks do not.
        since_ms = max(post.seen_ms, int(part.columns.since_ms[row]))
        # What is known of all versions together is reported; stored, it would hold from `since_ms`.
        bare = msgspec.structs.replace(post, engagement=UNSAID)
        ordinal = self._add(bare, prev, (since_ms, int(part.columns.made_ms[row])))
        standing = merged(known.standing, post.engagement, post.seen_ms)
        if standing.engagement != UNSAID:
            self._table.hot.history.report(ordinal - self._table.hot.first, standing)
        part.history.supersede(row, ordinal, since_ms)

    def _delete(self, event: Deleted) -> bool:
        known, versions, newest = self._known(event.id)
        if known is None:
            versions = [self._add(_tombstone(event), newest)]
        elif known.deleted:
            return False
        self._bury(versions)
        return True

    def _bury(self, versions: Sequence[int], account_gone_ms: int | None = None) -> None:
        for ordinal in versions:
            part, row = self._table.locate(ordinal)
            part.history.bury(row, account_gone_ms=account_gone_ms)

    def _delete_account(self, event: AccountGone) -> int:
        ids = self._ids_of(event.network, event.author_id)
        hashes = np.array([id_hash(id_) for id_ in ids], np.uint64)
        self._look_into_sealed(np.concatenate((self._hashes, hashes)))
        for post_id in sorted(ids):
            self._bury(self._known(post_id)[1], event.seen_ms)
        return len(ids)

    def _ids_of(self, network: str, author_id: str) -> set[str]:
        """Return the ids of an account's posts that are not gone."""
        author = changes.author_hash(network, author_id)
        posts = (
            part.texts.post_at(row)
            for part in self._table.slices
            for row in part.rows_of(author).tolist()
        )
        # Two accounts may share a hash.
        return {p.id for p in posts if (p.network, p.author_id) == (network, author_id)}


def _hashes_in(events: Sequence[Event]) -> Hashes:
    ids = (
        event.id if isinstance(event, Deleted) else event.post.id
        for event in events
        if not isinstance(event, AccountGone)
    )
    return np.array(list(map(id_hash, ids)), np.uint64)


def _tombstone(event: Deleted) -> Post:
    """Return what stands for a post that was deleted before we saw it."""
    return Post(
        id=event.id,
        network="",
        author="",
        author_id="",
        text="",
        created_ms=event.seen_ms,
        seen_ms=event.seen_ms,
    )
