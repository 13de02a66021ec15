"""Who said it first, where, and how it spread from there.

Told of the posts that were read and say so, copies and reposts with them: they are no witnesses,
and they are how a thing travels.
"""

from collections import defaultdict
from collections.abc import Sequence

from fairwitness.answers.answer import Reach, Sentence, Spread
from fairwitness.answers.court import Court
from fairwitness.answers.quote import Span
from fairwitness.answers.witness import Origin
from fairwitness.posts.clock import to_iso

Told = tuple[Span, Origin]


def spread_of(court: Court, told: Sequence[Told], witnesses: int) -> Spread:
    """Return how what `told` says spread; its first post is cited, as one of so many witnesses."""
    posts: dict[str, Told] = {}
    for span, origin in sorted(told, key=_seen):
        posts.setdefault(span.post.id, (span, origin))
    in_order = list(posts.values())
    first, origin = in_order[0]
    quote = Sentence(first.text, "quote", (court.cite(first, witnesses, origin),), 1.0)
    seen = [span.post.seen_ms for span, _ in in_order]
    return Spread(
        first=quote,
        author=first.post.author,
        network=first.post.network,
        seen_at=to_iso(seen[0]),
        posts=len(seen),
        half_seen_at=to_iso(seen[(len(seen) - 1) // 2]),
        last_seen_at=to_iso(seen[-1]),
        networks=_reaches(in_order),
    )


def _reaches(in_order: Sequence[Told]) -> tuple[Reach, ...]:
    """Return what each network carried, the first one first."""
    by_network: dict[str, list[Told]] = defaultdict(list)
    for span, origin in in_order:
        by_network[span.post.network].append((span, origin))
    return tuple(
        Reach(
            network,
            len(held),
            len({origin.witness for _, origin in held}),
            to_iso(held[0][0].post.seen_ms),
        )
        for network, held in by_network.items()
    )


def _seen(told: Told) -> tuple[int, int, str]:
    post = told[0].post
    return post.seen_ms, post.created_ms, post.id
