"""Put a post together: what the network says, plus what its cleaned text shows."""

from fairwitness.posts import clean, language
from fairwitness.posts.clean import Cleaned
from fairwitness.posts.post import Engagement, Post

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
    """
    lang, confidence = language.detect(cleaned.text, claimed_lang)
    in_text = clean.links_in(cleaned.text)
    return Post(
        id=id,
        network=network,
        author=author,
        author_id=author_id,
        text=cleaned.text,
        created_ms=min(max(created_ms, MIN_MS), MAX_MS),
        seen_ms=seen_ms,
        url=url,
        lang=lang,
        lang_confidence=round(confidence, 3),
        reply_to=reply_to,
        repost_of=repost_of,
        thread=thread,
        links=_each_once(links, cleaned.links, in_text),
        hashtags=clean.hashtags_in(cleaned.text),
        mentions=_each_once(mentions, clean.mentions_in(cleaned.text)),
        engagement=engagement,
        cuts=cleaned.cuts,
    )


def _each_once(*groups: tuple[str, ...]) -> tuple[str, ...]:
    if sum(map(bool, groups)) <= 1:
        return next(filter(None, groups), ())
    return tuple(dict.fromkeys(item for group in groups for item in group))
