"""Answers that quote: every token goes on with some span of given texts, byte for byte.

A quote so far is known by the places where it ends in the sources. Which tokens may follow is read
off those places: at each, the longest token that the text goes on with, and through a trie over the
vocabulary all shorter ones. Bytes decide and not the sources' own tokens, so a quote may begin and
end inside them; it begins and ends with whole characters.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.request import RequestError
from fairwitness.models import Tokenizer

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
    """A rule: the answer is a span of one of `sources`, of one character at least."""

    def __init__(self, tokenizer: Tokenizer, trie: TokenTrie, sources: Sequence[str]) -> None:
        """Takes about 1 µs a byte; raises RequestError for nothing to quote, or too much."""
        texts = [source.encode("utf-8", "replace") for source in sources if source]
        if not texts:
            raise RequestError("there is nothing to quote", OPTION)
        if (size_bytes := sum(map(len, texts))) > MOST_BYTES:
            message = f"{size_bytes:,} bytes to quote from, at most {MOST_BYTES:,}"
            raise RequestError(message, OPTION)
        self.token_bytes = tokenizer.token_bytes
        self.end_ids = sorted(tokenizer.end_ids)
        self.parents, self.ids = trie.parents, trie.ids
        self.text_p = np.concatenate([_with_gap(text) for text in texts])
        longest = [
            place
            for text in texts
            for start in range(len(text) + 1)
            for place in (trie.longest(text[start : start + trie.most_bytes]),)
        ]
        self.longest_p = np.array(longest, np.intp)
        is_whole_p = ((self.text_p & 0xC0) != 0x80) & (self.text_p != _GAP)
        self.starts = np.flatnonzero(is_whole_p)
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


class Quoting:
    """A `Constraint`: where in the sources one quote may have come to."""

    def __init__(self, quotes: Quotes) -> None:
        self._quotes = quotes
        self._places = quotes.starts
        self._is_empty = True

    def mask(self) -> NDArray[np.bool_]:
        """See `Constraint`."""
        if self._is_empty:
            return self._quotes.first_v
        allowed_v = self._quotes.allowed(self._places)
        if self._is_whole():
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

    def forced(self) -> tuple[int, ...]:
        """See `Constraint`: none, a quote may end."""
        return ()

    @property
    def is_done(self) -> bool:
        """See `Constraint`: true at the ends of all sources."""
        return bool((self._quotes.text_p[self._places] == _GAP).all())

    def _is_whole(self) -> bool:
        """Whether the quote ends with a whole character: all places agree, they share its bytes."""
        following = int(self._quotes.text_p[self._places[0]])
        return following == _GAP or following & 0xC0 != 0x80


def _with_gap(text: bytes) -> NDArray[np.int16]:
    return np.append(np.frombuffer(text, np.uint8).astype(np.int16), np.int16(_GAP))
