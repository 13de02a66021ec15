"""The head learns, learns the same again, and says in numpy what it says in JAX."""

from pathlib import Path
from random import Random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fairwitness.models.entailment import Read, logits
from fairwitness.models.errors import ModelFileError
from fairwitness.models.trees import Trees
from fairwitness.models.verifier import Head, open_head
from fairwitness.train.calibrate import best_threshold, calibrated
from fairwitness.train.entailment import Lesson, Reading, learn, said
from fairwitness.train.heads import write_head

WIDTH, WORDS = 384, 30


def sentences(count: int, seed: int) -> list[list[int]]:
    rng = Random(seed)
    return [[1, *rng.sample(range(3, WORDS), 6), 2] for _ in range(count)]


def read(texts: list[list[int]]) -> Reading:
    """Texts as an encoder might read them: a random vector for each word, a little of its place."""
    table = np.random.default_rng(0).normal(size=(WORDS, WIDTH)).astype(np.float32)
    places = np.random.default_rng(1).normal(size=(64, WIDTH)).astype(np.float32)
    return Reading(
        [
            Read(
                np.array(text, np.int32),
                np.ones(len(text), np.bool_),
                table[text].astype(np.float16),
                (table[text] + 0.2 * places[: len(text)]).astype(np.float16),
            )
            for text in texts
        ]
    )


def task(count: int) -> tuple[Reading, Reading, list[bool]]:
    """A claim holds when all its words stand in the evidence; else one word is another."""
    evidence = sentences(count, 0)
    holds = [at % 2 == 0 for at in range(count)]
    claims = []
    for at, text in enumerate(evidence):
        claim = [1, *text[2:5], 2]
        if not holds[at]:
            claim[2] = next(word for word in range(3, WORDS) if word not in text)
        claims.append(claim)
    return read(claims), read(evidence), holds


LESSON = Lesson(batch=16, passes=6, peak_rate=3e-3, seed=5)


@pytest.fixture(scope="module")
def learned() -> tuple[dict[str, object], list[float]]:
    losses, head = [], {}
    for pupil, loss in learn(*task(64), LESSON):
        losses.append(loss)
        head = jax.tree.map(np.asarray, pupil.head)
    return head, losses


def test_learning_lowers_the_loss(learned) -> None:
    _, losses = learned
    assert len(losses) == 24
    assert np.mean(losses[-4:]) < 0.5 * np.mean(losses[:4])


def test_the_same_seed_gives_the_same_weights(learned) -> None:
    _, losses = learned
    again = [loss for _, loss in learn(*task(64), LESSON)]
    assert again == losses


def test_numpy_says_what_jax_says(learned) -> None:
    head, _ = learned
    claims, evidence, holds = task(16)
    rows = list(range(16))
    together = logits(jnp, head, claims.batch(rows, 48), evidence.batch(rows, 64))
    alone = said(head, claims, evidence)
    # numpy reads float16 weights and nothing filled up
    assert np.abs(np.asarray(together) - alone).max() < 0.05
    assert np.mean((alone > 0) == holds) > 0.9


def test_a_head_is_read_as_it_was_written(learned, tmp_path: Path) -> None:
    head, _ = learned
    path = tmp_path / "head.safetensors"
    trees = Trees(0.5, *(np.ones((2, n), t) for n, t in ((3, "i4"), (3, "f4"), (4, "f4"))))
    digest = write_head(path, Head(head, trees, 2.0, -1.0, 0.6))
    assert len(digest) == 64
    opened = open_head(path)
    assert (opened.scale, opened.shift) == (2.0, -1.0)
    assert opened.threshold == pytest.approx(0.6)
    assert opened.surety(0.5) == pytest.approx(0.5)
    for ours, theirs in zip(opened.trees, trees, strict=True):
        assert np.array_equal(ours, theirs)
    assert np.array_equal(
        opened.weights["verdict"]["weight"], head["verdict"]["weight"].astype(np.float16)
    )
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelFileError):
        open_head(damaged)


def test_probabilities_come_into_line_with_what_held() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(size=4_000) * 4
    holds = rng.random(4_000) < 1 / (1 + np.exp(-(0.5 * logit - 1)))
    scale, shift, threshold = calibrated(logit, holds.tolist())
    assert scale == pytest.approx(0.5, abs=0.08)
    assert shift == pytest.approx(-1, abs=0.15)
    assert 0 < threshold < 1


def test_the_best_threshold_parts_yes_from_no() -> None:
    scores, holds = np.array([0.1, 0.2, 0.7, 0.9]), np.array([False, False, True, True])
    assert 0.2 < best_threshold(scores, holds) <= 0.7
