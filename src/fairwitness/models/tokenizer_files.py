"""Where a tokenizer comes from: GGUF metadata, or one of three files in a model's folder.

All end as the same thing: an encoder without control tokens, and the bytes of every id.

Facts: `tokenizer.ggml.*` in docs/gguf.md of github.com/ggml-org/ggml; pre-tokenizer names, their
patterns and the texts that end an answer in src/llama-vocab.cpp of github.com/ggml-org/llama.cpp;
the byte alphabet in encoder.py of github.com/openai/gpt-2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import tokenizers
from tokenizers import models, pre_tokenizers

from fairwitness.models.errors import ModelFileError
from fairwitness.models.gguf import map_file
from fairwitness.models.sentencepieces import (
    BYTE_PIECE,
    PAIRS,
    SPACE,
    Piece,
    Pieces,
    read_pieces,
    tokenizer_of,
)
from fairwitness.models.tokenizer import Tokenizer, byte_alphabet, ends_of, panics_told
from fairwitness.models.tokenizer_xai import FILE_NAME as XAI_FILE
from fairwitness.models.tokenizer_xai import tokenizer_from_xai

MAX_FILE_BYTES = 200_000_000  # the largest published ones have 35 MB
_END_KEYS = ("eos_token_id", "eot_token_id", "eom_token_id")
_CONTROL, _USER_DEFINED = 3, 4  # token types of a GGUF file
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PATTERNS = {"llama-bpe": _LLAMA3, "llama3": _LLAMA3, "qwen2": _LLAMA3.replace("{1,3}", "")}
_DIGIT_BY_DIGIT = ("smollm", "starcoder", "refact", "command-r")


def tokenizer_from_gguf(path: Path, metadata: Mapping[str, object], vocabulary: int) -> Tokenizer:
    """Build the tokenizer that a GGUF file describes: byte pairs, or SentencePiece's pairs.

    Raises:
        ModelFileError: another kind of tokenizer, or tables that do not fit together.
    """
    kind = metadata.get("tokenizer.ggml.model")
    if kind == "llama":
        return _pieces_from_gguf(path, metadata, vocabulary)
    if kind != "gpt2":
        raise ModelFileError(path, f"tokenizer {kind!r} is not supported, only 'gpt2' and 'llama'")
    tokens = _strings(path, metadata, "tokenizer.ggml.tokens")
    types = metadata.get("tokenizer.ggml.token_type")
    if not isinstance(types, np.ndarray) or len(types) != len(tokens):
        raise ModelFileError(path, "tokenizer.ggml.token_type does not match the tokens")
    control = {tokens[index]: int(index) for index in np.flatnonzero(types == _CONTROL)}
    verbatim = {tokens[index] for index in np.flatnonzero(types == _USER_DEFINED)}
    words = {token: index for index, token in enumerate(tokens) if token not in control}
    if len(words) + len(control) != len(tokens):
        raise ModelFileError(path, "tokenizer.ggml.tokens has a token twice")
    if len(tokens) > vocabulary:
        raise ModelFileError(path, f"{len(tokens)} tokens, the model has {vocabulary}")
    encoder = _gguf_encoder(path, metadata, words)
    encoder.add_tokens([tokenizers.AddedToken(t, normalized=False) for t in sorted(verbatim)])
    ends = [_token_id(path, metadata, key, len(tokens)) for key in _END_KEYS]
    begin = _token_id(path, metadata, "bos_token_id", len(tokens))
    return Tokenizer(
        encoder=encoder,
        token_bytes=_token_bytes(
            path, enumerate(tokens), vocabulary, set(control), verbatim, _from_letters
        ),
        control_ids=control,
        end_ids=ends_of(ends, control),
        begin_id=begin if metadata.get("tokenizer.ggml.add_bos_token") is True else None,
    )


def _pieces_from_gguf(path: Path, metadata: Mapping[str, object], vocabulary: int) -> Tokenizer:
    tokens = _strings(path, metadata, "tokenizer.ggml.tokens")
    scores = metadata.get("tokenizer.ggml.scores")
    kinds = metadata.get("tokenizer.ggml.token_type")
    for name, column in (("scores", scores), ("token_type", kinds)):
        if not isinstance(column, np.ndarray) or len(column) != len(tokens):
            raise ModelFileError(path, f"tokenizer.ggml.{name} does not match the tokens")
    assert isinstance(scores, np.ndarray)
    assert isinstance(kinds, np.ndarray)
    rows = zip(tokens, scores.tolist(), kinds.tolist(), strict=True)
    pieces = [Piece(text, float(score), int(kind)) for text, score, kind in rows]
    if metadata.get("tokenizer.ggml.remove_extra_whitespaces") is True:
        raise ModelFileError(path, "a tokenizer that joins spaces is not supported")
    leading = metadata.get("tokenizer.ggml.add_space_prefix") is not False
    ends = [_token_id(path, metadata, key, len(tokens)) for key in _END_KEYS]
    begin = _token_id(path, metadata, "bos_token_id", len(tokens))
    begins = metadata.get("tokenizer.ggml.add_bos_token") is not False  # these models expect it
    source = Pieces(path, pieces, PAIRS, leading)
    return tokenizer_of(source, ends, begin if begins else None, vocabulary)


TOKENIZER_FILES = ("tokenizer.json", XAI_FILE, "tokenizer.model")


def tokenizer_from_folder(folder: Path, end_ids: Iterable[int], vocabulary: int) -> Tokenizer:
    """Build the tokenizer of a model's folder: `tokenizer.json`, xAI's file, or SentencePiece's.

    Raises:
        ModelFileError: none of the three is there, or what is there is not supported.
    """
    if (folder / "tokenizer.json").exists():
        return tokenizer_from_hugging_face(folder / "tokenizer.json", end_ids, vocabulary)
    if (folder / XAI_FILE).exists():
        return tokenizer_from_xai(folder / XAI_FILE, vocabulary)
    if (folder / "tokenizer.model").exists():
        return tokenizer_of(read_pieces(folder / "tokenizer.model"), end_ids, None, vocabulary)
    raise ModelFileError(folder, f"has no tokenizer.json, {XAI_FILE} or tokenizer.model")


def tokenizer_from_hugging_face(path: Path, end_ids: Iterable[int], vocabulary: int) -> Tokenizer:
    """Build the tokenizer of a `tokenizer.json` file, of the byte-level kind or SentencePiece's.

    Raises:
        ModelFileError: unreadable, another kind of tokenizer, or ids beyond `vocabulary`.
    """
    raw = map_file(path)
    if len(raw) > MAX_FILE_BYTES:
        raise ModelFileError(path, f"has {len(raw)} bytes, at most {MAX_FILE_BYTES}")
    try:
        text = raw.tobytes().decode("utf-8")
        table = msgspec.json.decode(text, type=dict[str, Any])
        added = msgspec.convert(table.get("added_tokens", []), list[_AddedToken])
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise ModelFileError(path, f"is not a tokenizer: {error}") from error
    whole = _parsed(path, text)  # from here on the table has the library's form
    if not isinstance(table["model"].get("vocab"), dict):
        raise ModelFileError(path, "a tokenizer that is not of byte pairs is not supported")
    decoder = msgspec.json.encode(table.get("decoder")).decode()
    in_letters = '"ByteLevel"' in decoder
    if not in_letters and '"ByteFallback"' not in decoder:
        raise ModelFileError(path, "only tokenizers that spell every byte are supported")
    control = {token.content: token.id for token in added if token.special}
    verbatim = {token.content for token in added if not token.special}
    rows_of = table.get("added_tokens", [])
    table["added_tokens"] = [row for row in rows_of if row["content"] in verbatim]
    table["post_processor"] = None
    leading_space = not in_letters and _take_leading_space(table)
    for content in control:
        table["model"]["vocab"].pop(content, None)
    begin = [token for token in whole.encode("").ids[:1] if token in control.values()]
    rows = ((index, token) for token, index in whole.get_vocab().items())
    spell = _from_letters if in_letters else _from_piece
    return Tokenizer(
        encoder=_parsed(path, msgspec.json.encode(table).decode()),
        token_bytes=_token_bytes(
            path, rows, vocabulary, set(control), verbatim if in_letters else set(), spell
        ),
        control_ids=control,
        end_ids=ends_of(end_ids, control),
        begin_id=begin[0] if begin else None,
        leading_space=leading_space,
    )


def _take_leading_space(table: dict[str, Any]) -> bool:
    """Take the step that puts a space before every text out of a tokenizer; was it there?"""
    spaced = False
    normaliser = table.get("normalizer") or {}
    steps = normaliser.get("normalizers", [normaliser]) if isinstance(normaliser, dict) else []
    kept = [step for step in steps if step.get("type") != "Prepend"]
    if len(kept) < len(steps):
        spaced = True
        table["normalizer"] = {"type": "Sequence", "normalizers": kept}
    splitter = table.get("pre_tokenizer") or {}
    if splitter.get("type") == "Metaspace" and splitter.get("prepend_scheme", "always") != "never":
        spaced = True
        splitter["prepend_scheme"] = "never"
    return spaced


class _AddedToken(msgspec.Struct, frozen=True):
    id: int
    content: str
    special: bool = False


def _parsed(path: Path, text: str) -> tokenizers.Tokenizer:
    try:
        with panics_told():
            return tokenizers.Tokenizer.from_str(text)
    except Exception as error:  # the library raises nothing more precise
        raise ModelFileError(path, f"is not a tokenizer: {error}") from error


def _gguf_encoder(
    path: Path, metadata: Mapping[str, object], words: dict[str, int]
) -> tokenizers.Tokenizer:
    name = metadata.get("tokenizer.ggml.pre")
    pairs = []
    for merge in _strings(path, metadata, "tokenizer.ggml.merges"):
        left, space, right = merge.partition(" ")
        if not space:
            raise ModelFileError(path, f"merge {merge!r} is not a pair")
        pairs.append((left, right))
    try:
        model = models.BPE(words, pairs, ignore_merges=name in ("llama-bpe", "llama3"))
    except Exception as error:  # the library raises nothing more precise
        raise ModelFileError(path, f"the tokenizer cannot be built: {error}") from error
    encoder = tokenizers.Tokenizer(model)
    encoder.pre_tokenizer = splitter(path, name)
    return encoder


SPLITTERS = ("gpt-2", "smollm", "llama-bpe", "qwen2")
"""One name for each way of splitting words that GGUF files name."""


def splitter(path: Path, name: object) -> Any:
    """The pre-tokenizer of that name; ModelFileError for a name that we do not know."""
    if name == "gpt-2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    if name in _DIGIT_BY_DIGIT:
        digits = pre_tokenizers.Digits(individual_digits=True)
        return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    if name not in _PATTERNS:
        raise ModelFileError(path, f"pre-tokenizer {name!r} is not supported")
    split = pre_tokenizers.Split(tokenizers.Regex(_PATTERNS[str(name)]), "isolated")
    only_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([split, only_bytes])


def _strings(path: Path, metadata: Mapping[str, object], key: str) -> list[str]:
    value = metadata.get(key)
    if not isinstance(value, list):
        raise ModelFileError(path, f"{key} is missing or not a list of strings")
    return value


def _token_id(path: Path, metadata: Mapping[str, object], key: str, vocabulary: int) -> int | None:
    value = metadata.get(f"tokenizer.ggml.{key}")
    if value is None:
        return None
    if not isinstance(value, int) or not 0 <= value < vocabulary:
        raise ModelFileError(path, f"tokenizer.ggml.{key} is {value!r}, outside the vocabulary")
    return value


def _token_bytes(
    path: Path,
    rows: Iterable[tuple[int, str]],
    size: int,
    control: set[str],
    verbatim: set[str],
    spell: Callable[[str], bytes],
) -> tuple[bytes, ...]:
    """The bytes of every id; ids that no token has stand for nothing."""
    table = [b""] * size
    for index, token in rows:
        if not 0 <= index < size:
            raise ModelFileError(path, f"token {token!r} has id {index}, the model has {size}")
        if token not in control:
            table[index] = token.encode("utf-8") if token in verbatim else spell(token)
    return tuple(table)


def _from_letters(token: str) -> bytes:
    """Byte level: a letter for each byte; one outside the alphabet stands for itself."""
    return b"".join(_BYTE_OF.get(letter) or letter.encode("utf-8") for letter in token)


def _from_piece(token: str) -> bytes:
    """SentencePiece: text with a mark for spaces, or the number of one byte."""
    match = BYTE_PIECE.fullmatch(token)
    return bytes([int(match[1], 16)]) if match else token.replace(SPACE, " ").encode("utf-8")


_BYTE_OF = byte_alphabet()
