"""A firehose made of real texts: what X would send, with ids, authors and times of our making.

The one idea: everything that is costly about a stream is prepared before it is timed. Texts are
drawn, shuffled and written once as the tails of JSON lines; saying a post then only puts a fresh
head (ids, author, moment) before a tail. Lines have the form of X's API v2 stream, so that the
measured road parses, cleans and tells languages as it would of X; `lang` is left out, so that it
has to tell them itself.
"""

import gzip
import importlib.resources
import json
import mmap
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fairwitness.posts import clean, language
from fairwitness.posts.clock import to_iso

SETS = (
    ("reddit-top-2013/posts_subset.jsonl.gz", "title"),
    ("crisislex/t6_labeled.jsonl.gz", "text"),
    ("crisislex/t26_labeled.dev.jsonl.gz", "text"),
    ("weibo-hot-search/hourly.dev.jsonl.gz", "title"),
    ("weibo-ced-rumour/originals.dev.jsonl.gz", "text"),
    ("hackernews-frontpage/stories.dev.jsonl.gz", "title"),
    ("news-headlines-newsflow/headlines.dev.jsonl.gz", "title"),
    ("news-headlines-wklnd/general.dev.jsonl.gz", "title"),
    ("news-headlines-wklnd/topics.jsonl.gz", "title"),
    ("usc-x-24-us-election/posts.dev.jsonl.gz", "text"),
    ("fivethirtyeight-tweets/mayweather_mcgregor.jsonl.gz", "text"),
    ("fivethirtyeight-tweets/trump_obama.jsonl.gz", "text"),
    ("telegram-ru-news/posts.jsonl.gz", "text"),
    ("rumoureval2017/posts.dev.jsonl.gz", "text"),
    ("airline-tweets/posts.jsonl.gz", "text"),
)
"""Captures that hold statements of people, and the field that holds each."""

FIRST_ID = 1_800_000_000_000_000_000
"""Ids count up from here: 19 digits, as X's have."""

ACCOUNTS = 2_000_000
_MAX_CHARS = 280  # https://docs.x.com/fundamentals/counting-characters
_DRAWN = 1 << 20
_LATE = 20
"""Of so many posts, one comes with reactions."""
_HEAD = (
    b'{"data":{"id":"%d","edit_history_tweet_ids":["%d"],"author_id":"%d","created_at":"%s",'
    b'"conversation_id":"%d",'
)
_ANSWER = b'"referenced_tweets":[{"type":"replied_to","id":"%d"}],'
_AUTHOR = b'"includes":{"users":[{"id":"%d","username":"user%d"}]},"matching_rules":[{"id":"1"}]}\n'
_NAMED = re.compile(r"(?<!\w)([@#])(\w{1,50})|(https?://[^\s]+)")


class Mix(msgspec.Struct, frozen=True):
    """What a stream is made of."""

    texts: int
    """Different ones; after so many posts they come again, from other authors."""
    text_bytes: float
    """Mean UTF-8 length of the cleaned text."""
    line_bytes: float
    """Mean length of what is parsed."""
    languages: dict[str, float]
    """Share of the ten commonest, told by our own detector on a sample."""
    sets: tuple[str, ...]


def texts_in(folder: Path | None, seed: int = 7) -> tuple[list[str], tuple[str, ...]]:
    """Return the different texts of the captures in `folder`, shuffled, and which captures.

    Of a folder that holds none of `SETS`, every `.jsonl.gz` with a `text` or `title` is read;
    without a folder it is the sample that ships with the package.
    """
    found: dict[str, None] = {}
    names: list[str] = []
    for name, path, field in _captures(folder):
        before = len(found)
        for row in _rows(path):
            text = row.get(field) or row.get("text") or row.get("title")
            if isinstance(text, str) and text.strip():
                found[text.strip()[:_MAX_CHARS]] = None
        if len(found) > before:
            names.append(name)
    texts = list(found)
    random.Random(seed).shuffle(texts)
    return texts, tuple(names)


def write_tails(path: Path, texts: Iterable[str]) -> None:
    """Write the unchanging part of each text's line; `Firehose` reads it."""
    with path.open("wb") as file:
        for number, text in enumerate(texts):
            file.write(msgspec.json.encode(_tail(text, number))[1:-1] + b"},\n")


class Firehose:
    """Says any number of posts, of which the n-th is always the same but for its moment."""

    def __init__(self, path: Path, seed: int = 7) -> None:
        """Open the tails that `write_tails` wrote."""
        with path.open("rb") as file:
            self._tails = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        ends = np.flatnonzero(np.frombuffer(self._tails, np.uint8) == ord("\n"))
        self._ends = ends.tolist()
        # Log-uniform ranks: the author of rank r says 1/r as much as the first (Zipf, s = 1).
        drawn = np.random.default_rng(seed).random(_DRAWN)
        self._authors = (1000 + ACCOUNTS**drawn).astype(np.int64).tolist()

    @property
    def texts(self) -> int:
        """How many different texts there are."""
        return len(self._ends)

    def say(self, first: int, count: int, moment_ms: int, step_ms: float = 0.0) -> bytes:
        """Return posts `first` to `first + count` as JSON lines, made `step_ms` apart."""
        if not step_ms:
            created = to_iso(moment_ms).encode()
            return b"".join([self._line(number, created) for number in range(first, first + count)])
        return b"".join(
            [
                self._line(first + i, to_iso(moment_ms + int(i * step_ms)).encode())
                for i in range(count)
            ]
        )

    def probe(self, number: int, word: str, moment_ms: int) -> bytes:
        """Return post `number` with the text `word` alone."""
        id, author = FIRST_ID + number, self._authors[number % _DRAWN]
        head = _HEAD % (id, id, author, to_iso(moment_ms).encode(), id)
        return head + b'"text":"%s"},' % word.encode() + _AUTHOR % (author, author)

    def mix(self, names: tuple[str, ...], sample: int = 4_000) -> Mix:
        """Look at the first posts and say what they are."""
        lines = self.say(0, min(sample, self.texts), 0).splitlines()
        texts = [clean.from_escaped(json.loads(line)["data"]["text"]).text for line in lines]
        told = Counter(language.detect(text)[0] for text in texts)
        return Mix(
            texts=self.texts,
            text_bytes=round(sum(len(text.encode()) for text in texts) / len(texts), 1),
            line_bytes=round(sum(map(len, lines)) / len(lines), 1),
            languages={lang: round(n / len(texts), 3) for lang, n in told.most_common(10)},
            sets=names,
        )

    def _line(self, number: int, created: bytes) -> bytes:
        text = number % len(self._ends)
        id, author = FIRST_ID + number, self._authors[(number + number // len(self._ends)) % _DRAWN]
        start = self._ends[text - 1] + 1 if text else 0
        tail = self._tails[start : self._ends[text]]
        head = _HEAD % (id, id, author, created, id)
        if tail.startswith(b'"text":"@'):
            head += _ANSWER % (id - 1 - number % 5_000)
        return head + tail + _AUTHOR % (author, author)


def id_of(number: int) -> str:
    """Return the id that post `number` has in our index."""
    return f"x:{FIRST_ID + number}"


def _tail(text: str, number: int) -> dict[str, Any]:
    entities: dict[str, list[dict[str, str]]] = {}
    for sign, name, link in _NAMED.findall(text):
        if link:
            entities.setdefault("urls", []).append({"url": link, "expanded_url": link})
        elif sign == "@":
            entities.setdefault("mentions", []).append({"username": name})
        else:
            entities.setdefault("hashtags", []).append({"tag": name})
    # A stream tells of posts as they are made, before anybody reacts; some come later.
    likes = int(10 ** (number % 97 / 24)) - 1 if number % _LATE == 0 else 0
    counts = {
        "like_count": likes,
        "retweet_count": likes // 5,
        "reply_count": likes // 9,
        "impression_count": likes * 40,
    }
    said = {"text": _escaped(text), "public_metrics": counts}
    return {**said, "entities": entities} if entities else said


def _escaped(text: str) -> str:
    """Write what X writes as entities; captures have some of them so already."""
    plain = text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _captures(folder: Path | None) -> Iterator[tuple[str, Path, str]]:
    if folder is None:
        sample = importlib.resources.files("fairwitness.data") / "sample.jsonl.gz"
        yield "the bundled sample", Path(str(sample)), "text"
        return
    known: Sequence[tuple[str, str]] = [
        (name, field) for name, field in SETS if (folder / name).exists()
    ]
    for name, field in known or [(str(p.relative_to(folder)), "text") for p in _all(folder)]:
        yield name.removesuffix(".jsonl.gz"), folder / name, field


def _all(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jsonl.gz"))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rb") as file:
        for line in file:
            row = msgspec.json.decode(line)
            if isinstance(row, dict):
                yield row
