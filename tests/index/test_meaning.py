"""Meaning: the table that ships, and what it says of texts in many languages."""

import numpy as np
import pytest

from fairwitness.index import meaning
from fairwitness.kernels.pieces import WEIGHT_MAX
from fairwitness.kernels.texts import pack

QUAKE = [
    "A strong earthquake hit the east of Taiwan, buildings collapsed",
    "台湾東部で強い地震があり、建物が倒壊しました",
    "台湾东部发生强烈地震，建筑物倒塌",
    "대만 동부에서 강한 지진이 발생해 건물이 무너졌다",
    "Un fuerte terremoto sacude el este de Taiwán y derrumba edificios",
    "Сильное землетрясение на востоке Тайваня, обрушились здания",
    "زلزال قوي يضرب شرق تايوان وانهيار مبان",
    "แผ่นดินไหวรุนแรงทางตะวันออกของไต้หวัน อาคารถล่ม",
]
OTHERS = [
    "My cat sleeps on the sofa all afternoon",
    "友達とラーメンを食べに行きました",
    "Los precios de la vivienda subieron este año",
    "Bitcoin falls below sixty thousand dollars",
]


def test_one_event_in_eight_languages_is_one_direction() -> None:
    _, vectors = meaning.codes_and_vectors(pack(QUAKE + OTHERS))
    cosine = vectors @ vectors.T
    events = len(QUAKE)
    assert cosine[:events, :events].min() > 0.35
    assert cosine[:events, events:].max() < 0.25


def test_codes_are_the_signs_of_vectors_and_near_where_vectors_are() -> None:
    codes, vectors = meaning.codes_and_vectors(pack(QUAKE + OTHERS))
    assert codes.shape == (12, 32)
    assert (codes == np.packbits(vectors > 0, axis=1)).all()
    assert (codes == meaning.codes(pack(QUAKE + OTHERS))).all()
    differ = np.bitwise_count(codes[0] ^ codes[1:]).sum(axis=1)
    assert differ[: len(QUAKE) - 1].max() < differ[len(QUAKE) - 1 :].min()


def test_case_links_and_width_do_not_change_the_meaning() -> None:
    plain = "strong earthquake hit taiwan"
    same = [
        "STRONG Earthquake hit Taiwan!",
        f"{plain} https://t.co/x9",
        "ｓｔｒｏｎｇ " + plain[7:],
    ]
    codes = meaning.codes(pack([plain, *same]))
    assert (codes == codes[0]).all()


@pytest.mark.parametrize("text", ["", " \n", "?!… 🙃", "https://example.org/a", "ನಮಸ್ಕಾರ"])
def test_a_text_without_known_words_has_no_code(text: str) -> None:
    codes, vectors = meaning.codes_and_vectors(pack([text]))
    assert not codes.any()
    assert not vectors.any()


def test_the_table_is_whole() -> None:
    table = meaning.table()
    pieces = len(table.vocabulary.scores)
    assert table.name
    assert table.rows_vd.shape == (pieces, 256)
    assert len(table.vocabulary.piece_ends) == len(table.weights_v) == pieces
    assert 1 <= table.weights_v.min() <= table.weights_v.max() <= WEIGHT_MAX
    assert table.vocabulary.piece_ends[-1] == len(table.vocabulary.piece_labels)


def test_alike_finds_the_answer_inside_a_text_that_says_much_else() -> None:
    question = "earthquake in Taiwan"
    buried = f"{OTHERS[2]}. {OTHERS[3]}. {OTHERS[0]}. {QUAKE[1]}"
    found = meaning.alike(question, pack([buried, *OTHERS, "", QUAKE[0]]))
    assert found.cover[0] > found.cover[1:5].max() + 0.3
    assert found.cosine[5] == found.cover[5] == 0.0
    assert found.cover[6] == pytest.approx(1.0, abs=0.05)
    _, vectors = meaning.codes_and_vectors(pack([question, QUAKE[0]]))
    assert found.cosine[6] == pytest.approx(vectors[0] @ vectors[1], abs=1e-5)


def test_a_piece_that_all_texts_say_tells_them_apart_no_more() -> None:
    question = "earthquake in Taiwan"
    alone = meaning.alike(question, pack(["strong earthquake", "rain", "sun"])).cover[0]
    among = meaning.alike(question, pack(["strong earthquake", "no earthquake", "earthquake"]))
    assert among.cover[0] < alone - 0.05
    lengths = np.linalg.norm(among.directions_nd, axis=1)
    assert lengths == pytest.approx(1.0, abs=1e-5)


def test_alike_with_nothing_to_compare() -> None:
    assert meaning.alike("", pack(QUAKE)).cover.tolist() == [0.0] * len(QUAKE)
    assert meaning.alike("?", pack([""])).cosine.tolist() == [0.0]
    assert len(meaning.alike("earthquake", pack([])).cover) == 0
