"""Where a post points, as words beside its text: whom it names, speaks to, and links to.

`$to.nasa` and `$site.example.org` look like cashtags, so they are indexed as they are, and no post
can say them: a real cashtag has letters only.
"""

import re
from functools import lru_cache

from fairwitness.posts.post import Post

_DOMAIN_LABELS = 5
"""So many labels from the right of a host can be asked for."""
_SCHEME = re.compile(r"^[a-z]+://(www\.)?", re.IGNORECASE)
_HOST = re.compile(r"[a-z]+://(?:[^/?#@]*@)?(?:www\.)?([\w.\-]+)", re.IGNORECASE)
_LEADING = re.compile(r"\s*[@＠]([A-Za-z0-9_](?:[\w.\-]*\w)?)", re.ASCII)
_NOT_IN_HANDLE = re.compile(r"[^\w.\-@]")
_NO_SIGNS = str.maketrans("#@$", "   ")


def pointers(post: Post) -> list[str]:
    """Return the words for a post's mentions, for its links, and for whom it speaks to."""
    found = [mention(handle) for handle in post.mentions]
    for link in post.links:
        if link not in post.text:
            # Or a link to `medium.example/@ann` would mention ann.
            found.append(_SCHEME.sub("", link).translate(_NO_SIGNS))
        if host := _HOST.match(link):
            found.append(_sites(host[1]))
    if post.mentions or post.reply_to:
        found += map(to, _spoken_to(post))
    return found


def mention(handle: str) -> str:
    """Return the word for a mention of a handle or account id: `@did.plc.abc`."""
    return f"@{_plain(handle)}"


def to(handle: str) -> str:
    """Return the word of posts that speak to a handle or account id, with or without @."""
    return f"$to.{_plain(handle.removeprefix('@')).replace('@', '.')}"


def site(host: str) -> str:
    """Return the word of posts that link to a host or to one below it."""
    return f"$site.{host.strip('.')}"


def _plain(handle: str) -> str:
    return handle if handle.isalnum() else _NOT_IN_HANDLE.sub(".", handle)


@lru_cache(maxsize=4096)
def _sites(host: str) -> str:
    """Return the words of `news.example.org`: its own and that of `example.org`."""
    labels = host.strip(".").split(".")[-_DOMAIN_LABELS:]
    return " ".join(site(".".join(labels[at:])) for at in range(max(len(labels) - 1, 1)))


def _spoken_to(post: Post) -> list[str]:
    """Return the handle that a text begins with, or whom a reply mentions first; with their id."""
    found: list[str] = []
    if post.mentions and (leading := _LEADING.match(post.text)):
        name = leading[1].lower()
        full = (handle for handle in post.mentions if handle.lower().startswith(f"{name}@"))
        found += dict.fromkeys((name, *full))
    elif post.reply_to and post.mentions:
        found.append(post.mentions[0])
    if post.reply_to.startswith("at://"):
        # https://atproto.com/specs/at-uri-scheme: the authority is whose record it is.
        found.append(post.reply_to.removeprefix("at://").partition("/")[0])
    return found
