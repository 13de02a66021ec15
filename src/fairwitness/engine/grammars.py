"""Answers of a given form: JSON of a schema, a regular expression, a context-free grammar.

llguidance walks the grammar (a derivative-based lexer under an Earley parser) and tells which
tokens keep it alive; it sees our tokens as bytes, so a token may begin inside one word of the
grammar and end inside the next. What it accepts: docs/json_schema.md and docs/syntax.md of
github.com/guidance-ai/llguidance, and the regular expressions of Rust's `regex`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.request import RequestError
from fairwitness.models import Tokenizer

if TYPE_CHECKING:
    from llguidance import LLMatcher
    from llguidance._lib import JsonCompileOptions

OPTION = "form"
_SHOWN_CHARS = 300
_MOST_ITEMS = 5_000  # of the parser for a mask: everybody waits for it, 0.2 s at the default 50,000
# One space at most: a model that may write white space for ever sometimes does.
_JSON_STYLE: JsonCompileOptions = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
}


class Grammars:
    """Makes rules for one tokenizer. Building it takes a tenth of a second: keep it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        from llguidance import LLTokenizer, TokenizerWrapper  # 8 MB that few answers need

        if not tokenizer.end_ids:
            raise RequestError("the model has no end token, so no answer can have a form", OPTION)
        self._vocabulary = len(tokenizer.token_bytes)
        self._tokens = LLTokenizer(
            TokenizerWrapper(_Spelled(tokenizer)), eos_token=sorted(tokenizer.end_ids)
        )

    def json(self, schema: str) -> Grammar:
        """Rule of one JSON value that the schema, given as JSON, describes.

        Raises:
            RequestError: no schema, one with keywords that cannot be kept, or one that nothing
                meets.
        """
        from llguidance import LLMatcher

        try:
            text = LLMatcher.grammar_from_json_schema(schema, overrides=_JSON_STYLE)
        except ValueError as error:
            raise RequestError(f"the JSON schema cannot be kept: {error}", OPTION) from error
        return self._compiled("JSON schema", text)

    def regex(self, pattern: str) -> Grammar:
        """Rule of a text that the pattern matches from its beginning to its end; errors as in
        `json`."""
        from llguidance import LLMatcher

        return self._compiled("regular expression", LLMatcher.grammar_from_regex(pattern))

    def lark(self, grammar: str) -> Grammar:
        """Rule of a text that the grammar's `start` derives; errors as in `json`."""
        from llguidance import LLMatcher

        return self._compiled("grammar", LLMatcher.grammar_from_lark(grammar))

    def _compiled(self, kind: str, text: str) -> Grammar:
        from llguidance import LLMatcher, LLParserLimits

        limits = LLParserLimits(verbose_errors=False, step_max_items=_MOST_ITEMS)
        matcher = LLMatcher(self._tokens, text, log_level=0, limits=limits)
        grammar = Grammar(kind, matcher, self._vocabulary)
        grammar.begin().mask()  # what no text can meet is refused now and not in the answer
        return grammar


class Grammar:
    """A rule, compiled: each answer walks a copy."""

    def __init__(self, kind: str, matcher: LLMatcher, vocabulary: int) -> None:
        self._kind = kind
        self._matcher = matcher
        self._vocabulary = vocabulary

    def begin(self) -> GrammarWalk:
        """A constraint before the first token."""
        return GrammarWalk(self._kind, self._matcher.deep_copy(), self._vocabulary)


class GrammarWalk:
    """A `Constraint`: how far one answer has come in a grammar."""

    def __init__(self, kind: str, matcher: LLMatcher, vocabulary: int) -> None:
        self._kind = kind
        self._matcher = matcher
        self._vocabulary = vocabulary

    def mask(self) -> NDArray[np.bool_]:
        """See `Constraint`."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        if self._matcher.is_stopped() and not self._matcher.is_accepting():
            raise self._refusal()
        return np.unpackbits(bits, count=self._vocabulary, bitorder="little").view(np.bool_)

    def take(self, token: int) -> None:
        """See `Constraint`."""
        if not self._matcher.consume_token(token):  # the grammar is more than it can keep track of
            raise self._refusal()

    def guess(self) -> tuple[int, ...]:
        """See `Constraint`: what is forced, such as the names of a schema, in the tokens that the
        model reads; it is always right."""
        return tuple(self._matcher.compute_ff_tokens())

    @property
    def is_done(self) -> bool:
        """See `Constraint`."""
        return self._matcher.is_stopped()

    def _refusal(self) -> RequestError:
        problem = self._matcher.get_error().splitlines() or ["no text meets it"]
        return RequestError(f"the {self._kind} cannot be kept: {problem[0][:_SHOWN_CHARS]}", OPTION)


class _Spelled:
    """A tokenizer as `TokenizerWrapper` wants it: a token without bytes is a special one, which
    llguidance knows by a byte that no text has."""

    bos_token_id = None

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.eos_token_id = min(tokenizer.end_ids)
        self.special_token_ids = [
            token for token, spelled in enumerate(tokenizer.token_bytes) if not spelled
        ]
        self.tokens = [
            spelled or b"\xff<%d>" % token for token, spelled in enumerate(tokenizer.token_bytes)
        ]

    def __call__(self, text: bytes) -> list[int]:
        return self._tokenizer.encode(text.decode("utf-8", "replace"))
