"""A folder's tokenizer as the metadata of a GGUF file.

GGUF names the way in which texts are split into words and does not describe it, so a byte-level
tokenizer can be written if its way is one of those that have a name. SentencePiece's pieces are
written as they are.

Keys: docs/gguf.md of github.com/ggml-org/ggml; ids without a token are filled up as conversion/ of
github.com/ggml-org/llama.cpp does.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import tokenizers
from tokenizers import models

from fairwitness.models.errors import ModelFileError
from fairwitness.models.gguf import Value, map_file
from fairwitness.models.model import Model
from fairwitness.models.sentencepieces import (
    CONTROL,
    NORMAL,
    PAIRS,
    UNUSED,
    USER_DEFINED,
    read_pieces,
)
from fairwitness.models.tokenizer_files import SPLITTERS, splitter

Metadata = dict[str, Value]


def tokenizer_metadata(folder: Path, model: Model, begin: int | None, end: int | None) -> Metadata:
    """The keys `tokenizer.*` for an opened folder, its chat template among them if it has one.

    `begin` and `end` are the ids that its config names.

    Raises:
        ModelFileError: no tokenizer, or one that GGUF has no words for.
    """
    tokenizer, vocabulary = model.tokenizer(), model.config.vocabulary
    if (folder / "tokenizer.model").exists():
        told = _of_pieces(folder / "tokenizer.model", vocabulary)
    else:
        told = _of_pairs(folder / "tokenizer.json", vocabulary)
    begin = begin if tokenizer.begin_id is None else tokenizer.begin_id
    for key, token in (("bos", begin), ("eos", end)):
        if token is not None and 0 <= token < vocabulary:
            told[f"tokenizer.ggml.{key}_token_id"] = token
    told["tokenizer.ggml.add_bos_token"] = tokenizer.begin_id is not None
    with suppress(ModelFileError):  # many base models have none
        told["tokenizer.chat_template"] = model.chat_template().source
    return told


def _of_pieces(path: Path, vocabulary: int) -> Metadata:
    source = read_pieces(path)
    if source.algorithm != PAIRS:
        raise ModelFileError(path, "a unigram tokenizer cannot be written as GGUF")
    rows = {index: (piece.text, piece.kind) for index, piece in enumerate(source.pieces)}
    scores = [piece.score for piece in source.pieces]
    scores += [0.0] * (vocabulary - len(scores))
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.add_space_prefix": source.leading_space,
        "tokenizer.ggml.scores": np.array(scores, np.float32),
        **_columns(rows, vocabulary),
    }


def _of_pairs(path: Path, vocabulary: int) -> Metadata:
    raw = map_file(path).tobytes()
    whole = tokenizers.Tokenizer.from_str(raw.decode("utf-8"))  # the model has read it before
    table = msgspec.json.decode(raw, type=dict[str, Any])
    if (table.get("normalizer") or {"type": "NFC"}).get("type") != "NFC":
        raise ModelFileError(path, "a tokenizer that changes texts cannot be written as GGUF")
    added = {row["id"]: bool(row["special"]) for row in table.get("added_tokens", [])}
    kinds = {index: CONTROL if special else USER_DEFINED for index, special in added.items()}
    words = whole.get_vocab(with_added_tokens=True)
    rows = {index: (text, kinds.get(index, NORMAL)) for text, index in words.items()}
    merges = table["model"].get("merges", [])
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": _name_of_splitter(path, whole),
        "tokenizer.ggml.merges": [m if isinstance(m, str) else " ".join(m) for m in merges],
        **_columns(rows, vocabulary),
    }


def _columns(rows: dict[int, tuple[str, int]], vocabulary: int) -> Metadata:
    filled = [rows.get(index, (f"[PAD{index}]", UNUSED)) for index in range(vocabulary)]
    return {
        "tokenizer.ggml.tokens": [text for text, _ in filled],
        "tokenizer.ggml.token_type": np.array([kind for _, kind in filled], np.int32),
    }


def _name_of_splitter(path: Path, whole: tokenizers.Tokenizer) -> str:
    spelled = _spelled(whole.pre_tokenizer)
    for name in SPLITTERS:
        if _spelled(splitter(path, name)) == spelled:
            return name
    raise ModelFileError(path, "GGUF has no name for how this tokenizer splits words")


def _spelled(pre_tokenizer: Any) -> object:
    """A pre-tokenizer as the library writes it down, without what changes no token."""
    empty = tokenizers.Tokenizer(models.BPE())
    empty.pre_tokenizer = pre_tokenizer
    steps = msgspec.json.decode(empty.to_str())["pre_tokenizer"]
    for step in steps.get("pretokenizers", [steps]):
        step.pop("trim_offsets", None)
    return steps
