"""SentencePiece tokenizers, trained here by the library itself, from all three kinds of file."""

import contextlib
import io
import json

import numpy as np
import pytest
import sentencepiece
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwitness.models import ModelFileError
from fairwitness.models.sentencepieces import read_pieces, tokenizer_of
from fairwitness.models.tokenizer_files import tokenizer_from_folder, tokenizer_from_gguf

VOCABULARY = 420
SENTENCES = [
    "what is the world saying right now?",
    "the witnesses saw it and the witnesses said so",
    "others heard of it, and nothing that was said is left out",
    "quotes first, byte for byte; then who stands behind them",
] * 20
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["<s>", "</s>", "<|end|>", "  the  witnesses ", "▁the", "<0x41>", "\n\n the"]
)


def trained(**options: object) -> bytes:
    model = io.BytesIO()
    settings_ = {
        "model_type": "bpe",
        "vocab_size": 400,
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "user_defined_symbols": ["<|end|>", "\n\n"],
        "minloglevel": 2,
    }
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_writer=model, **(settings_ | options)
    )
    return model.getvalue()


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def raw(request) -> bytes:
    return trained(model_type=request.param, hard_vocab_limit=request.param == "bpe")


@pytest.fixture(scope="module")
def judge(raw):
    return sentencepiece.SentencePieceProcessor(model_proto=raw)


@pytest.fixture(scope="module")
def tokenizer(raw, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tokenizer.model"
    path.write_bytes(raw)
    return tokenizer_from_folder(path.parent, [], VOCABULARY)


@given(text=TEXTS)
def test_text_becomes_what_the_library_makes_of_it(tokenizer, judge, text):
    ids = tokenizer.encode(text)
    if "<|end|>" not in text:
        assert ids == judge.encode(text)
    assert tokenizer.decode(ids) == (" " + text.replace("▁", " ") if text else "")
    assert not set(ids) & set(tokenizer.control_ids.values())


@given(text=TEXTS, more=TEXTS)
def test_only_a_beginning_has_a_space_before_it(tokenizer, text, more):
    first = tokenizer.encode("a" + text)
    ids = first + tokenizer.encode(more, after=first[-1])
    assert tokenizer.decode(ids) == " a" + (text + more).replace("▁", " ")


def test_control_pieces_are_read_only_when_asked(tokenizer):
    begin, end = tokenizer.control_ids["<s>"], tokenizer.control_ids["<|end|>"]
    ids = tokenizer.encode("<s>the<|end|>", control=True)
    assert ids == [begin, *tokenizer.encode("the"), end]
    assert tokenizer.control_ids["</s>"] in tokenizer.end_ids


def gguf_metadata(judge, **changes: object) -> dict[str, object]:
    size = judge.get_piece_size()
    kinds = {"is_unknown": 2, "is_control": 3, "is_byte": 6}
    kind_of = [
        next((kind for name, kind in kinds.items() if getattr(judge, name)(i)), 1)
        for i in range(size)
    ]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [judge.id_to_piece(i) for i in range(size)],
        "tokenizer.ggml.scores": np.array([judge.get_score(i) for i in range(size)], np.float32),
        "tokenizer.ggml.token_type": np.array(kind_of, np.int32),
        "tokenizer.ggml.bos_token_id": judge.bos_id(),
        "tokenizer.ggml.eos_token_id": judge.eos_id(),
    } | changes


@pytest.fixture(scope="module")
def plain_judge():
    return sentencepiece.SentencePieceProcessor(model_proto=trained(user_defined_symbols=[]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_gguf_keeps_the_same_tokenizer(plain_judge, tmp_path, text):
    path = tmp_path / "model.gguf"
    tokenizer = tokenizer_from_gguf(path, gguf_metadata(plain_judge), VOCABULARY)
    assert tokenizer.encode(text) == plain_judge.encode(text)
    assert tokenizer.begin_id == plain_judge.bos_id()
    assert plain_judge.eos_id() in tokenizer.end_ids
    changes = {"tokenizer.ggml.add_space_prefix": False, "tokenizer.ggml.add_bos_token": False}
    bare = tokenizer_from_gguf(path, gguf_metadata(plain_judge, **changes), VOCABULARY)
    assert bare.begin_id is None
    assert bare.decode(bare.encode(text)) == text.replace("▁", " ")


def tokenizer_json(judge, *, prepend: bool, metaspace: bool) -> dict[str, object]:
    """The same pairs as Hugging Face's converters write them down."""
    pieces = [judge.id_to_piece(i) for i in range(judge.get_piece_size())]
    known = set(pieces)
    merges = [
        (piece[:at], piece[at:])
        for piece in sorted(pieces, key=lambda p: -judge.get_score(judge.piece_to_id(p)))
        if not judge.is_byte(judge.piece_to_id(piece))
        for at in range(1, len(piece))
        if piece[:at] in known and piece[at:] in known
    ]
    steps = [{"type": "Prepend", "prepend": "▁"}] if prepend else []
    steps.append({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})
    spaces = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    return {
        "version": "1.0",
        "added_tokens": [
            {
                "id": i,
                "content": pieces[i],
                "special": True,
                **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False),
            }
            for i in range(3)
        ],
        "normalizer": None if metaspace else {"type": "Sequence", "normalizers": steps},
        "pre_tokenizer": spaces if metaspace else None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "unk_token": pieces[0],
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {piece: i for i, piece in enumerate(pieces)},
            "merges": merges,
        },
    }


@pytest.mark.parametrize(("prepend", "metaspace"), [(True, False), (False, False), (False, True)])
def test_tokenizer_json_keeps_the_same_tokenizer(plain_judge, tmp_path, prepend, metaspace):
    table = tokenizer_json(plain_judge, prepend=prepend, metaspace=metaspace)
    (tmp_path / "tokenizer.json").write_text(json.dumps(table))
    tokenizer = tokenizer_from_folder(tmp_path, [], VOCABULARY)
    assert tokenizer.leading_space == (prepend or metaspace)
    for text in ["the witnesses said so", " what  is", "日本 <s> é\n\nand", "x" * 50]:
        first = tokenizer.encode(text)
        if tokenizer.leading_space:
            assert first == plain_judge.encode(text)
        assert tokenizer.decode(first) == " " * tokenizer.leading_space + text
        assert tokenizer.decode(tokenizer.encode(text, after=first[-1])) == text
    assert tokenizer.token_bytes[plain_judge.piece_to_id("<0x0A>")] == b"\n"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"normalization_rule_name": "nmt_nfkc"}, "normaliser 'nmt_nfkc' changes texts"),
        ({"remove_extra_whitespaces": True}, "normaliser 'identity' changes texts"),
        ({"model_type": "char", "hard_vocab_limit": False}, "algorithm 4 is not supported"),
        ({"treat_whitespace_as_suffix": True}, "algorithm 2 is not supported"),
    ],
)
def test_what_would_be_read_wrongly_is_refused(tmp_path, options, problem):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(trained(**options))
    with pytest.raises(ModelFileError, match=problem):
        read_pieces(path)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"tokenizer.ggml.scores": np.zeros(3, np.float32)}, "scores does not match"),
        ({"tokenizer.ggml.token_type": "x"}, "token_type does not match"),
        ({"tokenizer.ggml.remove_extra_whitespaces": True}, "joins spaces"),
        ({"tokenizer.ggml.eos_token_id": 400}, "eos_token_id is 400"),
        ({"tokenizer.ggml.model": "t5"}, "tokenizer 't5' is not supported"),
    ],
)
def test_metadata_that_does_not_fit_is_refused(plain_judge, tmp_path, changes, problem):
    with pytest.raises(ModelFileError, match=problem):
        tokenizer_from_gguf(tmp_path, gguf_metadata(plain_judge, **changes), VOCABULARY)


@pytest.mark.parametrize("damage", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_refused(plain_judge, tmp_path, damage):
    metadata = gguf_metadata(plain_judge)
    metadata["tokenizer.ggml.scores"][300] = damage
    with pytest.raises(ModelFileError, match="is not a piece"):
        tokenizer_from_gguf(tmp_path, metadata, VOCABULARY)


def test_a_folder_without_a_tokenizer_says_what_it_lacks(tmp_path):
    with pytest.raises(ModelFileError, match=r"no tokenizer.json, tokenizer.tok.json or tokenizer"):
        tokenizer_from_folder(tmp_path, [], VOCABULARY)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_model_is_read_or_refused(raw, tmp_path, data):
    damaged = bytearray(raw[: data.draw(st.integers(1, len(raw)) | st.just(len(raw)))])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "tokenizer.model"
    path.write_bytes(damaged)
    with contextlib.suppress(ModelFileError):
        tokenizer_of(read_pieces(path), [], None, VOCABULARY).encode("the witnesses\n\n ☃ <s>")
