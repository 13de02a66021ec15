"""The operators of X's advanced search, each as conditions of the index.

What they are called and mean: https://github.com/igorbrigadir/twitter-advanced-search
(README.md: the search box) and
https://docs.x.com/x-api/posts/search/integrate/operators (the API,
whose `is:` and `has:` are taken too). `network:` and `url:` for whole sites are ours.
"""

import re
from collections.abc import Callable
from datetime import date
from difflib import get_close_matches

from fairwitness.index.query import Clause, Condition, Kind
from fairwitness.posts.clock import from_iso, to_iso

_MOST = 2**62
_LAST_S = 253_402_300_799
"""The last second of the year 9999."""
_MAX_NAME_CHARS = 300
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T_](.+))?", re.IGNORECASE)
_SPAN = re.compile(r"(\d{1,9})([smhdw])", re.IGNORECASE)
_SPAN_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_LANG = re.compile(r"([A-Za-z]{2,3})(-[A-Za-z0-9]+)*")
_SITE = re.compile(r"(?:https?://)?(?:www\.)?([\w\-]+(?:\.[\w\-]+)+)(/.*)?", re.IGNORECASE)
_OLD_LANGS = {"in": "id", "iw": "he", "ji": "yi"}
"""X says some languages by codes that ISO 639 gave up in 1989."""

_COUNTS: dict[str, Kind] = {
    "min_faves": "likes",
    "min_likes": "likes",
    "min_retweets": "reposts",
    "min_reposts": "reposts",
    "min_replies": "replies",
    "min_quality": "quality",
}
_FILTERS: dict[str, Clause] = {
    "links": (Condition("link"),),
    "replies": (Condition("reply"),),
    "floods": (Condition("flood"),),
    "reply": (Condition("reply"),),
    "retweets": (Condition("repost"),),
    "nativeretweets": (Condition("repost"),),
    "retweet": (Condition("repost"),),
    "reposts": (Condition("repost"),),
    "has_engagement": tuple(Condition(kind, 1) for kind in ("likes", "reposts", "replies")),
}
_FILTER_NAMES: dict[Kind, str] = {
    "link": "links",
    "reply": "replies",
    "repost": "reposts",
    "flood": "floods",
}
_COUNT_NAMES: dict[Kind, str] = {
    "likes": "min_faves",
    "reposts": "min_retweets",
    "replies": "min_replies",
    "quality": "min_quality",
}
_PLAIN = re.compile(r"[^\s()/][^\s()]*")
_NO_MEDIA = "posts are kept without their pictures, videos and sounds"
_NO_PLACES = "posts are kept without their places"
_NO_ACCOUNTS = "nothing is known of who follows whom or is verified"
_UNSUPPORTED = {
    **dict.fromkeys(("near", "within", "geocode", "place", "place_country"), _NO_PLACES),
    **dict.fromkeys(("point_radius", "bounding_box"), _NO_PLACES),
    **dict.fromkeys(("since_id", "max_id"), "ids of several networks have no order; use since:"),
    **dict.fromkeys(("card_name", "card_domain", "card_url"), "use url: for where a link leads"),
    **dict.fromkeys(("conversation_id", "in_reply_to_tweet_id"), "threads are not indexed"),
    **dict.fromkeys(("quoted_tweet_id", "quotes_of_tweet_id"), "quotes are not indexed"),
    **dict.fromkeys(("quoted_user_id", "retweets_of_tweet_id"), "quotes are not indexed"),
    **dict.fromkeys(("context", "entity"), "posts are not annotated"),
    "retweets_of": "use filter:reposts with words of the post",
    "include": "reposts are found anyway; -filter:reposts leaves them out",
    "list": _NO_ACCOUNTS,
    "source": "it is not kept which program a post was written with",
}
_UNSUPPORTED_FILTERS = {
    **dict.fromkeys(("media", "images", "twimg", "videos", "native_video"), _NO_MEDIA),
    **dict.fromkeys(("consumer_video", "pro_video", "vine", "periscope", "spaces"), _NO_MEDIA),
    **dict.fromkeys(("video_link", "media_link", "audio"), _NO_MEDIA),
    **dict.fromkeys(("verified", "blue_verified", "follows", "social", "trusted"), _NO_ACCOUNTS),
    **dict.fromkeys(("quote", "quotes"), "quotes are not indexed"),
    **dict.fromkeys(("mentions", "hashtags", "cashtags"), "ask for one of them by name"),
    "geo": _NO_PLACES,
    "news": "use url: for the sites you mean",
    "safe": "nothing is known of what is sensitive",
}


class BadValue(ValueError):
    """An operator cannot be read; the message says why."""


def is_operator(name: str) -> bool:
    """Whether `name:` means something to X's search or to ours."""
    return name.lower() in (*_READERS, *_UNSUPPORTED, "exclude")


def unknown(name: str) -> str:
    """Return what to say about an operator that nobody knows."""
    close = get_close_matches(name.lower(), _READERS, 1)
    hint = f"did you mean {close[0]}:?" if close else "put it in quotes to search for it as text"
    return f"no operator {name[:40]}:; {hint}"


def read(name: str, value: str, now_ms: int) -> Clause:
    """Return the conditions of which `name:value` wants one to hold; raise BadValue."""
    name = name.lower()
    if name in _UNSUPPORTED:
        raise BadValue(f"{name}: is not supported: {_UNSUPPORTED[name]}")
    if not value:
        raise BadValue(f"nothing stands behind {name}:")
    return _READERS[name](name, value, now_ms)


def write(condition: Condition) -> str:
    """Return a condition as an operator that reads as it; not for words and phrases."""
    value, minus = str(condition.value), "-" if condition.negated else ""
    match condition.kind:
        case "from" | "to" | "lang" | "network":
            shown = value if _PLAIN.fullmatch(value) else f'"{value}"'
            return f"{minus}{condition.kind}:{shown}"
        case "site":
            return f"{minus}url:{value}"
        case "link" | "reply" | "repost" | "flood":
            return f"{minus}filter:{_FILTER_NAMES[condition.kind]}"
        case "since":
            name = "until" if condition.negated else "since"
            return f"{name}:{to_iso(int(condition.value))}"
        case _:
            return f"{minus}{_COUNT_NAMES[condition.kind]}:{value}"


def _handle(name: str, value: str, _: int) -> Clause:
    handle = value.lstrip("@ ")
    if not handle or len(handle) > _MAX_NAME_CHARS:
        raise BadValue(f"{name}: takes a handle, such as {name}:nasa")
    return (Condition("to" if name == "to" else "from", handle),)


def _network(name: str, value: str, _: int) -> Clause:
    return (Condition("network", value.lower()),)


def _lang(name: str, value: str, _: int) -> Clause:
    if not (found := _LANG.fullmatch(value)):
        raise BadValue(f"not a code of a language: {value[:40]}; they have two letters, such as en")
    code = found[1].lower()
    return (Condition("lang", _OLD_LANGS.get(code, code)),)


def _site(name: str, value: str, _: int) -> Clause:
    found = _SITE.fullmatch(value.lower())
    if not found:
        raise BadValue(f"not a site: {value[:40]}; write it in full, such as example.org")
    if found[2] and found[2] != "/":
        raise BadValue(f"{name}: takes a site alone; ask for words of the path beside it")
    return (Condition("site", found[1]),)


def _filter(name: str, value: str, _: int) -> Clause:
    value = value.lower()
    if value in _UNSUPPORTED_FILTERS:
        raise BadValue(f"{name}:{value} is not supported: {_UNSUPPORTED_FILTERS[value]}")
    if value not in _FILTERS:
        close = get_close_matches(value, _FILTERS, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(_FILTERS)}"
        raise BadValue(f"no filter {value[:40]}; {hint}")
    return _FILTERS[value]


def _count(name: str, value: str, _: int) -> Clause:
    if not (value.isascii() and value.isdigit()) or len(value) > 19 or int(value) > _MOST:
        raise BadValue(f"{name}: takes a number, such as {name}:10, not {value[:40]}")
    return (Condition(_COUNTS[name], int(value)),)


def _moment(name: str, value: str, _: int) -> Clause:
    found = _DAY.fullmatch(value)
    if not found:
        raise BadValue(f"not a date: {value[:40]}; write it like 2026-11-01 or 2026-11-01T10:00Z")
    year, month, day = (int(part) for part in found.groups()[:3])
    try:
        moment = date(year, month, day).isoformat()
    except ValueError as error:
        raise BadValue(f"no such date: {value[:40]}") from error
    if found[4]:
        moment += f"T{found[4].upper().replace('_UTC', 'Z')}"
    try:
        return (Condition("since", from_iso(moment), negated=name == "until"),)
    except ValueError as error:
        raise BadValue(f"no such time: {value[:40]}") from error


def _unix(name: str, value: str, _: int) -> Clause:
    if not (value.isascii() and value.isdigit()) or len(value) > 12 or int(value) > _LAST_S:
        raise BadValue(f"{name}: takes seconds since 1970, not {value[:40]}")
    return (Condition("since", int(value) * 1000, negated=name == "until_time"),)


def _within(name: str, value: str, now_ms: int) -> Clause:
    if not (found := _SPAN.fullmatch(value)):
        raise BadValue(f"{name}: takes a time like 30s, 5m, 2h or 7d, not {value[:40]}")
    return (Condition("since", max(now_ms - int(found[1]) * _SPAN_MS[found[2].lower()], 0)),)


_READERS: dict[str, Callable[[str, str, int], Clause]] = {
    **dict.fromkeys(("from", "to"), _handle),
    **dict.fromkeys(("url", "site"), _site),
    **dict.fromkeys(("filter", "is", "has"), _filter),
    **dict.fromkeys(("since", "until"), _moment),
    **dict.fromkeys(("since_time", "until_time"), _unix),
    **dict.fromkeys(_COUNTS, _count),
    "within_time": _within,
    "lang": _lang,
    "network": _network,
}
