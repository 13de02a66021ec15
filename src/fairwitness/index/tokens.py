"""How text becomes words, the same for posts and for questions.

Scripts that put no spaces between words (Chinese, Japanese, Thai) become single characters, whose
order the index keeps; everything else becomes folded words: `Terremoto`, `cafe` for café.
"""

import re
from functools import cache, lru_cache
from itertools import pairwise

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

from fairwitness.posts.post import Post

# Syntax: the `regex` crate's classes, which tantivy's regex tokenizer uses.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}"
_WORD = rf"[\p{{L}}\p{{M}}\p{{N}}_&&[^{_UNSPACED}]]+"
_SIGIL = r"[#@$][\p{L}\p{M}\p{N}_][\p{L}\p{M}\p{N}_.\-]*"
_PATTERNS = {
    "text": rf"[{_UNSPACED}]|{_WORD}",
    "aside": rf"{_SIGIL}|[{_UNSPACED}]|{_WORD}",
    "words": _WORD,
    "sigils": _SIGIL,
    "runs": rf"[{_UNSPACED}]+",
}
_LONGEST_WORD_BYTES = 96  # longer ones are keys and noise, and nobody asks for them

_DOMAIN_LABELS = 5
"""So many labels from the right of a host can be asked for."""

_CASHTAG = re.compile(r"\$[A-Za-z]{1,6}\b")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_HANDLE_NAME = re.compile(r"[^@.\s]+")
_SCHEME = re.compile(r"^[a-z]+://(www\.)?", re.IGNORECASE)
_HOST = re.compile(r"[a-z]+://(?:[^/?#@]*@)?(?:www\.)?([\w.\-]+)", re.IGNORECASE)
_LEADING = re.compile(r"[.\s]*[@＠]([A-Za-z0-9_](?:[\w.\-]*\w)?)", re.ASCII)
_NOT_IN_HANDLE = re.compile(r"[^\w.\-@]")
_NO_SIGNS = str.maketrans("#@$", "   ")


@cache
def analyzer(name: str) -> TextAnalyzer:
    """Return the analyzer `text` or `aside` (fields), `words`, `sigils` or `runs` (questions)."""
    built = TextAnalyzerBuilder(Tokenizer.regex(_PATTERNS[name]))
    built = built.filter(Filter.lowercase()).filter(Filter.ascii_fold())
    if name != "runs":
        built = built.filter(Filter.remove_long(_LONGEST_WORD_BYTES))
    return built.build()


def tokens(name: str, text: str) -> list[str]:
    """Return what the analyzer makes of any text, broken surrogates included."""
    return analyzer(name).analyze(foldable(text.encode("utf-8", "replace").decode()))


def foldable(text: str) -> str:
    """Return `text` with the one capital whose lower case is two characters made plain."""
    return text.replace("İ", "I") if "İ" in text else text


def aside(post: Post) -> str:
    """Return the words beside a post's text, which find it too but count less.

    The author (`@nasa.bsky.social nasa`), tags and handles with their sign, so that `#fight` can
    be asked for as such, the words inside a `#CamelCaseTag`, links that the text does not show,
    whom the post speaks to (`to`) and where its links lead (`site`).
    """
    parts = [f"@{post.author}"]
    if name := _HANDLE_NAME.search(post.author):
        parts.append(name.group())
    for tag in post.hashtags:
        parts.append(f"#{tag}")
        parts += _inside(tag)
    parts += [f"@{_plain(handle)}" for handle in post.mentions]
    if "$" in post.text:
        parts += _CASHTAG.findall(post.text)
    for link in post.links:
        if link not in post.text:
            # Or a link to `medium.example/@ann` would mention ann.
            parts.append(_SCHEME.sub("", link).translate(_NO_SIGNS))
        if host := _HOST.match(link):
            parts.append(_sites(host[1]))
    parts += map(to, _spoken_to(post))
    return foldable(" ".join(parts))


def to(handle: str) -> str:
    """Return the word beside a post's text that says it speaks to `handle` (or account id)."""
    return f"$to.{_plain(handle.removeprefix('@')).replace('@', '.')}"


def site(host: str) -> str:
    """Return the word beside a post's text that says it links to `host` or below it."""
    return f"$site.{host.strip('.')}"


def _plain(handle: str) -> str:
    """Return a handle or account id with its colons and the like as dots: `did.plc.abc`."""
    return _NOT_IN_HANDLE.sub(".", handle)


@lru_cache(maxsize=4096)
def _sites(host: str) -> str:
    """Return the site words of `news.example.org`: its own and that of `example.org`."""
    labels = host.strip(".").split(".")[-_DOMAIN_LABELS:]
    return " ".join(site(".".join(labels[at:])) for at in range(max(len(labels) - 1, 1)))


def _spoken_to(post: Post) -> list[str]:
    """Return the handle that a text begins with, or whom a reply mentions first; with their id."""
    found: list[str] = []
    if post.mentions and (leading := _LEADING.match(post.text)):
        name = leading[1].lower()
        found += dict.fromkeys(
            (name, *(full for full in post.mentions if full.lower().startswith(f"{name}@")))
        )
    elif post.reply_to and post.mentions:
        found.append(post.mentions[0])
    if post.reply_to.startswith("at://"):
        # https://atproto.com/specs/at-uri-scheme: the authority is whose record it is.
        found.append(post.reply_to.removeprefix("at://").partition("/")[0])
    return found


def _inside(tag: str) -> list[str]:
    """Split `MayweatherMcGregor`: mayweather, mc, gregor, and joined, mayweathermc, mcgregor."""
    if not tag.isascii() or tag.islower():
        return []
    pieces = _CAMEL.findall(tag)
    if len(pieces) < 2:
        return []
    return pieces + [a + b for a, b in pairwise(pieces)]
