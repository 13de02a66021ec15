"""Pieces: both twins cut alike and sum alike, whatever the text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels import pieces as room
from fairwitness.kernels.native import library
from fairwitness.kernels.pieces import BOUNDARY, SKIPPED, SPACE, Vocabulary, pool
from fairwitness.kernels.texts import pack

PIECES = {" cat": -5, "cat": -7, " ca": -6, "t": -3, " concat": -9, "con": -5, "津波": -6}
PIECES |= {"津": -8, "波": -8, "警報": -6, "警": -8, "報": -8, " é": -4, "s": -2, "c": -9, " x": -9}


def vocabulary() -> Vocabulary:
    alphabet = sorted({char for piece in PIECES for char in piece if char != " "})
    label = {char: SPACE + 1 + i for i, char in enumerate(alphabet)}
    labels = np.full(0x10000, BOUNDARY, np.uint16)
    for char, number in label.items():
        labels[ord(char)] = labels[ord(char.upper())] = number
    labels[0x301] = SKIPPED
    coded = {piece: [label.get(char, SPACE) for char in piece] for piece in PIECES}
    order = sorted(PIECES, key=coded.__getitem__)
    return Vocabulary(
        labels,
        np.array([number for piece in order for number in coded[piece]], np.uint16),
        np.cumsum([len(piece) for piece in order]).astype(np.int64),
        np.array([PIECES[piece] for piece in order], np.int32),
        space_score=-3,
        unknown_score=-30,
    )


KNOWN = vocabulary()
NAMES: list[str] = sorted(PIECES, key=lambda piece: [KNOWN.labels[ord(c)] or SPACE for c in piece])


@pytest.fixture(params=["native", "plain"])
def twin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "plain":
        monkeypatch.setattr(room, "library", lambda: None)
    elif library() is None:
        pytest.skip("NO NATIVE KERNELS: no compiler")


def cut(text: str) -> list[str]:
    return [NAMES[number] for number in KNOWN.segment(pack([text])).pieces]


@pytest.mark.usefixtures("twin")
def test_the_best_path_wins_and_a_whole_word_is_one_piece() -> None:
    assert cut("cat") == [" cat"]
    assert cut("Cat, CATS!") == [" cat", " cat", "s"]
    assert cut("concat") == [" concat"]
    assert cut("concats") == [" concat", "s"]
    assert cut("津波警報") == ["津波", "警報"]


@pytest.mark.usefixtures("twin")
def test_what_no_piece_covers_says_nothing() -> None:
    assert cut("") == cut("!? \x00 मिथक") == []
    assert cut("xx cat") == [" x", " cat"]


@pytest.mark.usefixtures("twin")
def test_links_are_no_words_and_accents_are_read_over() -> None:
    assert cut("cat https://cat.example/cat cat http://cat") == [" cat", " cat"]
    assert cut("ca\u0301t") == [" cat"]
    assert cut("https://") == []


@pytest.mark.usefixtures("twin")
def test_only_the_beginning_of_a_text_is_read() -> None:
    assert len(cut("cat " * 1_000)) == room.CHARS_MAX // 4


@pytest.mark.usefixtures("twin")
def test_sums_are_weighted_and_a_text_without_pieces_is_all_zeros() -> None:
    rows = np.zeros((len(NAMES), 16), np.int8)
    rows[NAMES.index(" cat"), 0] = 100
    rows[NAMES.index("s"), 1] = -50
    weights = np.full(len(NAMES), 2, np.int16)
    codes, vectors = pool(KNOWN.segment(pack(["cats", "?"])), rows, weights, vectors=True)
    assert codes.tolist() == [[0b10000000, 0], [0, 0]]
    assert vectors is not None
    assert vectors[0, :2] == pytest.approx(np.array([2, -1]) / np.sqrt(5))
    assert not vectors[1].any()
    assert pool(KNOWN.segment(pack([])), rows, weights, vectors=False)[0].shape == (0, 2)


@pytest.mark.skipif(library() is None, reason="NO NATIVE KERNELS: no compiler")
@settings(deadline=None)
@given(st.lists(st.text("catsonxé津波警報 CAT\u0301.hp:/\ud800😀") | st.text(), max_size=5))
def test_the_twins_agree(texts: list[str]) -> None:
    packed = pack(texts, "surrogatepass")
    native, plain = KNOWN.segment(packed), KNOWN._segment_plainly(packed)
    assert native.pieces.tolist() == plain.pieces.tolist()
    assert native.ends.tolist() == plain.ends.tolist()
    rng = np.random.default_rng(0)
    rows = rng.integers(-127, 128, (len(NAMES), 64), dtype=np.int8)
    weights = rng.integers(1, room.WEIGHT_MAX, len(NAMES)).astype(np.int16)
    codes, vectors = pool(native, rows, weights, vectors=True)
    plain_codes, plain_vectors = room._pool_plainly(native, rows, weights, vectors=True)
    assert codes.tolist() == plain_codes.tolist()
    assert vectors is not None
    assert plain_vectors is not None
    assert vectors == pytest.approx(plain_vectors, abs=1e-6)
