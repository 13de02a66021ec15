"""What a post is, and the four things that can happen to it.

Everything that any network says becomes one `Post`; everything that happens becomes one of four
events. The rest of the house knows no network, only these.

None of them can come to hold itself, so the garbage collector need not walk them (`gc=False`): a
post is a quarter cheaper to make, and a million of them are no burden.
"""

import msgspec

FOREVER_MS = 2**62
"""A time that has not come: `until_ms` of what still holds."""


class Cut(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A piece of the author's own text that cleaning took out or replaced.

    `at` is the character offset in the cleaned text where the piece would stand.
    """

    at: int
    kind: str
    """`markup`, `entity`, `url`, `control` or `length`."""
    was: str
    """The first 80 characters of the piece, with what cannot be seen written as its number."""


class Engagement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How often others reacted, as the network last said; -1 where it says nothing."""

    likes: int = -1
    reposts: int = -1
    replies: int = -1
    views: int = -1


class Post(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One public statement with its author, network and times. `text` is what quotes point into."""

    id: str
    """Global and stable: `at://…`, `https://…`, `x:123`, `hackernews:123`, `capture:name:123`."""
    network: str
    """`bluesky`, `mastodon`, `hackernews`, `x`, `rss`, or what a file says."""
    author: str
    """Handle or name, for people to read."""
    author_id: str
    """What the network knows the account by: a DID, a URL, a number. Accounts vanish by it."""
    text: str
    """Cleaned: no markup, Unicode NFC, links in full."""
    created_ms: int
    """When the author says it was made, Unix milliseconds; never trusted for order."""
    seen_ms: int
    """When we saw it, Unix milliseconds on the clock of the source. As-of looks at this."""
    url: str = ""
    """Where a person can read the original; empty when there is no such place."""
    lang: str = "und"
    """ISO 639 code, `und` when unknown."""
    lang_confidence: float = 0.0
    """0 to 1; 1 only when the network says so and the script agrees."""
    reply_to: str = ""
    """`id` of the post that this one answers."""
    repost_of: str = ""
    """`id` of the post that this one repeats whole; its text is the original's."""
    thread: str = ""
    """`id` of the post that the conversation began with."""
    links: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    """Without the #, as written."""
    mentions: tuple[str, ...] = ()
    """Without the @, as written or as the network resolves them."""
    engagement: Engagement = Engagement()
    cuts: tuple[Cut, ...] = ()


class Posted(msgspec.Struct, frozen=True, tag="posted", gc=False):
    """A post that we had not seen."""

    post: Post


class Edited(msgspec.Struct, frozen=True, tag="edited", gc=False):
    """A post whose author changed it; `post.seen_ms` is when we saw the change."""

    post: Post


class Deleted(msgspec.Struct, frozen=True, tag="deleted", gc=False):
    """A post that its author, or the network, withdrew."""

    id: str
    seen_ms: int


class AccountGone(msgspec.Struct, frozen=True, tag="account_gone", gc=False):
    """An account that was deleted, suspended or taken down: all its posts go with it."""

    network: str
    author_id: str
    seen_ms: int


Event = Posted | Edited | Deleted | AccountGone
"""The closed union of what can happen."""


def seen_ms(event: Event) -> int:
    """When we saw `event`, Unix milliseconds."""
    match event:
        case Posted(post) | Edited(post):
            return post.seen_ms
        case Deleted() | AccountGone():
            return event.seen_ms
