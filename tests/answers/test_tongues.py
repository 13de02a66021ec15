"""Questions in other languages than English: what is asked, about what, and which quote answers."""

from pathlib import Path

import pytest

from fairwitness.answers import words
from fairwitness.answers.understand import understand
from fairwitness.evals.hearing import Hearing, made

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("What was the driver doing when the train crashed?", "what"),
        ("¿Qué hacía el maquinista cuando descarriló el tren?", "what"),
        ("¿Cuándo descarriló el tren?", "when"),
        ("Che cosa faceva il macchinista quando il treno è deragliato?", "what"),
        ("¿A qué hora fue el terremoto?", "when"),
        ("Куда летел самолёт?", "where"),
        ("В каком году открыли мост?", "when"),
        ("欧盟什么时候禁止割鲨鱼鳍？", "when"),
        ("地震は何時に起きましたか？", "when"),
        ("切手はいくらですか？", "how_many"),
        ("患者は何件ですか？", "how_many"),
    ],
)
def test_what_is_asked_for_is_heard(question: str, asks: str) -> None:
    assert understand(question, NOW_MS).asks == asks


def test_words_in_cyrillic_meet_in_all_their_cases() -> None:
    for forms in ("Москва Москве Москвы Москвой", "пожар пожаре пожара", "погибло погибли погиб"):
        assert len({words.stem(form) for form in forms.split()}) == 1


def test_japanese_is_parted_by_its_scripts_and_its_grammar_left_out() -> None:
    asked = understand("福島県沖の地震のマグニチュードはいくつですか？", NOW_MS)
    assert [(term.shown, term.name) for term in asked.terms] == [
        ("福島", True),
        ("地震", False),
        ("マグニチュード", False),
    ]
    asked = understand("コスタリカで地震が起きたのはいつですか？", NOW_MS)
    assert [(term.shown, term.name) for term in asked.terms] == [
        ("コスタリカ", True),
        ("地震", False),
    ]


def test_a_question_too_short_to_tell_is_in_the_language_of_its_small_words() -> None:
    assert understand("Quantos jovens de Santo Ângelo morreram na boate?", NOW_MS).lang == "pt"


QUAKE = "【気象庁情報】14日 02時01分頃 橘湾にて 最大震度3の地震が発生。震源の深さは10km。"


@pytest.mark.parametrize(
    ("posts", "question", "holds"),
    [
        (["Пожар во Фрязино унёс жизни восьми человек."], "Что было во Фрязине?", "восьми"),
        (
            ["Вулкан Шивелуч выбросил пепел на 11 км."],
            "На какую высоту Шивелуч выбросил пепел?",
            "11",
        ),
        (
            [QUAKE, "宮城県沖 地震 マグニチュード:3.5"],
            "橘湾の地震は何時に起きましたか？",
            "02時01分",
        ),
        (
            ["¡Juez deja en libertad al maquinista!"],
            "¿Quién dejó en libertad al maquinista?",
            "Juez",
        ),
        (["闯红灯，记6分，罚100元。", "红灯区的灯"], "闯红灯罚多少钱？", "100元"),
        (
            ["Prisão dos sócios é prorrogada por 30 dias."],
            "Por quantos dias é a prisão dos sócios?",
            "30",
        ),
        (["Google presta homenagem às vítimas."], "Quem presta homenagem às vítimas?", "Google"),
    ],
)
def test_the_quote_holds_the_answer(
    tmp_path: Path, posts: list[str], question: str, holds: str
) -> None:
    hearing = Hearing(tmp_path, lambda: None)
    hearing.take_posts(made([(f"a{n}", text, n) for n, text in enumerate(posts)], "p"))
    answer = hearing.ask(question)
    hearing.close()
    quotes = [s for s in answer.sentences if s.kind == "quote"]
    assert quotes, answer.answer
    assert holds in quotes[0].text
    cited = quotes[0].citations[0]
    source = next(each for each in answer.sources if each.n == cited.source)
    assert source.text[cited.start : cited.end] == quotes[0].text


@pytest.mark.parametrize(
    "question",
    [
        "タシケントの地震のマグニチュードは？",
        "岩手県沖の地震の最大震度は？",
        "Где был пожар в Занзибаре?",
    ],
)
def test_another_place_is_no_answer(tmp_path: Path, question: str) -> None:
    hearing = Hearing(tmp_path, lambda: None)
    told = [QUAKE, "宮城県沖 地震 マグニチュード:3.5", "В Москве был пожар на складе."]
    hearing.take_posts(made([(f"a{n}", text, n) for n, text in enumerate(told)], "p"))
    answer = hearing.ask(question)
    hearing.close()
    assert answer.abstained
