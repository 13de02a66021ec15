"""The forms that an answer can be asked to have, and the rules that keep it to them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import msgspec

from fairwitness.engine.grammars import Grammars
from fairwitness.engine.quoting import Quotes, TokenTrie
from fairwitness.engine.request import Constraint, Rule
from fairwitness.models import Tokenizer


class JsonForm(msgspec.Struct, frozen=True, tag="json"):
    """One JSON value that `schema`, itself JSON, describes; any object if it says nothing."""

    schema: str = '{"type": "object"}'


class PatternForm(msgspec.Struct, frozen=True, tag="pattern"):
    """A text that a regular expression of Rust's `regex` matches from end to end."""

    pattern: str


class GrammarForm(msgspec.Struct, frozen=True, tag="grammar"):
    """A text that the rule `start` of a grammar in Lark's notation derives."""

    lark: str


class QuoteForm(msgspec.Struct, frozen=True, tag="quote"):
    """A span of one of `sources`, byte for byte."""

    sources: tuple[str, ...]


Form = JsonForm | PatternForm | GrammarForm | QuoteForm


@dataclass(frozen=True)
class FormRule:
    """The rule that keeps an answer to `form`. The form goes where a rule cannot: elsewhere."""

    form: Form
    rule: Rule

    def begin(self) -> Constraint:
        """A constraint before the first token."""
        return self.rule.begin()


class Forms:
    """Makes rules for one tokenizer, and keeps what is slow to build."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def rule(self, form: Form) -> FormRule:
        """The rule that keeps an answer to `form`.

        Raises:
            RequestError: the form cannot be read, or no text has it.
        """
        return FormRule(form, self._made(form))

    def _made(self, form: Form) -> Rule:
        match form:
            case JsonForm(schema):
                return self._grammars.json(schema)
            case PatternForm(pattern):
                return self._grammars.regex(pattern)
            case GrammarForm(lark):
                return self._grammars.lark(lark)
            case QuoteForm(sources):
                return Quotes(self._tokenizer, self._trie, sources)

    @cached_property
    def _grammars(self) -> Grammars:
        return Grammars(self._tokenizer)

    @cached_property
    def _trie(self) -> TokenTrie:
        return TokenTrie(self._tokenizer.token_bytes)
