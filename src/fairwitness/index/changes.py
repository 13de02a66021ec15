"""What an event would change, decided without changing anything.

The index asks before the log is written (`novel`) and again when it applies what was logged; both
follow `judge`, so the log holds exactly what the index acts on.
"""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import NamedTuple

import xxhash

from fairwitness.index.reports import UNCOUNTED, Standing, merged
from fairwitness.posts.post import AccountGone, Deleted, Edited, Event, Post, Posted

_LOW_32 = 0xFFFF_FFFF


class Known(NamedTuple):
    """What is known of one id."""

    versions: tuple[tuple[int, int], ...]
    """Hash of the text and `seen_ms` of each version, newest first."""
    author: int
    """Hash of the account."""
    standing: Standing
    gone: bool
    with_account: bool = False
    """Gone only because its account is."""
    gone_ms: int = 0
    """When its account went."""

    @property
    def deleted(self) -> bool:
        """Whether it is gone for good."""
        return self.gone and not self.with_account


UNSEEN = Known(((0, 0),), 0, UNCOUNTED, gone=False)
"""A post that was deleted before we saw it; its tombstone keeps it from showing when it comes."""


class Verdict(Enum):
    """What a Posted or an Edited amounts to."""

    NOTHING = auto()
    NEW = auto()
    EDIT = auto()
    REPORT = auto()
    """The text is known, the engagement is not."""


def text_hash(post: Post) -> int:
    """Return the hash by which the texts of one post are told apart, 32 bits."""
    return xxhash.xxh64_intdigest(post.text.encode("utf-8", "surrogatepass")) & _LOW_32


def author_hash(network: str, author_id: str) -> int:
    """Return the hash of an account, 32 bits: now and then two accounts share one."""
    account = f"{network}\n{author_id}"
    return xxhash.xxh64_intdigest(account.encode("utf-8", "surrogatepass")) & _LOW_32


def judge(post: Post, hash_of_text: int, known: Known | None) -> Verdict:
    """Return what it means that `post` is said to be posted or edited.

    What was deleted stays deleted: a source that resumes a little earlier says old things again.
    What only went with its account is new when it is said later: the account is back. A text
    that the post had, said of no later moment than its newest version, is such an old thing too.
    """
    if known is None:
        return Verdict.NEW
    if known.gone:
        said_again = known.with_account and post.seen_ms > known.gone_ms
        return Verdict.NEW if said_again else Verdict.NOTHING
    newest_text, newest_ms = known.versions[0]
    had_before = any(text == hash_of_text for text, _ in known.versions)
    if newest_text != hash_of_text and not (had_before and post.seen_ms <= newest_ms):
        return Verdict.EDIT
    said = merged(known.standing, post.engagement, post.seen_ms)
    same = said.engagement == known.standing.engagement
    return Verdict.NOTHING if same else Verdict.REPORT


class Novelty:
    """Sorts out a batch against the index and against itself."""

    def __init__(
        self,
        known: Callable[[str], Known | None],
        ids_of: Callable[[str, str], set[str]],
    ) -> None:
        """`known` and `ids_of` (the ids of an account that are not gone) ask the index."""
        self._known = known
        self._ids_of = ids_of
        self._here: dict[str, Known | Post] = {}
        """What this batch made of each id; a post that nothing else was said of, as it is."""
        self._gone_accounts: dict[int, int] = {}
        """When each account went."""

    def of(self, events: Sequence[Event]) -> list[Event]:
        """Return the events that change something, a Posted that is an edit as Edited."""
        kept = (self._sort_out(event) for event in events)
        return [event for event in kept if event is not None]

    def _sort_out(self, event: Event) -> Event | None:
        match event:
            case Posted(post) | Edited(post):
                return self._said(event, post)
            case Deleted():
                known = self._look_up(event.id) or UNSEEN
                if known.deleted:
                    return None
                self._here[event.id] = known._replace(gone=True, with_account=False)
                return event
            case AccountGone():
                return event if self._account_goes(event) else None

    def _said(self, event: Posted | Edited, post: Post) -> Event | None:
        known = self._look_up(post.id)
        if known is None:
            self._here[post.id] = post
            return event
        hash_of_text = text_hash(post)
        verdict = judge(post, hash_of_text, known)
        if verdict is Verdict.NOTHING:
            return None
        self._here[post.id] = after(post, hash_of_text, known, verdict)
        return Edited(post) if verdict is Verdict.EDIT else event

    def _account_goes(self, event: AccountGone) -> bool:
        account = author_hash(event.network, event.author_id)
        here = {id_: _known_of(each) for id_, each in self._here.items()}
        mine = {
            id_: known._replace(gone=True, with_account=True, gone_ms=event.seen_ms)
            for id_, known in here.items()
            if known.author == account and not known.gone
        }
        of_before = account not in self._gone_accounts
        earlier = of_before and self._ids_of(event.network, event.author_id) - here.keys()
        self._gone_accounts.setdefault(account, event.seen_ms)
        self._here |= mine
        return bool(mine or earlier)

    def _look_up(self, id_: str) -> Known | None:
        here = self._here.get(id_)
        if here is not None:
            return _known_of(here)
        known = self._known(id_)
        if known is None or known.gone:
            return known
        gone_ms = self._gone_accounts.get(known.author)
        if gone_ms is None:
            return known
        return known._replace(gone=True, with_account=True, gone_ms=gone_ms)


def _known_of(here: Known | Post) -> Known:
    return first_said(here) if isinstance(here, Post) else here


def first_said(post: Post) -> Known:
    """Return what is known once a post was said for the first time."""
    said = merged(UNCOUNTED, post.engagement, post.seen_ms)
    author = author_hash(post.network, post.author_id)
    return Known(((text_hash(post), post.seen_ms),), author, said, gone=False)


def after(post: Post, hash_of_text: int, known: Known, verdict: Verdict) -> Known:
    """Return what is known once `verdict` about `post` has been acted on."""
    if verdict is Verdict.NEW:
        return first_said(post)
    known = known._replace(standing=merged(known.standing, post.engagement, post.seen_ms))
    if verdict is not Verdict.EDIT:
        return known
    newest = (hash_of_text, max(post.seen_ms, known.versions[0][1]))
    author = author_hash(post.network, post.author_id)
    return known._replace(versions=(newest, *known.versions), author=author)
