"""Costly work keeps to its share of the time, and is not put off for ever."""

import pytest

from fairwitness.posts import pace
from fairwitness.posts.pace import Pace


@pytest.fixture
def now_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("took_s", "pause_s"), [(0.01, 0.25), (0.1, 0.3), (0.15, 0.45), (2.0, 0.6)]
)
def test_the_longer_it_takes_the_later_it_is_due(
    now_s: list[float], took_s: float, pause_s: float
) -> None:
    work = Pace(1 / 4)
    assert work.is_due(0.25, 0.6)

    def done() -> None:
        now_s[0] += took_s

    work.run(done)
    now_s[0] += pause_s - 0.001
    assert not work.is_due(0.25, 0.6)
    now_s[0] += 0.002
    assert work.is_due(0.25, 0.6)


def test_what_fails_is_due_again_at_once(now_s: list[float]) -> None:
    work = Pace(1 / 4)

    def fails() -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        work.run(fails)
    assert work.is_due(0.25, 0.6)
