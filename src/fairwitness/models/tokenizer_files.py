"""Where a tokenizer comes from: GGUF metadata, or a Hugging Face `tokenizer.json`.

Both end as the same thing: an encoder without control tokens, and the bytes of every id.

Facts: `tokenizer.ggml.*` in docs/gguf.md of github.com/ggml-org/ggml; pre-tokenizer names, their
patterns and the texts that end an answer in src/llama-vocab.cpp of github.com/ggml-org/llama.cpp;
the byte alphabet in encoder.py of github.com/openai/gpt-2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import tokenizers
from tokenizers import models, pre_tokenizers

from fairwitness.models.errors import ModelFileError
from fairwitness.models.tokenizer import Tokenizer

_CONTROL, _USER_DEFINED = 3, 4  # token types of a GGUF file
_ENDS = ("<|endoftext|>", "<|im_end|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "</s>")
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PATTERNS = {"llama-bpe": _LLAMA3, "llama3": _LLAMA3, "qwen2": _LLAMA3.replace("{1,3}", "")}
_DIGIT_BY_DIGIT = ("smollm", "starcoder", "refact", "command-r")


def tokenizer_from_gguf(path: Path, metadata: Mapping[str, object], vocabulary: int) -> Tokenizer:
    """Build the byte-pair tokenizer that a GGUF file describes.

    Raises:
        ModelFileError: another kind of tokenizer, or tables that do not fit together.
    """
    kind = metadata.get("tokenizer.ggml.model")
    if kind != "gpt2":
        raise ModelFileError(path, f"tokenizer {kind!r} is not supported, only 'gpt2'")
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
    end_keys = ("eos_token_id", "eot_token_id", "eom_token_id")
    ends = [_token_id(path, metadata, key, len(tokens)) for key in end_keys]
    begin = _token_id(path, metadata, "bos_token_id", len(tokens))
    return Tokenizer(
        encoder=encoder,
        token_bytes=_token_bytes(path, enumerate(tokens), vocabulary, set(control), verbatim),
        control_ids=control,
        end_ids=_end_ids(ends, control),
        begin_id=begin if metadata.get("tokenizer.ggml.add_bos_token") is True else None,
    )


def tokenizer_from_hugging_face(path: Path, end_ids: Iterable[int], vocabulary: int) -> Tokenizer:
    """Build the tokenizer of a `tokenizer.json` file, of the byte-level kind.

    Raises:
        ModelFileError: unreadable, another kind of tokenizer, or ids beyond `vocabulary`.
    """
    try:
        text = path.read_text("utf-8")
        table = msgspec.json.decode(text, type=dict[str, Any])
        added = msgspec.convert(table.get("added_tokens", []), list[_AddedToken])
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise ModelFileError(path, f"is not a tokenizer: {error}") from error
    if '"ByteLevel"' not in msgspec.json.encode(table.get("decoder")).decode():
        raise ModelFileError(path, "only byte-level tokenizers are supported")
    control = {token.content: token.id for token in added if token.special}
    verbatim = {token.content for token in added if not token.special}
    whole = _parsed(path, text)
    table["added_tokens"] = [row for row in table["added_tokens"] if row["content"] in verbatim]
    table["post_processor"] = None
    for content in control:
        table["model"]["vocab"].pop(content, None)
    begin = [token for token in whole.encode("").ids[:1] if token in control.values()]
    rows = ((index, token) for token, index in whole.get_vocab().items())
    return Tokenizer(
        encoder=_parsed(path, msgspec.json.encode(table).decode()),
        token_bytes=_token_bytes(path, rows, vocabulary, set(control), verbatim),
        control_ids=control,
        end_ids=_end_ids(end_ids, control),
        begin_id=begin[0] if begin else None,
    )


class _AddedToken(msgspec.Struct, frozen=True):
    id: int
    content: str
    special: bool = False


def _parsed(path: Path, text: str) -> tokenizers.Tokenizer:
    try:
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
    encoder.pre_tokenizer = _pre_tokenizer(path, name)
    return encoder


def _pre_tokenizer(path: Path, name: object) -> Any:
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


def _end_ids(named: Iterable[int | None], control: Mapping[str, int]) -> frozenset[int]:
    """What the file names, and the control tokens that can mean nothing else."""
    known = {control[text] for text in _ENDS if text in control}
    return frozenset(known | {token for token in named if token is not None})


def _token_bytes(
    path: Path,
    rows: Iterable[tuple[int, str]],
    size: int,
    control: set[str],
    verbatim: set[str],
) -> tuple[bytes, ...]:
    """The bytes of every id; ids that no token has stand for nothing."""
    byte_of = _byte_alphabet()
    table = [b""] * size
    for index, token in rows:
        if not 0 <= index < size:
            raise ModelFileError(path, f"token {token!r} has id {index}, the model has {size}")
        if token in control:
            continue
        if token in verbatim:
            table[index] = token.encode("utf-8")
            continue
        # a character outside the alphabet stands for itself
        parts = (byte_of.get(letter) or letter.encode("utf-8") for letter in token)
        table[index] = b"".join(parts)
    return tuple(table)


def _byte_alphabet() -> dict[str, bytes]:
    """GPT-2's letters for bytes: printable Latin-1 is itself, the rest is moved up from U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = sorted(set(range(256)) - printable)
    alphabet = {chr(byte): bytes([byte]) for byte in printable}
    alphabet |= {chr(256 + place): bytes([byte]) for place, byte in enumerate(hidden)}
    return alphabet
