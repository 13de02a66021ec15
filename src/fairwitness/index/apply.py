"""Events in, rows and columns out: the writing side of the index."""

from collections import Counter
from collections.abc import Callable, Sequence

import xxhash

from fairwitness.index import changes
from fairwitness.index.changes import Known, Novelty, Verdict
from fairwitness.index.columns import LINKED, REPLY, REPOST, Row
from fairwitness.index.query import Applied
from fairwitness.index.reports import UNCOUNTED, UNSAID, Standing, merged
from fairwitness.index.slice import Record, Slice, record_of
from fairwitness.index.table import Table, id_hash
from fairwitness.posts.post import (
    FOREVER_MS,
    AccountGone,
    Deleted,
    Edited,
    Event,
    Post,
    Posted,
)

_Outcome = Counter[str]


def handle_hash(handle: str) -> int:
    """Return the hash of a handle in any case, with or without @."""
    return xxhash.xxh3_64_intdigest(
        handle.removeprefix("@").casefold().encode("utf-8", "surrogatepass")
    )


def account_hash(author_id: str) -> int:
    """Return the hash of an account id, whatever the network."""
    return xxhash.xxh3_64_intdigest(author_id.encode("utf-8", "surrogatepass"))


class Applier:
    """Applies events to a table; `roll` puts a new hot slice under a full one."""

    def __init__(self, table: Table, roll: Callable[[], None]) -> None:
        self._table = table
        self._roll = roll
        self._ids: list[str] = []
        self._sealed: dict[int, int] = {}
        """Newest ordinals in sealed slices of the ids at hand, looked up in one go."""

    def novel(self, events: Sequence[Event]) -> list[Event]:
        """Return the events that would change something, in order."""
        self._look_ahead(events)
        return Novelty(lambda id_: self._known(id_)[0], self._ids_of).of(events)

    def apply(self, events: Sequence[Event]) -> Applied:
        """Do what the events say. May stop in the middle with IndexDiskFull: apply them again."""
        self._look_ahead(events)
        done: _Outcome = Counter()
        for event in events:
            match event:
                case Posted(post) | Edited(post):
                    done[self._say(post)] += 1
                case Deleted():
                    gone = self._delete(event)
                    done["deleted" if gone else "nothing"] += 1
                case AccountGone():
                    gone_count = self._delete_account(event)
                    done["deleted" if gone_count else "nothing"] += gone_count or 1
        for part in self._table.slices:
            part.flush()
        return Applied(**done)

    def _look_ahead(self, events: Sequence[Event]) -> None:
        self._ids = [
            event.id if isinstance(event, Deleted) else event.post.id
            for event in events
            if not isinstance(event, AccountGone)
        ]
        self._sealed = self._table.in_sealed(self._ids)

    def _newest(self, hash_of_id: int) -> int:
        newest = self._table.hot.newest(hash_of_id)
        return newest if newest >= 0 else self._sealed.get(hash_of_id, -1)

    def _known(self, post_id: str) -> tuple[Known | None, list[int], int]:
        newest = self._newest(id_hash(post_id))
        if newest < 0:
            return None, [], newest
        versions = self._table.versions(post_id, newest)
        return self._table.known(versions), versions, newest

    def _say(self, post: Post) -> str:
        hash_of_text = changes.text_hash(post)
        known, versions, newest = self._known(post.id)
        match changes.judge(post, hash_of_text, known):
            case Verdict.NEW:
                self._add(post, hash_of_text, newest)
                return "posted"
            case Verdict.EDIT if known is not None:
                self._edit(post, hash_of_text, known, versions[0], newest)
                return "edited"
            case Verdict.REPORT if known is not None:
                part, row = self._table.locate(versions[0])
                part.reports.add(row, merged(known.standing, post.engagement, post.seen_ms))
                return "reported"
        return "nothing"

    def _add(self, post: Post, hash_of_text: int, prev: int) -> int:
        made_ms = max(min(post.created_ms, post.seen_ms), -FOREVER_MS)
        ordinal = self._append(post, hash_of_text, post.seen_ms, made_ms, prev)
        self._report(ordinal, merged(UNCOUNTED, post.engagement, post.seen_ms))
        return ordinal

    def _edit(self, post: Post, hash_of_text: int, known: Known, old: int, prev: int) -> None:
        part, row = self._table.locate(old)
        # Versions follow one another in time even if sources' clocks do not.
        since_ms = max(post.seen_ms, int(part.columns.since_ms[row]))
        made_ms = int(part.columns.made_ms[row])
        ordinal = self._append(post, hash_of_text, since_ms, made_ms, prev)
        part.supersede(row, ordinal, since_ms)
        self._report(ordinal, merged(known.standing, post.engagement, post.seen_ms))

    def _report(self, ordinal: int, standing: Standing) -> None:
        if standing is not UNCOUNTED and standing.engagement != UNSAID:
            part, row = self._table.locate(ordinal)
            part.reports.add(row, standing)

    def _append(self, post: Post, hash_of_text: int, since_ms: int, made_ms: int, prev: int) -> int:
        if self._table.hot.full:
            self._roll()
            self._sealed = self._table.in_sealed(self._ids)
        hot, record = self._table.hot, record_of(post)
        row = self._row(hot, post, record, hash_of_text, since_ms, made_ms, prev)
        return hot.append(row, record, post)

    def _row(
        self,
        hot: Slice,
        post: Post,
        record: Record,
        hash_of_text: int,
        since_ms: int,
        made_ms: int,
        prev: int,
    ) -> Row:
        return Row(
            id_hash=id_hash(post.id),
            text_hash=hash_of_text,
            author_hash=changes.author_hash(post.network, post.author_id),
            account_hash=account_hash(post.author_id),
            handle_hash=handle_hash(post.author),
            since_ms=since_ms,
            until_ms=FOREVER_MS,
            made_ms=made_ms,
            next=-1,
            prev=prev,
            offset=hot.texts.size_bytes,
            report=-1,
            counted_ms=0,
            views=-1,
            likes=-1,
            reposts=-1,
            replies=-1,
            id_bytes=len(record.id),
            post_bytes=len(record.post),
            network=self._table.networks.number(post.network),
            lang=self._table.langs.number(post.lang),
            flags=_kind(post),
        )

    def _delete(self, event: Deleted) -> bool:
        known, versions, newest = self._known(event.id)
        if known is None:
            versions = [self._add(_tombstone(event), 0, newest)]
        elif known.deleted:
            return False
        self._bury(versions)
        return True

    def _bury(self, versions: Sequence[int], account_gone_ms: int | None = None) -> None:
        for ordinal in versions:
            part, row = self._table.locate(ordinal)
            part.bury(row, account_gone_ms=account_gone_ms)

    def _delete_account(self, event: AccountGone) -> int:
        ids = self._ids_of(changes.author_hash(event.network, event.author_id))
        self._sealed |= self._table.in_sealed(list(ids))
        for post_id in sorted(ids):
            self._bury(self._known(post_id)[1], event.seen_ms)
        return len(ids)

    def _ids_of(self, account: int) -> set[str]:
        return {
            part.id_at(row).decode()
            for part in self._table.slices
            for row in part.rows_of_author(account).tolist()
        }


def _kind(post: Post) -> int:
    """Return the flags that say what kind of post it is."""
    linked, reply, repost = bool(post.links), bool(post.reply_to), bool(post.repost_of)
    return LINKED * linked | REPLY * reply | REPOST * repost


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
