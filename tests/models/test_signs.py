"""Signs: as many as promised, finite for any text, and each moved by what it is about."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.models.entailment import Read
from fairwitness.models.signs import COUNT, signs

TABLE = np.random.default_rng(0).normal(size=(2_000, 384)).astype(np.float32)
QUOTE = "Police in Oldtown say 12 people were killed. The mayor of Portville was not there."


def read(text: str) -> Read:
    """A text as an encoder without context might read it: one vector for each word."""
    words = [sum(map(ord, word)) % 900 for word in text.lower().rstrip(".").split()]
    ids = np.array([101, *words, 102], np.int32)
    return Read(ids, np.ones(len(ids), bool), TABLE[ids], TABLE[ids])


def told(claim: str, evidence: str = QUOTE) -> np.ndarray:
    return signs(claim, evidence, read(claim), read(evidence))


def test_there_are_as_many_as_promised() -> None:
    assert told("Police say so").shape == (COUNT,)
    assert told("Police say so").dtype == np.float32


@pytest.mark.parametrize(
    ("at", "claim", "less"),
    [
        (0, "12 people were killed", "12 cows were sold"),
        (4, "12 people were killed", "killed were people 12"),
        (11, "Police in Oldtown", "Police in Newtown"),
        (7, "17 people were killed", "12 people were killed"),
        (12, "12 people were denied", "12 people were killed"),
        (14, "12 people may be killed", "12 people were killed"),
        (21, "see Portville and Oldtown", "see Oldtown and Portville"),
    ],
)
def test_each_tells_what_it_is_about(at: int, claim: str, less: str) -> None:
    quote = QUOTE.replace(" not ", " ")
    assert told(claim, quote)[at] > told(less, quote)[at]


def test_a_claim_that_is_its_evidence_is_wholly_found() -> None:
    row = told(QUOTE)
    assert row[[0, 1, 2, 4, 5]] == pytest.approx(1.0)
    assert row[22] == pytest.approx(1.0, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_two_texts_have_finite_signs(claim: str, evidence: str) -> None:
    row = told(claim, evidence)
    assert row.shape == (COUNT,)
    assert np.isfinite(row).all()
