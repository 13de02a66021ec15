"""An answer's choices, one token at a time: what it has written so far, and when it ends.

The engine asks `next` with the logits of each position in order, and no more often than it keeps
tokens. Drafts are checked by that alone: run the draft's tokens, ask `next` of each row in order,
and stop at the first that is not what the draft said. Nothing needs to be taken back, and the
tokens are those that no draft would have given.
"""

from __future__ import annotations

import math
from typing import Literal

from fairwitness.engine.request import NonFiniteLogitsError, Request, Token
from fairwitness.engine.sample import Logits, sample, top_logprobs


class Choosing:
    """The state of one answer of at most `limit` tokens; its tokens follow from the request and the
    logits alone."""

    def __init__(self, request: Request, limit: int) -> None:
        """Begin; raises RequestError if the rule cannot be met."""
        self.place = 0
        self._request = request
        self._limit = limit
        self._constraint = request.rule.begin() if request.rule else None
        is_read = request.repetition_penalty != 1  # the one penalty that minds the prompt
        self._counts = dict.fromkeys(request.prompt_ids, 0) if is_read else {}

    def next(self, logits: Logits) -> Token:
        """Choose the next token by the logits after the last; it is the last one if its `finish`
        is set.

        Raises:
            NonFiniteLogitsError: the logits are not numbers to choose by.
            RequestError: the rule allows no token that the model has.
        """
        request = self._request
        allowed_v = self._constraint.mask() if self._constraint else None
        token, logprob = sample(logits, request, self.place, self._counts, allowed_v)
        top = top_logprobs(logits, request.top_logprobs) if request.top_logprobs else ()
        return Token(token, logprob, self.take(token), top)

    def follow(self, token: int, logprob: float) -> Token:
        """Go on by the likeliest token, where the request takes that and asks for nothing else.

        Raises:
            NonFiniteLogitsError: the logits were not numbers to choose by.
        """
        if math.isnan(logprob):
            raise NonFiniteLogitsError("the model computed logits that are not finite")
        return Token(token, logprob, self.take(token))

    def guess(self, most: int) -> tuple[int, ...]:
        """At most `most` tokens that the rule forces, or makes likely: a draft."""
        return self._constraint.guess()[:most] if self._constraint else ()

    def take(self, token: int) -> Literal["stop", "length"] | None:
        """Go on by a token that was chosen, here or in an earlier part of the same answer; return
        why it is the last one, if it is.

        Raises:
            RequestError: the rule does not have it.
        """
        self.place += 1
        if token in self._request.stop_ids:
            return "stop"
        if self._request.has_penalties:
            self._counts[token] = self._counts.get(token, 0) + 1
        if self._constraint:
            self._constraint.take(token)
            if self._constraint.is_done:
                return "stop"
        return "length" if self.place == self._limit else None
