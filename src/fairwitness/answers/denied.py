"""Who says that it is not so: among those who answer what is quoted, and those who speak of it.

A denial need not repeat what it denies ("no he hasn't"), so the conversation of a post is read with
it. Whoever denies his own words corrects them, and that is a denial too.
"""

from collections.abc import Hashable, Sequence, Set

from fairwitness.answers import attitude
from fairwitness.answers.quote import Span
from fairwitness.answers.retrieve import replies
from fairwitness.answers.weigh import Weighed
from fairwitness.answers.witness import Account, account_of, flooding
from fairwitness.index import LiveIndex

SHOWN = 2
SHARE = 0.2
"""Fewer deniers than this share of the witnesses are hecklers; so is one against three."""


def needed(witnesses: int) -> float:
    """Return how many must deny what so many independent `witnesses` say."""
    return 1.0 if witnesses <= 2 else max(2.0, SHARE * witnesses)


def denials(
    index: LiveIndex,
    quoted: Sequence[Span],
    heard: Sequence[Weighed],
    as_of_ms: int,
    floods: Set[Account] = frozenset(),
) -> list[Span]:
    """Return what denies the `quoted`, one span an author, those who speak of it first.

    `heard` are all spans about the question; of the accounts that flood one denies for all. Where
    all that is quoted calls it false already, nothing denies that.
    """
    stated = {s.post.id: s.post for s in quoted if not attitude.calls_false(s.text)}
    if not stated:
        return []
    beside = (each.span for each in heard if attitude.calls_false(each.span.text))
    answering = replies(index, list(stated.values()), as_of_ms)
    floods = floods | flooding(answering)
    texts = (hit.post for hit in answering if attitude.attitude_of(hit.post.text) == "deny")
    found: dict[Hashable, Span] = {}
    for span in (*beside, *(Span(post, 0, len(post.text)) for post in texts if post.text)):
        account = account_of(span.post)
        found.setdefault("flood" if account in floods else account[1] or span.post.id, span)
    return [span for span in found.values() if span.post.id not in stated]
