"""What the machine would allow the engine: counted by hand, and above what is measured."""

from dataclasses import replace

import pytest

from fairwitness.engine import Engine
from fairwitness.evals.engine_limits import (
    Asked,
    Roof,
    Work,
    best_of,
    least_s,
    limits,
    measured,
    peaks_told,
    work_of,
)
from fairwitness.evals.engine_streams import STREAM_PROMPT, prompts, streams_s
from fairwitness.kernels.peak import Peak
from fairwitness.models.config import DecoderConfig, Reach
from fairwitness.models.registry import DEFAULT_MODEL, pull

# Two layers of 8 x (4 query + 2 key + 2 value) + 4 x 8 + 3 x 8 x 16 = 480 weights; a head of 80.
CONFIG = DecoderConfig(
    vocabulary=10,
    width=8,
    layers=2,
    query_heads=2,
    kv_heads=1,
    head_size=2,
    hidden=16,
    context=64,
    rope_base=10_000.0,
    norm_epsilon=1e-5,
    tied_head=True,
)


def test_a_prompt_is_counted_by_hand():
    work = work_of(CONFIG, Asked(1, 3, 1), weights_bytes=1_000, position_bytes=32)
    # three rows; they see 1 + 2 + 3 positions in each layer, with 4 numbers of queries, twice
    assert work == Work(weights=3 * 960 + 80, attention=2 * 2 * 6 * 4, size_bytes=1_000)


def test_streams_are_counted_by_hand():
    work = work_of(CONFIG, Asked(5, 2, 3), weights_bytes=1_000, position_bytes=32)
    # four rows each, of which the last two are steps that read 3 and 4 positions; three heads
    assert work.weights == 5 * (4 * 960 + 3 * 80)
    assert work.attention == 5 * 2 * 2 * (1 + 2 + 3 + 4) * 4
    assert work.size_bytes == 3 * 1_000 + 5 * 7 * 32


def test_a_window_hides_what_stands_before_it():
    config = replace(CONFIG, reaches=(Reach(window=2), Reach()))
    work = work_of(config, Asked(1, 2, 3), weights_bytes=1_000, position_bytes=32)
    assert work.attention == 2 * ((1 + 2 + 2 + 2) + (1 + 2 + 3 + 4)) * 4
    assert work.size_bytes == 3 * 1_000 + (2 + 2 + 3 + 4) * 16


def test_products_add_up_and_reading_goes_on_beside():
    roof = Roof(Peak(bytes_s=100.0, floats_s=50.0, pairs_s=None), sweep_bytes_s=10.0)
    work = Work(weights=300, attention=100, size_bytes=5)
    assert least_s(work, roof, "f32", 2) == pytest.approx(300 * 2 / 100 + 100 / 50)
    assert least_s(work, roof, "f32", 1) == pytest.approx(300 / 100 + 100 / 50)
    assert least_s(replace(work, size_bytes=90), roof, "f32", 2) == pytest.approx(9.0)
    tiles = Roof(Peak(bytes_s=400.0, floats_s=50.0, pairs_s=150.0), sweep_bytes_s=10.0)
    assert least_s(work, tiles, "f16", 4) == pytest.approx(300 * 4 / 400 + 100 / 50)


def test_the_best_that_was_measured_is_the_roof():
    first = Roof(Peak(100.0, 60.0, None), 10.0)
    second = Roof(Peak(90.0, 70.0, None), 12.0)
    assert best_of([first, second]) == Roof(Peak(100.0, 70.0, None), 12.0)
    tiles = Roof(Peak(90.0, 70.0, 80.0), 12.0)
    assert best_of([tiles, replace(tiles, sweep_bytes_s=9.0)]) == tiles
    assert peaks_told([]) is None


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(pull(DEFAULT_MODEL), drafts=False)


def test_nothing_goes_faster_than_its_limit(engine: Engine):
    roofs = measured(engine)
    if not roofs:
        pytest.skip("NO NATIVE STEP with AVX2, AVX-512 or AMX: it has no measured limit")
    asked = prompts(4, 0)
    tok_s = 4 * 8 / streams_s(engine, asked, 8)
    roofs += measured(engine)
    told = limits(engine, roofs, Asked(4, STREAM_PROMPT, 8), 4 * 8, tok_s)
    assert told["limit_tok_s"] is not None
    assert told["limit_8bit_tok_s"] is not None
    assert 0 < tok_s < told["limit_tok_s"] <= told["limit_8bit_tok_s"]
    assert told["share_of_limit"] == pytest.approx(tok_s / told["limit_tok_s"])


def test_without_a_roof_there_is_no_limit(engine: Engine):
    told = limits(engine, [], Asked(1, 4, 1), 4, 100.0)
    assert set(told) == {"share_of_limit", "limit_tok_s", "limit_8bit_tok_s"}
    assert set(told.values()) == {None}
