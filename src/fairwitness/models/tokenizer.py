"""Text to token ids and back.

The one idea: control tokens are cut out before the byte-pair encoder sees any text, and only when
the caller asks for them. The encoder itself does not know them, so a post that contains
"<|im_start|>" becomes ordinary tokens that spell it, whatever else happens.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import tokenizers

from fairwitness.models.errors import TokenizerError

_ENDS = (
    *("<|endoftext|>", "<|im_end|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "</s>"),
    *("<end_of_turn>", "<eos>", "[EOS]", "<|eos|>", "<|separator|>", "<|return|>"),
)


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer with its control tokens held apart.

    `token_bytes` is what each id stands for, nothing for a control token. `end_ids` end a generated
    answer. `begin_id` goes before a raw prompt of models that were trained so; a chat template
    writes it itself. With `leading_space`, a text begins with a space that nobody wrote, as
    SentencePiece models were trained.
    """

    encoder: tokenizers.Tokenizer | Callable[[str], list[int]]
    token_bytes: tuple[bytes, ...]
    control_ids: Mapping[str, int]
    end_ids: frozenset[int]
    begin_id: int | None
    leading_space: bool = False

    def encode(self, text: str, *, control: bool = False, after: int | None = None) -> list[int]:
        """Token ids of `text`; control tokens are recognised only if `control` is true.

        `after` is the token that the text continues, if there is one. A lone surrogate has no bytes
        and is read as a question mark.

        Raises:
            TokenizerError: the file's own patterns take too long on this text.
        """
        encodable = text.encode("utf-8", "replace").decode("utf-8")
        pieces = self._control_pattern.split(encodable) if control else [encodable]
        ids: list[int] = []
        for piece in pieces:
            control_id = self.control_ids.get(piece) if control else None
            if control_id is not None:
                ids.append(control_id)
            elif piece:
                ids += self._encode_plain(piece, ids[-1] if ids else after)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; bytes that are not UTF-8 become the replacement character."""
        return b"".join(self.token_bytes[token] for token in ids).decode("utf-8", "replace")

    def stream(self) -> TextStream:
        """A decoder that takes one token at a time."""
        return TextStream(self.token_bytes)

    def _encode_plain(self, text: str, after: int | None) -> list[int]:
        if self.leading_space and (after is None or after in self._controls):
            text = " " + text
        if not isinstance(self.encoder, tokenizers.Tokenizer):
            return self.encoder(text)
        with panics_told():
            ids: list[int] = self.encoder.encode(text, add_special_tokens=False).ids
        return ids

    @cached_property
    def _controls(self) -> frozenset[int]:
        return frozenset(self.control_ids.values())

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


@contextmanager
def panics_told() -> Iterator[None]:
    """Make an error of ours of what the library raises when its Rust code breaks, such as a
    pattern that backtracks for too long; that is no `Exception`, and has no name to catch it by."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise TokenizerError(f"the tokenizer gives up: {error}") from error


def ends_of(named: Iterable[int | None], control: Mapping[str, int]) -> frozenset[int]:
    """The ids that end an answer: what a file names, and control tokens that mean nothing else."""
    known = {control[text] for text in _ENDS if text in control}
    return frozenset(known | {token for token in named if token is not None})


def byte_alphabet() -> dict[str, bytes]:
    """GPT-2's letters for bytes: printable Latin-1 is itself, the rest is moved up from U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = sorted(set(range(256)) - printable)
    alphabet = {chr(byte): bytes([byte]) for byte in printable}
    alphabet |= {chr(256 + place): bytes([byte]) for place, byte in enumerate(hidden)}
    return alphabet
