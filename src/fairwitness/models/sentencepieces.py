"""SentencePiece tokenizers: pieces with scores, from a `.model` file or a GGUF file.

The library reads a model that is put together here, from pieces that were checked one by one, and
never the file itself. So control pieces can be kept from it whatever the file calls them, and both
kinds of file take the same road.

A `.model` file is one protobuf message: src/sentencepiece_model.proto of
github.com/google/sentencepiece. GGUF keeps the same pieces, scores and kinds in three arrays.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sentencepiece

from fairwitness.models.errors import ModelFileError
from fairwitness.models.gguf import map_file
from fairwitness.models.tokenizer import Tokenizer, ends_of

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
UNIGRAM, PAIRS = 1, 2
MAX_MODEL_BYTES = 64_000_000
MAX_PIECES = 4_000_000
SPACE = "▁"
BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")
_LOOKS_LIKE_CONTROL = re.compile(r"<\|[^|]*\|>")
_VARINT, _WIDE, _BYTES, _FIXED = 0, 1, 2, 5  # how a protobuf field is stored


@dataclass(frozen=True)
class Piece:
    """One piece of the vocabulary; its id is its place."""

    text: str
    score: float
    kind: int


@dataclass(frozen=True)
class Pieces:
    """A vocabulary, and what the library must know besides."""

    path: Path
    pieces: Sequence[Piece]
    algorithm: int  # UNIGRAM or PAIRS
    leading_space: bool  # whether a text begins with a space of its own


def read_pieces(path: Path) -> Pieces:
    """Read a `.model` file.

    Raises:
        ModelFileError: damaged, or with an algorithm or a normaliser that is not supported.
    """
    raw = map_file(path)
    if len(raw) > MAX_MODEL_BYTES:
        raise ModelFileError(path, f"has {len(raw)} bytes, at most {MAX_MODEL_BYTES}")
    pieces: list[Piece] = []
    trainer: dict[int, int | bytes] = {}
    normaliser: dict[int, int | bytes] = {}
    for number, value in _fields(path, raw.tobytes()):
        if number == 1:
            pieces.append(_piece(path, dict(_fields(path, _message(path, value)))))
        elif number == 2:
            trainer.update(_fields(path, _message(path, value)))
        elif number == 3:
            normaliser.update(_fields(path, _message(path, value)))
    if normaliser.get(2) or normaliser.get(4, 1) or not normaliser.get(5, 1):
        name = _text(path, normaliser.get(1, b"")) or "unnamed"
        raise ModelFileError(
            path, f"normaliser {name[:80]!r} changes texts, which is not supported"
        )
    algorithm = trainer.get(3, UNIGRAM)
    if algorithm not in (UNIGRAM, PAIRS) or trainer.get(24):
        raise ModelFileError(path, f"tokenizer algorithm {algorithm!r} is not supported")
    return Pieces(path, pieces, int(algorithm), bool(normaliser.get(3, 1)))


def tokenizer_of(
    source: Pieces, end_ids: Iterable[int | None], begin_id: int | None, vocabulary: int
) -> Tokenizer:
    """Build the tokenizer of a vocabulary.

    Pieces that users defined and that look like `<|this|>` are control tokens too: in text they
    stay what somebody wrote.

    Raises:
        ModelFileError: pieces that the library refuses, or more of them than `vocabulary`.
    """
    pieces = [_held_back(piece) for piece in source.pieces]
    if len(pieces) > min(vocabulary, MAX_PIECES):
        raise ModelFileError(source.path, f"{len(pieces)} tokens, the model has {vocabulary}")
    control = {piece.text: index for index, piece in enumerate(pieces) if piece.kind == CONTROL}
    table = [_bytes_of(piece) for piece in pieces] + [b""] * (vocabulary - len(pieces))
    return Tokenizer(
        encoder=_encoder(source, pieces),
        token_bytes=tuple(table),
        control_ids=control,
        end_ids=ends_of(end_ids, control),
        begin_id=begin_id,
        leading_space=source.leading_space,
    )


def _held_back(piece: Piece) -> Piece:
    is_control = piece.kind == USER_DEFINED and _LOOKS_LIKE_CONTROL.fullmatch(piece.text)
    return Piece(piece.text, piece.score, CONTROL) if is_control else piece


def _bytes_of(piece: Piece) -> bytes:
    if piece.kind == CONTROL:
        return b""
    if piece.kind == UNKNOWN:
        return "\ufffd".encode()
    if piece.kind == BYTE and (match := BYTE_PIECE.fullmatch(piece.text)):
        return bytes([int(match[1], 16)])
    return piece.text.replace(SPACE, " ").encode("utf-8")


def _encoder(source: Pieces, pieces: Sequence[Piece]) -> Callable[[str], list[int]]:
    for piece in pieces:
        if not piece.text or not math.isfinite(piece.score) or not NORMAL <= piece.kind <= BYTE:
            raise ModelFileError(source.path, f"piece {piece.text[:80]!r} is not a piece")
    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(_model(source, pieces))
    except Exception as error:  # the library raises nothing more precise
        raise ModelFileError(source.path, f"the tokenizer cannot be built: {error}") from error

    def encode(text: str) -> list[int]:
        ids: list[int] = processor.EncodeAsIds(text)
        return ids

    return encode


def _model(source: Pieces, pieces: Sequence[Piece]) -> bytes:
    """The message that the library reads. The space before a text is ours to add: a text that
    continues another has none."""
    falls_back = any(piece.kind == BYTE for piece in pieces)
    trainer = _number(3, source.algorithm) + _number(35, int(falls_back))
    normaliser = _number(3, 0) + _number(4, 0) + _number(5, 1)
    rows = (
        _field(1, piece.text.encode("utf-8"))
        + b"\x15"
        + struct.pack("<f", piece.score)
        + _number(3, piece.kind)
        for piece in pieces
    )
    return b"".join(_field(1, row) for row in rows) + _field(2, trainer) + _field(3, normaliser)


def _piece(path: Path, fields: Mapping[int, int | bytes]) -> Piece:
    text, score, kind = fields.get(1, b""), fields.get(2, b"\0\0\0\0"), fields.get(3, NORMAL)
    if not isinstance(score, bytes) or len(score) != 4 or not isinstance(kind, int):
        raise ModelFileError(path, "is not a SentencePiece model: a piece has wrong types")
    return Piece(_text(path, text), struct.unpack("<f", score)[0], kind)


def _text(path: Path, value: int | bytes) -> str:
    try:
        return _message(path, value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelFileError(path, "a piece is not valid UTF-8") from error


def _message(path: Path, value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ModelFileError(path, "is not a SentencePiece model: a number where a message goes")
    return value


def _fields(path: Path, raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: varints as numbers, all else as bytes."""
    at = 0
    while at < len(raw):
        tag, at = _varint(path, raw, at)
        stored = tag & 7
        if stored == _VARINT:
            value, at = _varint(path, raw, at)
            yield tag >> 3, value
            continue
        size_bytes = {_WIDE: 8, _FIXED: 4}.get(stored)
        if stored == _BYTES:
            size_bytes, at = _varint(path, raw, at)
        if size_bytes is None or size_bytes > len(raw) - at:
            raise ModelFileError(path, f"is not a SentencePiece model: damaged at byte {at}")
        yield tag >> 3, raw[at : at + size_bytes]
        at += size_bytes


def _varint(path: Path, raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(raw[at : at + 10]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ModelFileError(path, f"is not a SentencePiece model: damaged at byte {at}")


def _field(number: int, raw: bytes) -> bytes:
    return bytes([number << 3 | _BYTES]) + _as_varint(len(raw)) + raw


def _number(number: int, value: int) -> bytes:
    return _as_varint(number << 3 | _VARINT) + _as_varint(value)


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
