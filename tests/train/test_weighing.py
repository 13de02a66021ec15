"""What the trees learn: nothing that is judged, and nothing that the head knows by heart."""

import json
from pathlib import Path
from random import Random

import numpy as np

from fairwitness.train.climate import climate_pairs
from fairwitness.train.grow import Growth
from fairwitness.train.pairs import Pair, WiceRow, wice_pairs
from fairwitness.train.weighing import drawn_again, grown

PAGE = [f"Sentence {n} tells of Ana Ruiz and the {n} mills of Oldtown." for n in range(12)]
ROWS = [
    WiceRow("supported", [[3], [4]], f"Ana Ruiz tells of {n} mills in Oldtown today.", PAGE)
    for n in range(4)
]


def climate(path: Path) -> Path:
    labels = ("SUPPORTS", "REFUTES", "NOT_ENOUGH_INFO")
    rows = [
        {
            "claim": f"The sea rose by {n} centimetres.",
            "evidences": [
                {"evidence": f"{a} of {n}", "article": f"Sea {a}", "evidence_label": labels[a % 3]}
                for a in range(5)
            ],
        }
        for n in range(60)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_neither_claim_nor_article_is_both_taught_and_judged(tmp_path: Path) -> None:
    path = climate(tmp_path / "rows.jsonl")
    taught, judged = (climate_pairs(path, taught=side) for side in (True, False))
    assert taught
    assert judged
    assert not {p.claim for p in taught} & {p.claim for p in judged}
    articles = [{p.evidence.split()[0] for p in side} for side in (taught, judged)]
    assert not articles[0] & articles[1]
    assert all(pair.holds == (pair.kind == "SUPPORTS") for pair in taught + judged)


def test_claims_drawn_again_are_each_there_once() -> None:
    first = list(wice_pairs(ROWS, Random(0)))
    again = drawn_again(ROWS, first, Random(1))
    assert len(again) == len(set(again)) > len(first)
    assert again[: len(first)] == first


def test_what_the_head_knows_by_heart_is_not_believed() -> None:
    """It is right of WiCE, by heart, and says nothing of others: the trees must not ask it."""
    rng = np.random.default_rng(0)
    holds = rng.random(400) < 0.5
    kinds = ["supported" if at % 2 else "SUPPORTS" for at in range(400)]
    pairs = [Pair(f"c{at}", "", bool(holds[at]), kinds[at]) for at in range(400)]
    rows = rng.random((400, 2)).astype(np.float32)
    rows[:, 0] += holds
    rows[1::2, 1] = holds[1::2]
    trees, (scale, _, threshold) = grown(rows, pairs, Growth(trees=30, rate=0.2, signs_share=1.0))
    said = [trees.logit(np.array([row, head], "f4")) for row in (0.2, 1.8) for head in (0, 1)]
    assert max(said[:2]) < 0 < min(said[2:])
    assert scale > 0
    assert 0 < threshold < 1
