"""Quality: the measures by hand, and that meaning crosses languages where words cannot."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from fairwitness.evals import judged
from fairwitness.evals.judged import Judged
from fairwitness.evals.quality import Figures, measure, ranked, together


def test_the_measures_by_hand() -> None:
    worth = {7: 2, 3: 1}
    ideal = 2 + 1 / np.log2(3)
    assert judged.ndcg([7, 3], worth) == pytest.approx(1.0)
    assert judged.ndcg([3, 9, 7], worth) == pytest.approx((1 + 2 / 2) / ideal)
    assert judged.average_precision([3, 9, 7], worth) == pytest.approx((1 + 2 / 3) / 2)
    assert judged.average_precision([9] * 5 + [3], worth) == 0.0
    assert judged.recall([3, 9], worth, 10) == 0.5
    assert judged.ndcg([], worth) == judged.recall([], worth, 10) == 0.0


def test_meaning_finds_what_shares_no_word_and_both_keep_what_words_found() -> None:
    texts = [
        "台湾の東部で強い地震があり、建物が倒壊しました",
        "今日は友達とおいしいラーメンを食べました",
        "新しい携帯電話が来月発売される予定です",
        "Quarterly results of Zyxwortex",
        "El gato duerme en el sofá toda la tarde",
    ]
    questions = ["Buildings collapsed in an earthquake in Taiwan", "Zyxwortex"]
    one = Judged("made", texts, questions, [{0: 1}, {3: 1}])
    figures = {part.way: part for part in measure(one)}
    assert figures["words"].ndcg_10 < figures["both"].ndcg_10 == 1.0
    found = ranked(one)
    assert found["meaning"][0][0] == found["both"][0][0] == 0
    pair = together("pair", [figures["both"], figures["both"]])
    assert (pair.questions, pair.ndcg_10) == (4, 1.0)


@pytest.mark.parametrize("name", ["msmarco", "arcd"])
def test_both_are_no_worse_than_either(shared: Path, name: str) -> None:
    figures = {p.way: p for p in measure(judged.agentset(shared / "data", name))}
    better = max(figures["words"].ndcg_10, figures["meaning"].ndcg_10)
    assert figures["both"].ndcg_10 >= better
    assert figures["both"].ndcg_10 > figures["words"].ndcg_10 + 0.03


@pytest.mark.parametrize("lang", ["ja", "ru"])
def test_english_problems_find_their_translations_without_digits(shared: Path, lang: str) -> None:
    figures = {p.way: p for p in measure(judged.mgsm(shared / "data", lang, digits=False))}
    assert figures["meaning"].recall_10 > 0.95
    assert figures["both"].recall_10 > 0.95
    assert figures["words"].recall_10 < 0.3


def test_the_sets_are_read_whole(shared: Path) -> None:
    data = shared / "data"
    assert len(judged.cranfield(data).questions) == 225
    assert len(judged.known_lie(data).questions) > 990
    sizes = [len(judged.agentset(data, name).texts) for name in judged.AGENTSET]
    assert sizes == [5_000, 5_000, 255, 671]


def test_a_set_on_which_both_are_worse_is_told() -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "search_quality.py"
    script = runpy.run_path(str(path))

    def of(name: str, way: str, worth: float) -> Figures:
        return Figures(name, way, 10, 10, worth, worth, 1.0, 1.0)

    figures = [
        of(name, way, worth)
        for name in script["NAMED"]
        for way, worth in (("words", 0.5), ("meaning", 0.6), ("both", 0.6))
    ]
    assert script["broken"](figures) == []
    worse = [of(part.name, "both", 0.59) if part.way == "both" else part for part in figures[:3]]
    told = script["broken"]([*worse, *figures[3:]])
    assert told == [
        f"ir-agentset: {key} of both is 0.59, 0.5 by words, 0.6 by meaning"
        for key in ("ndcg_10", "map_5")
    ]
    equal = [of(part.name, part.way, 0.5) for part in figures]
    assert [line.partition(":")[0] for line in script["broken"](equal)] == ["ndcg_10", "map_5"]
