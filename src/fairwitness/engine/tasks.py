"""What a sequence runs for: to write an answer, or to be scored; each takes its logits by steps.

The stepping thread calls `take`; whoever asked waits at a queue.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.choosing import Choosing
from fairwitness.engine.draft import FORM, LONGEST_MATCH, Guess, PromptLookup
from fairwitness.engine.request import EngineError, NonFiniteLogitsError, Request, Token
from fairwitness.engine.sample import Logits
from fairwitness.engine.sequence import Piece, Sequence, Shown

if TYPE_CHECKING:
    from fairwitness.engine.drafter import Drafter
    from fairwitness.engine.loop import Loop

FOREVER_S = float("inf")


class Task(Protocol):
    """One sequence, and what becomes of its logits."""

    sequence: Sequence
    is_finished: bool

    def take(self, piece: Piece, shown: Shown) -> list[int]:
        """Use what a piece's wanted rows give; return the tokens chosen from them.

        Raises:
            EngineError: the task cannot go on.
        """

    def tell(self) -> None:
        """Give out what was taken. A last thing is told when all that the task held is free."""

    def fail(self, error: EngineError) -> None:
        """Tell whoever waits that nothing more will come."""


T_co = TypeVar("T_co", covariant=True)


class Told(Protocol[T_co]):
    """Where one thing can be waited for."""

    def get(self) -> T_co | EngineError:
        """Wait for it."""


class Asked(Task, Protocol[T_co]):
    """A task that tells one thing."""

    @property
    def told(self) -> Told[T_co]:
        """Where it is told."""


class Writing:
    """A request that is answered token by token."""

    def __init__(
        self,
        request: Request,
        limit: int,
        deadline_s: float = FOREVER_S,
        written: tuple[int, ...] = (),
        drafter: Drafter | None = None,
    ) -> None:
        """Begin an answer of at most `limit` tokens, or go on after those that are `written`;
        raises RequestError if it cannot be."""
        ids = [*request.prompt_ids, *written]
        prompt = len(request.prompt_ids)
        self.sequence = Sequence(
            ids,
            prompt,
            prompt + limit,
            len(ids) - 1,
            deadline_s,
            self._propose,
            request.adapter,
            ends=request.stop_ids if request.takes_likeliest else None,
        )
        self.sequence.has_begun = bool(written)
        self.told: SimpleQueue[Token | EngineError] = SimpleQueue()
        self.is_finished = False
        self._taken: list[Token] = []
        self._choosing = Choosing(request, limit)
        for token in written:
            self._choosing.take(token)
        self._lookup = PromptLookup()
        self._drafter = drafter

    def take(self, piece: Piece, shown: Shown) -> list[int]:
        """Choose from each row, until a choice is not what the next row guessed."""
        chosen: list[int] = []
        for token in self._next(piece, shown):
            chosen.append(token.id)
            self._taken.append(token)
            if token.finish is not None:
                self.is_finished = True
                break
        return chosen

    def _next(self, piece: Piece, shown: Shown) -> Iterator[Token]:
        for token, logprob in shown.likeliest:
            yield self._choosing.follow(token, logprob)
        guesses = piece.ids[len(piece.ids) - piece.drafted :]
        for place, logits in enumerate(shown.logits):
            chosen = self._choosing.next(logits)
            yield chosen
            if place < len(guesses) and guesses[place] != chosen.id:
                return

    def tell(self) -> None:
        """Let the tokens be read."""
        for token in self._taken:
            self.told.put(token)
        self._taken.clear()

    def fail(self, error: EngineError) -> None:
        """Raise it where the tokens are read."""
        self.told.put(error)

    def _propose(self, ids: list[int], most: int) -> Guess:
        if forced := self._choosing.guess(most):
            return Guess(forced, (FORM,) * len(forced))
        copied = self._lookup.propose(ids, most)
        if self._drafter is None or copied.grades[:1] == (LONGEST_MATCH,):
            return copied
        return self._drafter.propose(self.sequence, most) or copied


class Scoring:
    """Known tokens whose log-probabilities are asked for, from the position `known` on."""

    def __init__(self, ids: tuple[int, ...], known: int) -> None:
        run = list(ids[:-1])
        self.sequence = Sequence(run, len(run), len(run), known)
        self.told: SimpleQueue[tuple[float, ...] | EngineError] = SimpleQueue()
        self.is_finished = False
        self._ids = ids
        self._logprobs: list[float] = []

    def take(self, piece: Piece, shown: Shown) -> list[int]:
        """Look up what each row gives to the token that follows; nothing is chosen."""
        end = piece.start + len(piece.ids)
        targets = self._ids[end - piece.wants + 1 : end + 1]
        self._logprobs += map(Logits.logprob, shown.logits, targets)
        self.is_finished = end == len(self.sequence.ids)
        return []

    def tell(self) -> None:
        """Let the scores be read, once all are there."""
        if self.is_finished:
            self.told.put(tuple(self._logprobs))

    def fail(self, error: EngineError) -> None:
        """Raise it where the scores are waited for."""
        self.told.put(error)


class Embedding:
    """A text whose last token's hidden state is asked for, after the last norm."""

    def __init__(self, ids: tuple[int, ...], adapter: str) -> None:
        size = len(ids)
        self.sequence = Sequence(
            list(ids), size, size, size - 1, adapter=adapter, shows_hidden=True
        )
        self.told: SimpleQueue[NDArray[np.float32] | EngineError] = SimpleQueue()
        self.is_finished = False
        self._x_d: NDArray[np.float32] | None = None

    def take(self, piece: Piece, shown: Shown) -> list[int]:
        """Keep the only row that is wanted; nothing is chosen."""
        if piece.wants:
            assert shown.hidden_wd is not None
            if not np.isfinite(shown.hidden_wd).all():
                raise NonFiniteLogitsError("the model computed hidden states that are not finite")
            self._x_d, self.is_finished = shown.hidden_wd[-1], True
        return []

    def tell(self) -> None:
        """Let it be read."""
        if self._x_d is not None:
            self.told.put(self._x_d)

    def fail(self, error: EngineError) -> None:
        """Raise it where the vector is waited for."""
        self.told.put(error)


class TokenStream(Generator[Token, None, None]):
    """A request's tokens as they come; closing or dropping it gives back what the request holds."""

    def __init__(self, loop: Loop, writing: Writing) -> None:
        """Queue the request; errors as in `Loop.submit`."""
        self._loop, self._writing = loop, writing
        self._is_over = True
        loop.submit(writing)
        self._is_over = False

    def send(self, value: None) -> Token:
        """Wait for the next token."""
        if self._is_over:
            raise StopIteration
        told = self._writing.told.get()
        if isinstance(told, EngineError):
            self._is_over = True
            raise told
        self._is_over = told.finish is not None
        return told

    def heard(self, wait_s: float) -> list[Token | EngineError]:
        """All that came since, after waiting at most `wait_s` for the first of it; nothing is
        raised: an error that ended the answer stands in its place."""
        heard: list[Token | EngineError] = []
        with suppress(Empty):
            while not self._is_over:
                told = self._writing.told.get(timeout=0 if heard else wait_s)
                self._is_over = isinstance(told, EngineError) or told.finish is not None
                heard.append(told)
        return heard

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        error: BaseException | object = None,
        traceback: TracebackType | None = None,
    ) -> Token:
        """Cancel, and raise what was thrown."""
        self.close()
        if isinstance(kind, BaseException):
            raise kind
        raise error if isinstance(error, BaseException) else kind()

    def close(self) -> None:
        """Cancel what is not finished."""
        if not self._is_over:
            self._is_over = True
            self._loop.cancel(self._writing)

    def __del__(self) -> None:
        self.close()
