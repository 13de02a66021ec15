"""Times are read and written without loss, and a replay's never run backwards."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.posts.clock import SystemClock, VirtualClock, from_iso, to_iso
from fairwitness.posts.compose import MAX_MS, MIN_MS


@given(st.integers(MIN_MS, MAX_MS))
def test_what_was_written_reads_as_the_same_moment(moment_ms: int) -> None:
    written = to_iso(moment_ms)
    assert from_iso(written) == moment_ms
    assert written.endswith("Z")
    assert len(written.partition("-")[0]) == 4


@pytest.mark.parametrize(
    ("text", "moment_ms"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:00", 0),
        (" 1970-01-01 01:00:00+01:00 ", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2024-02-29t12:00:00z", 1_709_208_000_000),
        ("2024-02-29T12:00:00.9999999Z", 1_709_208_000_999),
        ("0001-01-01T00:00:00Z", MIN_MS),
    ],
)
def test_a_time_without_an_offset_is_utc(text: str, moment_ms: int) -> None:
    assert from_iso(text) == moment_ms


WORDS = ["", "yesterday", "12:00", "1709208000", "\x00", "x" * 10_000, "2024-01-01Z\ud800"]
DATES = ["2023-02-29", "2024-13-01", "2024-01-01T25:00"]
BEYOND = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]


@pytest.mark.parametrize("text", [*WORDS, *DATES, *BEYOND])
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="not a time") as caught:
        from_iso(text)
    assert repr(text[:60]) in str(caught.value)


@pytest.mark.parametrize("moment_ms", [MAX_MS + 1000, MIN_MS - 1, 2**62, -(2**80)])
def test_a_moment_outside_the_calendar_is_named(moment_ms: int) -> None:
    with pytest.raises(ValueError, match=str(moment_ms)):
        to_iso(moment_ms)


@given(st.lists(st.integers(-(2**60), 2**60)))
def test_a_virtual_clock_never_runs_backwards(moments_ms: list[int]) -> None:
    clock = VirtualClock(7)
    before_ms = clock.now_ms()
    for moment_ms in moments_ms:
        clock.advance_to(moment_ms)
        assert clock.now_ms() == max(before_ms, moment_ms)
        before_ms = clock.now_ms()
    assert clock.virtual


def test_the_system_clock_is_the_machines() -> None:
    clock = SystemClock()
    assert abs(clock.now_ms() - time.time() * 1000) < 1000
    assert not clock.virtual
