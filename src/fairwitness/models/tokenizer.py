"""Text to token ids and back.

The one idea: control tokens are cut out before the byte-pair encoder sees any text, and only when
the caller asks for them. The encoder itself does not know them, so a post that contains
"<|im_start|>" becomes ordinary tokens that spell it, whatever else happens.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import tokenizers


@dataclass(frozen=True)
class Tokenizer:
    """A byte-level tokenizer with its control tokens held apart.

    `token_bytes` is what each id stands for, nothing for a control token. `end_ids` end a generated
    answer. `begin_id` goes before a raw prompt of models that were trained so; a chat template
    writes it itself.
    """

    encoder: tokenizers.Tokenizer
    token_bytes: tuple[bytes, ...]
    control_ids: Mapping[str, int]
    end_ids: frozenset[int]
    begin_id: int | None

    def encode(self, text: str, *, control: bool = False) -> list[int]:
        """Token ids of `text`; control tokens are recognised only if `control` is true.

        A lone surrogate has no bytes and is read as a question mark.
        """
        encodable = text.encode("utf-8", "replace").decode("utf-8")
        if not control:
            return self._encode_plain(encodable)
        ids: list[int] = []
        for piece in self._control_pattern.split(encodable):
            control_id = self.control_ids.get(piece)
            ids += self._encode_plain(piece) if control_id is None else [control_id]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; bytes that are not UTF-8 become the replacement character."""
        return b"".join(self.token_bytes[token] for token in ids).decode("utf-8", "replace")

    def stream(self) -> TextStream:
        """A decoder that takes one token at a time."""
        return TextStream(self.token_bytes)

    def _encode_plain(self, text: str) -> list[int]:
        ids: list[int] = self.encoder.encode(text, add_special_tokens=False).ids
        return ids

    @cached_property
    def _control_pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self.control_ids, key=len, reverse=True)
        never = r"(?!)"
        return re.compile(f"({'|'.join(map(re.escape, longest_first)) or never})")


class TextStream:
    """Incremental decoding: a character comes out once all of its bytes are there."""

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        self._token_bytes = token_bytes
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        """The text that this token completes: often a word, sometimes nothing."""
        return self._utf8.decode(self._token_bytes[token])

    def finish(self) -> str:
        """What is left: a replacement character if the last one never became whole."""
        return self._utf8.decode(b"", final=True)
