"""The verifier that comes with the package: pinned, small, and right about plain things."""

import hashlib
import time
from pathlib import Path

import pytest

from fairwitness.models import verifier as module
from fairwitness.models.encoder_download import pull_encoder
from fairwitness.models.errors import ModelFileError
from fairwitness.models.verifier import (
    HEAD,
    HEAD_SHA256,
    MOST_PIECES,
    Verifier,
    open_head,
    open_verifier,
)

QUOTE = "Police say 12 people were killed in the Oldtown fire on Monday."


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return open_verifier(pull_encoder())


def test_the_head_is_the_one_that_is_pinned() -> None:
    raw = HEAD.read_bytes()
    assert hashlib.sha256(raw).hexdigest() == HEAD_SHA256
    assert len(raw) + pull_encoder().stat().st_size < 30e6
    assert len(raw) < 2e6


def test_a_head_that_was_changed_is_refused(tmp_path: Path, monkeypatch) -> None:
    changed = tmp_path / "head.safetensors"
    raw = bytearray(HEAD.read_bytes())
    raw[-1] ^= 1
    changed.write_bytes(raw)
    monkeypatch.setattr(module, "HEAD", changed)
    with pytest.raises(ModelFileError, match="is not the head"):
        open_head(changed)


@pytest.mark.parametrize(
    ("follows", "not_so"),
    [
        ("12 people were killed in the fire.", "17 people were killed in the fire."),
        ("12 people were killed on Monday.", "12 people were killed on Friday."),
        ("People were killed in the Oldtown fire.", "People were killed in the Portville fire."),
        ("12 people were killed in the fire.", "12 people were saved in the fire."),
        ("12 people were killed in the fire.", "12 people were not killed in the fire."),
    ],
)
def test_what_follows_is_surer_than_what_does_not(
    verifier: Verifier, follows: str, not_so: str
) -> None:
    assert verifier.follows(follows, QUOTE) > verifier.follows(not_so, QUOTE)


@pytest.mark.parametrize("text", ["", " ", "?", "word " * 5_000, "\ud800", "文字だけの文章"])
def test_any_text_has_a_probability(verifier: Verifier, text: str) -> None:
    assert 0 <= verifier.follows(text, QUOTE) <= 1
    assert 0 <= verifier.follows(QUOTE, text) <= 1


def test_of_much_evidence_what_tells_most_is_read(verifier: Verifier) -> None:
    claim, short = "12 people were killed in the fire.", f"{QUOTE} The mayor said so."
    assert verifier.narrowed(claim, short) is short
    beside = [f"Filler number {n} is about nothing in particular." for n in range(40)]
    read = verifier.narrowed(claim, " ".join([*beside[:20], QUOTE, *beside[20:]]))
    assert QUOTE in read
    length = verifier.reader.length
    assert length(claim) + length(read) <= MOST_PIECES < length(claim) + length(read) + 20
    assert verifier.narrowed(claim, "word " * 500) == ("word " * 500).strip()


def test_a_pair_takes_little_time_and_says_the_same_twice(verifier: Verifier) -> None:
    took_s, said = [], set()
    for _ in range(9):
        verifier.reader.forget()
        start = time.thread_time()
        said.add(verifier.follows("12 people were killed in the fire.", QUOTE))
        took_s.append(time.thread_time() - start)
    assert len(said) == 1
    assert min(took_s) < 0.05  # on a machine that does much else; 0.015 is measured by the bench
