"""xAI's own tokenizer file, as Grok-2 has it: `tokenizer.tok.json`.

Byte strings with ranks, and control tokens. What has the lower rank is joined first, which is
byte-pair encoding with every way to split a token in two as a merge.

Facts: python/sglang/srt/tokenizer/tiktoken_tokenizer.py of github.com/sgl-project/sglang, which
reads the file for xAI's published recipe; joining as in github.com/openai/tiktoken.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import tokenizers
from tokenizers import models, pre_tokenizers

from fairwitness.models.errors import ModelFileError
from fairwitness.models.gguf import map_file
from fairwitness.models.tokenizer import Tokenizer, byte_alphabet, ends_of

FILE_NAME = "tokenizer.tok.json"
MAX_FILE_BYTES = 64_000_000
MAX_TOKEN_BYTES = 512
# Words as in GPT-4, but with every digit alone.
_WORDS_V1 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = """\
{%- set names = {"system": "System: ", "user": "Human: ", "assistant": "Assistant: "} -%}
{%- for message in messages -%}
{{- names[message["role"]] + message["content"] + "<|separator|>\n\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "Assistant:" -}}{%- endif -%}
"""


class _Token(msgspec.Struct, frozen=True):
    bytes: list[int]
    token: int


class _File(msgspec.Struct, frozen=True):
    word_split: str
    regular_tokens: list[_Token]
    special_tokens: list[_Token]
    pat_str: str = _WORDS_V1
    vocab_size: int | None = None


def tokenizer_from_xai(path: Path, vocabulary: int) -> Tokenizer:
    """Build the tokenizer of a `tokenizer.tok.json` file.

    Raises:
        ModelFileError: damaged, words that are split another way, or ids beyond `vocabulary`.
    """
    file = _read(path)
    if file.word_split != "V1" or file.pat_str != _WORDS_V1:
        raise ModelFileError(path, f"words split by {file.word_split[:80]!r} are not supported")
    spelled = [""] * vocabulary
    ranks = _ids(path, file.regular_tokens, vocabulary)
    special = _ids(path, file.special_tokens, vocabulary)
    control = {raw.decode("utf-8", "replace"): index for raw, index in special.items()}
    if not set(ranks.values()).isdisjoint(control.values()) or len(control) != len(special):
        raise ModelFileError(path, "two tokens have one id or one text")
    token_bytes = [b""] * vocabulary
    letters = {raw[0]: letter for letter, raw in byte_alphabet().items()}
    for raw, index in ranks.items():
        token_bytes[index] = raw
        spelled[index] = "".join(letters[byte] for byte in raw)
    return Tokenizer(
        encoder=_encoder(path, ranks, spelled),
        token_bytes=tuple(token_bytes),
        control_ids=control,
        end_ids=ends_of([], control),
        begin_id=None,
    )


def _read(path: Path) -> _File:
    raw = map_file(path)
    if len(raw) > MAX_FILE_BYTES:
        raise ModelFileError(path, f"has {len(raw)} bytes, at most {MAX_FILE_BYTES}")
    try:
        return msgspec.json.decode(raw.tobytes(), type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(path, f"is not a tokenizer: {error}") from error


def _ids(path: Path, tokens: list[_Token], vocabulary: int) -> dict[bytes, int]:
    ids: dict[bytes, int] = {}
    for token in tokens:
        if not 0 <= token.token < vocabulary:
            raise ModelFileError(path, f"token id {token.token}, the model has {vocabulary}")
        if not 0 < len(token.bytes) <= MAX_TOKEN_BYTES:
            raise ModelFileError(path, f"token {token.token} has {len(token.bytes)} bytes")
        if not all(0 <= byte < 256 for byte in token.bytes):
            raise ModelFileError(path, f"token {token.token} is not made of bytes")
        ids[bytes(token.bytes)] = token.token
    if len(ids) != len(tokens) or len(set(ids.values())) != len(tokens):
        raise ModelFileError(path, "two tokens have one id or one text")
    return ids


def _encoder(path: Path, ranks: dict[bytes, int], spelled: list[str]) -> tokenizers.Tokenizer:
    if not all(bytes([byte]) in ranks for byte in range(256)):
        raise ModelFileError(path, "not every byte has a token")
    pairs = [
        (spelled[ranks[raw[:at]]], spelled[ranks[raw[at:]]])
        for raw in sorted(ranks, key=ranks.__getitem__)
        for at in range(1, len(raw))
        if raw[:at] in ranks and raw[at:] in ranks
    ]
    words = {spelled[index]: index for index in ranks.values()}
    try:
        encoder = tokenizers.Tokenizer(models.BPE(words, pairs, ignore_merges=True))
    except Exception as error:  # the library raises nothing more precise
        raise ModelFileError(path, f"the tokenizer cannot be built: {error}") from error
    split = pre_tokenizers.Split(tokenizers.Regex(_WORDS_V1), "isolated")
    only_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    encoder.pre_tokenizer = pre_tokenizers.Sequence([split, only_bytes])
    return encoder
