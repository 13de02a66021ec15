"""Listening goes on through every failure, waits as it should, and admits what it missed."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

import pytest

from fairwitness.posts import listen as listening
from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.health import SourceHealth
from fairwitness.posts.listen import FIRST_PAUSE_S, LONGEST_ASKED_S, LONGEST_PAUSE_S, listen, pause
from fairwitness.posts.source import Gap, SourceBatch, SourceLost, SourceRefused

Act = SourceBatch | BaseException | Callable[[], None]


@dataclass
class Scripted:
    """A source that does on each connection what a script says, then ends."""

    scripts: list[list[Act]]
    name: str = "scripted"
    cursors: list[str] = field(default_factory=list)
    closed: int = 0

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        self.cursors.append(cursor)
        try:
            for act in self.scripts.pop(0):
                if isinstance(act, BaseException):
                    raise act
                if isinstance(act, SourceBatch):
                    yield act
                else:
                    act()
        finally:
            self.closed += 1


def said(cursor: str = "") -> SourceBatch:
    return SourceBatch((), cursor)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that are asked for, none of which is made."""
    asked: list[float] = []

    async def no_pause(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr(listening.asyncio, "sleep", no_pause)
    return asked


def heard(
    source: Scripted, clock: VirtualClock, health: SourceHealth, cursor: str = ""
) -> list[SourceBatch]:
    async def all_of() -> list[SourceBatch]:
        return [batch async for batch in listen(source, cursor, clock, health)]

    return asyncio.run(all_of())


def test_a_pause_doubles_up_to_a_minute_and_half_of_it_is_drawn() -> None:
    for failures in [1, 2, 3, 7, 8, 50, 10_000]:
        ceiling_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 60))
        drawn = [pause(failures) for _ in range(200)]
        assert ceiling_s / 2 <= min(drawn) < max(drawn) <= ceiling_s
        assert max(drawn) - min(drawn) > ceiling_s / 4


def test_a_peer_is_given_the_pause_that_it_asks_for_within_a_day() -> None:
    assert pause(1, 90.0) == 90.0
    assert pause(1, 1e12) == LONGEST_ASKED_S
    assert pause(8, 0.1) >= LONGEST_PAUSE_S / 2


def test_it_connects_again_from_the_last_cursor_and_a_batch_ends_the_row_of_failures(
    pauses: list[float],
) -> None:
    lost = SourceLost("gone")
    source = Scripted(
        [[said("1"), said("2"), lost], [lost], [lost], [said("3"), SourceLost("busy", 99.0)], []]
    )
    health = SourceHealth("scripted")
    assert [b.cursor for b in heard(source, VirtualClock(5), health, "0")] == ["1", "2", "3"]
    assert source.cursors == ["0", "2", "2", "2", "3"]
    assert source.closed == 5
    assert [low <= p <= 2 * low for low, p in zip([0.25, 0.5, 1.0], pauses, strict=False)] == [
        True
    ] * 3
    assert pauses[3:] == [99.0]
    assert (health.state, health.problem, health.reconnects) == ("ended", "", 4)


def test_a_refusal_ends_it_and_says_why(pauses: list[float]) -> None:
    source = Scripted([[said("1"), SourceRefused("scripted: no such token")]])
    health = SourceHealth("scripted")
    assert len(heard(source, VirtualClock(), health)) == 1
    assert (health.state, health.problem) == ("refused", "scripted: no such token")
    assert pauses == []


def test_a_source_without_a_cursor_leaves_a_gap_over_the_time_that_it_was_lost(
    pauses: list[float],
) -> None:
    clock = VirtualClock(1_000)
    later = [lambda: clock.advance_to(4_000), said(), said(), SourceLost("again")]
    source = Scripted([[said(), SourceLost("gone")], [SourceLost("still")], later, [said()]])
    batches = heard(source, clock, SourceHealth("scripted"))
    gaps = [batch.gaps for batch in batches]
    assert gaps == [
        (),
        (Gap(1_000, 4_000, "connection lost"),),
        (),
        (Gap(4_000, 4_000, "connection lost"),),
    ]


def test_a_source_with_a_cursor_leaves_none(pauses: list[float]) -> None:
    source = Scripted([[said("1"), SourceLost("gone")], [said("2")]])
    health = SourceHealth("scripted", last_ms=500)
    assert [b.gaps for b in heard(source, VirtualClock(1_000), health, "0")] == [(), ()]


def test_a_gap_of_the_source_itself_stays_beside_ours(pauses: list[float]) -> None:
    own = SourceBatch((), "", (Gap(1, 2, "own"),), 3)
    source = Scripted([[SourceLost("gone")], [own]])
    (batch,) = heard(source, VirtualClock(1_000), SourceHealth("scripted"))
    assert batch == SourceBatch((), "", (Gap(1, 2, "own"), Gap(1_000, 1_000, "connection lost")), 3)


def test_what_was_said_between_two_runs_is_a_gap_where_nothing_can_resume() -> None:
    health = SourceHealth("scripted", last_ms=500)
    (batch,) = heard(Scripted([[said()]]), VirtualClock(9_000), health)
    assert batch.gaps == (Gap(500, 9_000, "not listening"),)


@pytest.mark.parametrize("error", [KeyError("x"), AssertionError(), TimeoutError(), OSError()])
def test_a_mistake_in_a_source_is_a_lost_connection_with_a_reason(
    error: Exception, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[tuple[str, bool]] = []
    health = SourceHealth("scripted")
    look = lambda: seen.append((health.state, bool(health.problem)))  # noqa: E731
    source = Scripted([[error], [look, said("1")]])
    with caplog.at_level(logging.WARNING):
        assert len(heard(source, VirtualClock(), health)) == 1
    assert seen == [("waiting", True)]
    assert 0.25 <= pauses[0] <= 0.5
    is_foreseen = isinstance(error, OSError)
    assert (caplog.records[0].exc_info is None) == is_foreseen


def test_something_cancelled_inside_a_source_is_not_us(pauses: list[float]) -> None:
    source = Scripted([[asyncio.CancelledError()], [said("1")]])
    assert len(heard(source, VirtualClock(), SourceHealth("scripted"))) == 1


def test_cancelling_closes_the_connection() -> None:
    class Endless(Scripted):
        async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
            try:
                yield said("1")
                await asyncio.Event().wait()
            finally:
                self.closed += 1

    source = Endless([])

    async def cancel_soon() -> None:
        async def take() -> None:
            async for _ in listen(source, "", VirtualClock(), SourceHealth("s")):
                pass

        task = asyncio.create_task(take())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_soon())
    assert source.closed == 1
