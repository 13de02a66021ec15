"""A full disk blocks the taking in, not the reading, and ends by itself."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Sequence

import pytest

from fairwitness.index import IndexDiskFull, LiveIndex
from fairwitness.posts import segment
from fairwitness.posts.log import LogError
from fairwitness.posts.post import Event, Post, Posted
from fairwitness.posts.source import SourceBatch
from fairwitness.server.intake import Intake


class Ticking:
    """A source that says something new all the time; its cursor is how many it said."""

    name = "ticking"

    async def batches(self, cursor: str) -> AsyncIterator[SourceBatch]:
        number = int(cursor or 0)
        while True:
            number += 1
            said = Post(
                id=f"tick:{number}",
                network="test",
                author="clock",
                author_id="clock",
                text=f"Tick number {number} of the harbour clock.",
                created_ms=number,
                seen_ms=number,
            )
            yield SourceBatch((Posted(said),), str(number))
            await asyncio.sleep(0.01)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Intake.__init__, "__defaults__", (0.1,))


def test_sources_are_heard_and_found_while_the_server_runs(tmp_path, serving, wait_until) -> None:
    with serving(tmp_path / "home", sources=[Ticking()]) as running:
        wait_until(lambda: running.house.home.index.stats().posts > 10)
        status = running.client.get("/v1/status").json()
        assert status["intake"] == {"state": "running", "problem": ""}
        assert {s["name"]: s["state"] for s in status["sources"]}["ticking"] == "live"
        replay = running.client.post("/v1/replay", json={"path": "/nowhere"})
        assert replay.status_code == 409
        assert "live sources" in replay.json()["error"]["message"]


def test_a_full_disk_blocks_the_taking_in_and_not_the_reading(
    tmp_path, serving, wait_until, monkeypatch, quick_retries
) -> None:
    write_all, full = segment.write_all, asyncio.Event()

    def write(descriptor: int, data: bytes) -> None:
        if full.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(descriptor, data)

    monkeypatch.setattr(segment, "write_all", write)
    with serving(tmp_path / "home", sources=[Ticking()]) as running:
        home, intake = running.house.home, running.house.intake
        wait_until(lambda: home.log.sources.get("ticking") is not None)
        full.set()
        wait_until(lambda: intake.report().state == "blocked")
        assert "no room left" in running.client.get("/v1/status").json()["intake"]["problem"]
        assert running.client.get("/readyz").status_code == 503
        assert running.client.get("/healthz").status_code == 200
        question = {"question": "Who gives bread away?"}
        assert not running.client.post("/v1/ask", json=question).json()["abstained"]
        stood_at = home.log.sources["ticking"].events
        full.clear()
        wait_until(lambda: home.log.sources["ticking"].events > stood_at + 5)
        assert running.client.get("/readyz").status_code == 200
        cursor = int(home.log.sources["ticking"].cursor)
        assert home.log.sources["ticking"].events == cursor, "nothing was lost and nothing is twice"


def test_what_the_index_had_no_room_for_is_found_once_it_has(
    tmp_path, serving, wait_until, monkeypatch, quick_retries
) -> None:
    apply, full = LiveIndex.apply, asyncio.Event()

    def apply_if_room(index: LiveIndex, events: Sequence[Event], position: int) -> object:
        if full.is_set():
            raise IndexDiskFull("no room on the disk for the index")
        return apply(index, events, position)

    monkeypatch.setattr(LiveIndex, "apply", apply_if_room)
    with serving(tmp_path / "home", sources=[Ticking()]) as running:
        home, intake = running.house.home, running.house.intake
        wait_until(lambda: home.log.sources.get("ticking") is not None)
        full.set()
        wait_until(lambda: intake.report().state == "blocked")
        logged = int(home.log.sources["ticking"].cursor)
        assert home.index.get(f"tick:{logged}") is None, "on disk, and not yet in the index"
        full.clear()
        wait_until(lambda: intake.report().state == "running")
        known = [home.index.get(f"tick:{number}") for number in range(1, logged + 1)]
        assert None not in known


def test_what_breaks_the_taking_in_for_good_is_told(
    tmp_path, serving, wait_until, monkeypatch, caplog
) -> None:
    fdatasync, broken = os.fdatasync, asyncio.Event()

    def sync(descriptor: int) -> None:
        if broken.is_set():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fdatasync(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)
    closing = pytest.raises(LogError, match="cannot sync log")
    with closing, serving(tmp_path / "home", sources=[Ticking()]) as running:
        broken.set()
        wait_until(lambda: running.house.intake.report().state == "failed")
        problem = running.client.get("/readyz").json()["intake"]["problem"]
        assert "cannot sync log" in problem
        assert running.client.get("/v1/search").status_code == 200
    assert "taking in has failed" in caplog.text
