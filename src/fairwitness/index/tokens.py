"""Which words find a post, and what a question looks for: the same tokens on both sides.

`kernels/words.py` says what a token is. The postings know a post's own from those beside it, which
count less.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from fairwitness.index.pointing import pointers
from fairwitness.kernels import words
from fairwitness.kernels.texts import Texts, unpack
from fairwitness.kernels.words import Words
from fairwitness.posts.post import Post

_SIGNS = "#@$"
_CASHTAG = re.compile(r"\$[A-Za-z]{1,6}\b")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_HANDLE_NAME = re.compile(r"[^@.\s]+")


def told_by(posts: Sequence[Post]) -> Words:
    """Return the words of posts."""
    return words.of_texts([post.text for post in posts])


def beside(posts: Sequence[Post], known: Texts) -> Words:
    """Return the words beside the texts of posts; `known` are the plain ones, others empty."""
    said = [said or aside(posts[at]) for at, said in enumerate(unpack(known))]
    return words.of_asides(said)


def of_question(text: str) -> list[str]:
    """Return all tokens of a text in order, as posts are indexed by them."""
    return words.of_texts([text]).joined[0].split()


def words_of(text: str) -> list[str]:
    """Return the tokens of a question but for those in unspaced scripts, which are in its runs."""
    return [token for token in of_question(text) if not words.is_unspaced(token[0])]


def signs_of(text: str) -> list[str]:
    """Return the hashtags, handles and cashtags of a question as wholes: `#津波`, `@nasa.gov`."""
    return [token for token in words.of_asides([text]).joined[0].split() if token[0] in _SIGNS]


def runs_of(text: str) -> list[str]:
    """Return the stretches of a question in unspaced scripts; each letter is a token."""
    return words.unspaced_runs(text)


def aside(post: Post) -> str:
    """Return what beside a post's text finds it too but counts less, before it is made tokens.

    The author (`@nasa.bsky.social nasa`), tags and handles with their sign, so that `#fight` can
    be asked for as such, the words inside a `#CamelCaseTag`, links that the text does not show,
    and where it points (`pointing.py`).
    """
    who = post.author
    said = f"@{who} {who}" if who.isalnum() else f"@{who} {_name_in(who)}"
    points = post.mentions or post.links or post.reply_to
    if not points and not post.hashtags and "$" not in post.text:
        return said
    parts = [said]
    for tag in post.hashtags:
        parts.append(f"#{tag}")
        parts += _inside(tag)
    if "$" in post.text:
        parts += _CASHTAG.findall(post.text)
    if points:
        parts += pointers(post)
    return " ".join(parts)


@lru_cache(maxsize=1 << 16)
def _name_in(handle: str) -> str:
    """Return the first part of a handle: `nasa` of `nasa.bsky.social` and of `@nasa@mas.to`."""
    name = handle.partition(".")[0]
    if name.isalnum():
        return name
    found = _HANDLE_NAME.search(handle)
    return found.group() if found else ""


def _inside(tag: str) -> list[str]:
    """Split `MayweatherMcGregor`: mayweather, mc, gregor, and joined, mayweathermc, mcgregor."""
    if not tag.isascii() or tag.islower():
        return []
    pieces = _CAMEL.findall(tag)
    if len(pieces) < 2:
        return []
    return pieces + [a + b for a, b in pairwise(pieces)]
