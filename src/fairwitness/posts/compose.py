"""Put posts together: what the network says of each, plus what their cleaned texts show.

Posts are put together many at a time, because the language of a thousand texts is told in a tenth
of the time that a thousand texts take one by one. One post is a batch of one.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter

import msgspec

from fairwitness.posts import clean, language
from fairwitness.posts.clean import Cleaned
from fairwitness.posts.post import Edited, Engagement, Event, Post, Posted

MAX_NAMED = 100
"""Links, hashtags and mentions that a post may have, of each."""

_MAX_LINK_CHARS = 2_048
_MAX_NAME_CHARS = 200
_MAX_COUNT = 2**53
_STEPS = 128
"""A language is told no finer: such a number shrinks to half of what three digits take."""
MIN_MS = -62_135_596_800_000  # 0001-01-01, what `datetime` can show
MAX_MS = 253_402_300_799_000  # 9999-12-31

_UNSAID = Engagement()
_NAMES = ("id", "network", "author_id", "reply_to", "repost_of", "thread")
_names = attrgetter(*_NAMES)


class Parts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a network says of one post. All of it is foreign, and looked at by `compose_all`."""

    cleaned: Cleaned
    id: str
    network: str
    author: str
    author_id: str
    created_ms: float
    """What the author claims, so it is kept as claimed, even from 1970 or 2100."""
    seen_ms: int
    url: str = ""
    claimed_lang: str = ""
    reply_to: str = ""
    repost_of: str = ""
    thread: str = ""
    links: tuple[str, ...] = ()
    """They and the mentions come before those in the text."""
    hashtags: tuple[str, ...] = ()
    """They come after those in the text, where the text does not show them in any case."""
    mentions: tuple[str, ...] = ()
    engagement: Engagement = _UNSAID
    is_edit: bool = False


def events_of(said: Sequence[Parts | Event]) -> list[Event]:
    """Return the events, in order, with each post that is in parts put together."""
    parts = [each for each in said if isinstance(each, Parts)]
    posts = iter(compose_all(parts))
    return [_told(each, next(posts)) if isinstance(each, Parts) else each for each in said]


def _told(parts: Parts, post: Post) -> Posted | Edited:
    return Edited(post) if parts.is_edit else Posted(post)


def compose(parts: Parts) -> Post:
    """Return the one post; see `compose_all`."""
    return compose_all([parts])[0]


def compose_all(posts: Sequence[Parts]) -> list[Post]:
    """Return the posts, in order.

    What networks say beside the text is as foreign as the text: names become one visible line,
    links that are none are left out, and nothing comes out that cannot be written as UTF-8.
    """
    texts = [parts.cleaned.text for parts in posts]
    tongues = language.detect_all(texts, [parts.claimed_lang for parts in posts])
    return [_composed(parts, *tongue) for parts, tongue in zip(posts, tongues, strict=True)]


def _composed(parts: Parts, lang: str, confidence: float) -> Post:
    parts = _writable_names(parts)
    text = parts.cleaned.text
    return Post(
        id=parts.id,
        network=parts.network,
        author=clean.one_line(parts.author, _MAX_NAME_CHARS) or parts.author_id,
        author_id=parts.author_id,
        text=text,
        created_ms=int(min(max(parts.created_ms, MIN_MS), MAX_MS)),
        seen_ms=parts.seen_ms,
        url=parts.url if clean.is_link(parts.url) else "",
        lang=lang,
        lang_confidence=round(confidence * _STEPS) / _STEPS,
        reply_to=parts.reply_to,
        repost_of=parts.repost_of,
        thread=parts.thread,
        links=_links(parts, text),
        hashtags=_hashtags(parts, text),
        mentions=_mentions(parts, text),
        engagement=_within_bounds(parts.engagement),
        cuts=parts.cleaned.cuts,
    )


def _writable_names(parts: Parts) -> Parts:
    """Return `parts` with nothing in its ids that UTF-8 cannot carry."""
    said = _names(parts)
    if "".join(said).isascii():
        return parts
    written = dict(zip(_NAMES, map(_writable, said), strict=True))
    return msgspec.structs.replace(parts, **written)


def _links(parts: Parts, text: str) -> tuple[str, ...]:
    links = clean.links_in(text)
    if parts.links or parts.cleaned.links:
        links = _each_once((*parts.links, *parts.cleaned.links, *links))
    return tuple(filter(_is_short_link, links))[:MAX_NAMED] if links else ()


def _hashtags(parts: Parts, text: str) -> tuple[str, ...]:
    in_text = clean.hashtags_in(text)
    if not parts.hashtags:
        return in_text[:MAX_NAMED]
    shown = {tag.lower() for tag in in_text}
    more = (tag for tag in parts.hashtags if tag.lower() not in shown)
    return _each_once((*in_text, *map(_writable, more)))[:MAX_NAMED]


def _mentions(parts: Parts, text: str) -> tuple[str, ...]:
    in_text = clean.mentions_in(text)
    if not parts.mentions:
        return in_text[:MAX_NAMED]
    return _each_once((*map(_writable, parts.mentions), *in_text))[:MAX_NAMED]


def _each_once(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def _is_short_link(link: str) -> bool:
    return len(link) <= _MAX_LINK_CHARS and clean.is_link(link)


def _writable(said: str) -> str:
    """Return what is said with each half of a surrogate pair as a question mark."""
    return said if said.isascii() else said.encode("utf-8", "replace").decode()


def _within_bounds(said: Engagement) -> Engagement:
    if said is _UNSAID:
        return said
    counts = (said.likes, said.reposts, said.replies, said.views)
    if min(counts) >= -1 and max(counts) <= _MAX_COUNT:
        return said
    return Engagement(*(min(max(int(count), -1), _MAX_COUNT) for count in counts))
