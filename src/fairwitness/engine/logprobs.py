"""How likely each token of an answer was, in the shape that OpenAI gives it.

Source: ChatCompletionTokenLogprob in `openapi.json` 2.3.0 of github.com/openai/openai-openapi. The
logprobs are the model's own, before bias, penalties, temperature, cuts and rules (the
`raw_logprobs` of vLLM). A token is told once the first character of its text is: tokens of a stop
text are not part of the answer, nor is the token that ends it.
"""

from __future__ import annotations

from collections import deque

import msgspec

from fairwitness.engine.request import Token
from fairwitness.models import Tokenizer


class TopLogprob(msgspec.Struct, frozen=True):
    """A token, how likely it was (natural log), and its bytes unless it stands for none."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None


class TokenLogprob(msgspec.Struct, frozen=True):
    """A token that was chosen, and the likeliest at its place, likeliest first."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top_logprobs: tuple[TopLogprob, ...] = ()


class HeldLogprobs:
    """Holds each token's logprob back until its text is given out; then it goes to `told`."""

    def __init__(self, tokenizer: Tokenizer, told: list[TokenLogprob]) -> None:
        self._token_bytes = tokenizer.token_bytes
        self._names = {token: name for name, token in tokenizer.control_ids.items()}
        self._told = told
        self._held: deque[tuple[int, TokenLogprob]] = deque()  # with the place of its text
        self._heard_chars = 0
        self._told_chars = 0

    def hear(self, token: Token, text: str) -> None:
        """Take a token, and the text that it completed."""
        is_end = token.finish == "stop" and not self._token_bytes[token.id]
        if not is_end:
            self._held.append((self._heard_chars, self._logprob(token)))
        self._heard_chars += len(text)

    def tell(self, text: str) -> None:
        """Give out the tokens that `text`, which is given out now, begins to spell."""
        self._told_chars += len(text)
        while self._held and self._held[0][0] < self._told_chars:
            self._told.append(self._held.popleft()[1])

    def finish(self) -> None:
        """Give out the rest: the answer ended with it."""
        self._told += [logprob for _, logprob in self._held]
        self._held.clear()

    def _logprob(self, token: Token) -> TokenLogprob:
        top = tuple(self._named(other, logprob) for other, logprob in token.top)
        chosen = self._named(token.id, token.logprob)
        return TokenLogprob(chosen.token, chosen.logprob, chosen.bytes, top)

    def _named(self, token: int, logprob: float) -> TopLogprob:
        spelled = self._token_bytes[token]
        if not spelled:
            return TopLogprob(self._names.get(token, ""), logprob)
        return TopLogprob(spelled.decode("utf-8", "replace"), logprob, tuple(spelled))
