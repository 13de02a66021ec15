"""A full disk blocks the taking in, and that ends by itself."""

import asyncio
import errno
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from fairwitness.home import Home, IntakeReport
from fairwitness.home.intake import Intake
from fairwitness.index import IndexDiskFull, LiveIndex
from fairwitness.posts import segment
from fairwitness.posts.log import LogError
from fairwitness.posts.post import Event, Post, Posted
from fairwitness.posts.records import SourceState
from fairwitness.posts.source import SourceBatch


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


@contextmanager
def taking_in(folder: Path) -> Iterator[tuple[Home, Intake]]:
    """Take in a home what a source says, in a thread with an event loop of its own."""
    home = Home(folder, "test")
    intake, ended = Intake(home, [Ticking()], retry_s=0.1), threading.Event()

    async def run() -> None:
        intake.begin()
        await asyncio.to_thread(ended.wait)
        await intake.stop()

    thread = threading.Thread(target=asyncio.run, args=[run()])
    thread.start()
    try:
        yield home, intake
    finally:
        ended.set()
        thread.join(20)
        assert not thread.is_alive()
        home.close()


def until(true: Callable[[], object]) -> None:
    until_s = time.monotonic() + 10
    while not true():
        assert time.monotonic() < until_s, "waited in vain"
        time.sleep(0.01)


def heard(home: Home) -> SourceState:
    until(lambda: "ticking" in home.log.sources)
    return home.log.sources["ticking"]


def test_a_full_disk_blocks_the_taking_in_until_there_is_room(tmp_path, monkeypatch) -> None:
    write_all, full = segment.write_all, threading.Event()

    def write(descriptor: int, data: bytes) -> None:
        if full.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(descriptor, data)

    monkeypatch.setattr(segment, "write_all", write)
    with taking_in(tmp_path) as (home, intake):
        heard(home)
        full.set()
        until(lambda: intake.report().state == "blocked")
        assert "no room left" in intake.report().problem
        stood_at = heard(home).events
        full.clear()
        until(lambda: heard(home).events > stood_at + 5)
        assert intake.report() == IntakeReport("running", "")
        assert heard(home).events == int(heard(home).cursor), "nothing was lost, nothing is twice"


def test_what_the_index_had_no_room_for_is_found_once_it_has(tmp_path, monkeypatch) -> None:
    apply, full = LiveIndex.apply, threading.Event()

    def apply_if_room(index: LiveIndex, events: Sequence[Event], position: int) -> object:
        if full.is_set():
            raise IndexDiskFull("no room on the disk for the index")
        return apply(index, events, position)

    monkeypatch.setattr(LiveIndex, "apply", apply_if_room)
    with taking_in(tmp_path) as (home, intake):
        heard(home)
        full.set()
        until(lambda: intake.report().state == "blocked")
        logged = int(heard(home).cursor)
        assert home.index.get(f"tick:{logged}") is None, "on disk, and not yet in the index"
        full.clear()
        until(lambda: intake.report().state == "running")
        known = [home.index.get(f"tick:{number}") for number in range(1, logged + 1)]
        assert None not in known


def test_what_breaks_the_taking_in_for_good_is_told(tmp_path, monkeypatch, caplog) -> None:
    fdatasync, broken = os.fdatasync, threading.Event()

    def sync(descriptor: int) -> None:
        if broken.is_set():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fdatasync(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)
    closing = pytest.raises(LogError, match="cannot sync log")
    with closing, taking_in(tmp_path) as (_, intake):
        broken.set()
        until(lambda: intake.report().state == "failed")
        assert "cannot sync log" in intake.report().problem
    assert "taking in has failed" in caplog.text
