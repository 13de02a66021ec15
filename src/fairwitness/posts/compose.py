"""Put a post together: what the network says, plus what its cleaned text shows."""

from collections.abc import Iterable
from itertools import islice

from fairwitness.posts import clean, language
from fairwitness.posts.clean import Cleaned
from fairwitness.posts.post import Engagement, Post

MAX_NAMED = 100
"""Links, hashtags and mentions that a post may have, of each."""

_MAX_LINK_CHARS = 2_048
_MAX_NAME_CHARS = 200
_MAX_COUNT = 2**53
MIN_MS = -62_135_596_800_000  # 0001-01-01, what `datetime` can show
MAX_MS = 253_402_300_799_000  # 9999-12-31

_UNSAID = Engagement()


def compose(
    cleaned: Cleaned,
    *,
    id: str,
    network: str,
    author: str,
    author_id: str,
    created_ms: int,
    seen_ms: int,
    url: str = "",
    claimed_lang: str = "",
    reply_to: str = "",
    repost_of: str = "",
    thread: str = "",
    links: tuple[str, ...] = (),
    mentions: tuple[str, ...] = (),
    engagement: Engagement = _UNSAID,
) -> Post:
    """Return the post; links and mentions that the network names come before those in the text.

    `created_ms` is only what the author claims, so it is kept as claimed, even from 1970 or 2100.
    What networks say beside the text is as foreign as the text: names become one visible line,
    links that are none are left out, and nothing comes out that cannot be written as UTF-8.
    """
    lang, confidence = language.detect(cleaned.text, claimed_lang)
    in_text = clean.links_in(cleaned.text)
    return Post(
        id=_writable(id),
        network=_writable(network),
        author=clean.one_line(author, _MAX_NAME_CHARS) or _writable(author_id),
        author_id=_writable(author_id),
        text=cleaned.text,
        created_ms=int(min(max(created_ms, MIN_MS), MAX_MS)),
        seen_ms=seen_ms,
        url=url if clean.is_link(url) else "",
        lang=lang,
        lang_confidence=round(confidence, 3),
        reply_to=_writable(reply_to),
        repost_of=_writable(repost_of),
        thread=_writable(thread),
        links=_each_once(filter(_is_short_link, (*links, *cleaned.links, *in_text))),
        hashtags=_each_once(clean.hashtags_in(cleaned.text)),
        mentions=_each_once(map(_writable, (*mentions, *clean.mentions_in(cleaned.text)))),
        engagement=_within_bounds(engagement),
        cuts=cleaned.cuts,
    )


def _each_once(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(islice(dict.fromkeys(items), MAX_NAMED))


def _is_short_link(link: str) -> bool:
    return len(link) <= _MAX_LINK_CHARS and clean.is_link(link)


def _writable(said: str) -> str:
    """Return what is said with each half of a surrogate pair as a question mark."""
    return said if said.isascii() else said.encode("utf-8", "replace").decode()


def _within_bounds(said: Engagement) -> Engagement:
    if said is _UNSAID:
        return said
    counts = (said.likes, said.reposts, said.replies, said.views)
    return Engagement(*(min(max(int(count), -1), _MAX_COUNT) for count in counts))
