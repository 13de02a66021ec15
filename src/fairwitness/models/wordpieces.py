"""Text to the pieces of BERT: words in lower case, cut into the longest pieces that are known.

Posts cannot write control tokens: the encoder is built without any, so "[SEP]" in a text is three
ordinary pieces, and the marks between two texts are put in here by number.

Facts: tokenizer.json of all-MiniLM-L6-v2 (lower case, accents off, Chinese letters apart).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

from fairwitness.models.errors import ModelFileError

BEGIN, BETWEEN, UNKNOWN = "[CLS]", "[SEP]", "[UNK]"


class _Model(msgspec.Struct, frozen=True):
    vocab: dict[str, int]


class _File(msgspec.Struct, frozen=True):
    model: _Model


@dataclass(frozen=True)
class WordPieces:
    """The pieces of an encoder; a piece's place is its id."""

    vocabulary: tuple[str, ...]

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without marks around them."""
        readable = text.encode("utf-8", "replace").decode("utf-8")
        ids: list[int] = self._pieces.encode(readable, add_special_tokens=False).ids
        return ids

    @cached_property
    def begin_id(self) -> int:
        """The mark before the first text."""
        return self.vocabulary.index(BEGIN)

    @cached_property
    def between_id(self) -> int:
        """The mark after each text."""
        return self.vocabulary.index(BETWEEN)

    @cached_property
    def _pieces(self) -> tokenizers.Tokenizer:
        ids = {piece: at for at, piece in enumerate(self.vocabulary)}
        model = models.WordPiece(ids, unk_token=UNKNOWN, max_input_chars_per_word=100)
        pieces = tokenizers.Tokenizer(model)
        pieces.normalizer = normalizers.BertNormalizer(lowercase=True)
        pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        return pieces


def vocabulary_of(path: Path) -> Sequence[str]:
    """Return the pieces that a tokenizer.json of BERT's kind lists, by id.

    Raises:
        ModelFileError: not such a file, or ids with holes in them.
    """
    try:
        ids = msgspec.json.decode(path.read_bytes(), type=_File).model.vocab
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelFileError(path, f"is no tokenizer of word pieces: {error}") from error
    if sorted(ids.values()) != list(range(len(ids))):
        raise ModelFileError(path, "numbers its pieces with holes")
    return sorted(ids, key=ids.__getitem__)
