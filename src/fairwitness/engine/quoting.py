"""Answers that quote: every token goes on with some span of given texts, byte for byte.

A quote so far is known by the places where it ends in the sources. Which tokens may follow is read
off those places: at each, the longest token that the text goes on with, and through a trie over the
vocabulary all shorter ones. Bytes decide and not the sources' own tokens, so a quote may begin and
end inside them; it begins and ends where `borders` says.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.borders import ends, starts
from fairwitness.engine.request import RequestError
from fairwitness.models import Tokenizer

N = TypeVar("N", bound=np.generic)

OPTION = "form"
MOST_BYTES = 200_000  # of all sources together: more than any prompt here, and 0.2 s of work
_GAP = -1  # stands after each source and is no byte


class TokenTrie:
    """The tokens in the order of their bytes, each with the longest other one that begins it.

    All tokens that begin a text are one of them, its parent, and so on: the trie as two columns.
    """

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        order = [token for token, spelled in enumerate(token_bytes) if spelled]
        order.sort(key=token_bytes.__getitem__)
        self.ids = order
        self.most_bytes = max(map(len, token_bytes))
        self._spelled = [token_bytes[token] for token in order]
        self.parents: list[int] = []
        branch: list[int] = []
        for place, spelled in enumerate(self._spelled):
            while branch and not spelled.startswith(self._spelled[branch[-1]]):
                branch.pop()
            self.parents.append(branch[-1] if branch else -1)
            branch.append(place)

    def longest(self, text: bytes) -> int:
        """Place of the longest token that begins `text`; -1 if none does."""
        place = bisect_right(self._spelled, text) - 1
        while place >= 0 and not text.startswith(self._spelled[place]):
            place = self.parents[place]
        return place


class Quotes:
    """A rule: the answer is a span of one of `sources`, of one word at least.

    The sources stand one after the other in `text_p`, each with a gap behind it; letters p are
    places there. `longest_p` is the trie's place of the longest token that begins at a place.
    """

    def __init__(self, tokenizer: Tokenizer, trie: TokenTrie, sources: Sequence[str]) -> None:
        """Takes about 2 µs a byte; raises RequestError for nothing to quote, or too much."""
        if not "".join(sources).strip():
            raise RequestError("there is nothing to quote", OPTION)
        texts = [source.encode("utf-8", "replace") for source in sources]
        if (size_bytes := sum(map(len, texts))) > MOST_BYTES:
            message = f"{size_bytes:,} bytes to quote from, at most {MOST_BYTES:,}"
            raise RequestError(message, OPTION)
        self._tokenizer = tokenizer
        self.token_bytes = tokenizer.token_bytes
        self.end_ids = sorted(tokenizer.end_ids)
        self.parents, self.ids = trie.parents, trie.ids
        wholes = [text.decode() for text in texts]
        starts_p = _concatenated(_marked(text, starts(text)) for text in wholes)
        self.ends_p = _concatenated(_marked(text, ends(text)) for text in wholes)
        self.text_p = _concatenated(map(_with_gap, texts))
        self.longest_p = _concatenated(_longest(trie, text) for text in texts)
        self.starts = np.flatnonzero(starts_p)
        self.first_v = self.allowed(self.starts)

    def begin(self) -> Quoting:
        """A constraint before the first token."""
        return Quoting(self)

    def allowed(self, places: NDArray[np.intp]) -> NDArray[np.bool_]:
        """The tokens that the texts go on with at `places`."""
        allowed_v = np.zeros(len(self.token_bytes), np.bool_)
        parents, ids = self.parents, self.ids
        for place in np.unique(self.longest_p[places]).tolist():
            while place >= 0 and not allowed_v[ids[place]]:
                allowed_v[ids[place]] = True
                place = parents[place]
        return allowed_v

    def rest(self, place: int) -> tuple[int, ...]:
        """The tokens of a source from a place on."""
        length = int(np.argmax(self.text_p[place:] == _GAP))
        rest = bytes(self.text_p[place : place + length].astype(np.uint8))
        return tuple(self._tokenizer.encode(rest.decode("utf-8", "replace")))


class Quoting:
    """A `Constraint`: where in the sources one quote may have come to."""

    def __init__(self, quotes: Quotes) -> None:
        self._quotes = quotes
        self._places = quotes.starts
        self._is_empty = True
        self._ahead: tuple[int, ...] = ()  # what was guessed and not yet said

    def mask(self) -> NDArray[np.bool_]:
        """See `Constraint`."""
        if self._is_empty:
            return self._quotes.first_v
        allowed_v = self._quotes.allowed(self._places)
        if self._quotes.ends_p[self._places].any():
            allowed_v[self._quotes.end_ids] = True
        if not allowed_v.any():
            raise RequestError("the model has no token for the rest of a character", OPTION)
        return allowed_v

    def take(self, token: int) -> None:
        """See `Constraint`."""
        text_p, places = self._quotes.text_p, self._places
        for byte in self._quotes.token_bytes[token]:
            places = places[text_p[places] == byte] + 1
        assert places.size, f"token {token} was not allowed"
        self._places, self._is_empty = places, False
        self._ahead = self._ahead[1:] if self._ahead[:1] == (token,) else ()

    def guess(self) -> tuple[int, ...]:
        """See `Constraint`: the rest of the source, once there is one place only."""
        if not self._ahead and self._places.size == 1:
            self._ahead = self._quotes.rest(int(self._places[0]))
        return self._ahead

    @property
    def is_done(self) -> bool:
        """See `Constraint`: true at the ends of all sources."""
        return bool((self._quotes.text_p[self._places] == _GAP).all())


def _longest(trie: TokenTrie, text: bytes) -> NDArray[np.intp]:
    """The longest token at each byte of a text, and none at the gap behind it."""
    most = trie.most_bytes
    places = [trie.longest(text[start : start + most]) for start in range(len(text) + 1)]
    return np.array(places, np.intp)


def _marked(text: str, chars: set[int]) -> NDArray[np.bool_]:
    """Which bytes of a text begin the characters at `chars`; the gap is the one behind the last."""
    sizes = [0, *(len(letter.encode()) for letter in text)]
    offsets = np.cumsum(sizes)
    marked_p = np.zeros(int(offsets[-1]) + 1, np.bool_)
    marked_p[offsets[sorted(chars)]] = True
    return marked_p


def _with_gap(text: bytes) -> NDArray[np.int16]:
    return np.append(np.frombuffer(text, np.uint8).astype(np.int16), np.int16(_GAP))


def _concatenated(pieces: Iterable[NDArray[N]]) -> NDArray[N]:
    return np.concatenate([*pieces])
