"""A source in a process of its own says the same, and neither side outlives the other."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from fairwitness.posts.apart import Apart
from fairwitness.posts.clock import SystemClock
from fairwitness.posts.post import Deleted
from fairwitness.posts.source import Gap, Source, SourceBatch, SourceLost
from fairwitness.posts.sources.jsonl import JsonlFile


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "capture.jsonl"
    lines = (f'{{"id": "{n}", "text": "post number {n}", "author": "ann"}}' for n in range(9_000))
    path.write_text("\n".join(lines) + "\n")
    return path


async def heard(source: Source, cursor: str = "") -> list[SourceBatch]:
    async with aclosing(source.batches(cursor)) as batches:
        return [batch async for batch in batches]


def ids(batches: list[SourceBatch]) -> list[str]:
    return [event.post.id for batch in batches for event in batch.events]  # type: ignore[union-attr]


def test_it_says_what_the_source_says_and_resumes_where_it_does(capture: Path) -> None:
    source = JsonlFile(capture, SystemClock())
    here, there = (asyncio.run(heard(each)) for each in (source, Apart(source)))
    assert ids(there) == ids(here)
    assert len(ids(there)) == 9_000
    assert there[-1].cursor == here[-1].cursor
    rest = asyncio.run(heard(Apart(source), there[0].cursor))
    assert ids(rest) == ids(here)[len(there[0].events) :]


@pytest.mark.parametrize("gone", ["file", "process"])
def test_why_it_ended_is_told(capture: Path, gone: str) -> None:
    source = Apart(JsonlFile(capture, SystemClock(), follow=True))

    async def listen() -> None:
        async with aclosing(source.batches("")) as batches:
            async for _ in batches:
                if gone == "process":
                    for child in children_of(os.getpid()):
                        os.kill(child, signal.SIGKILL)
                else:
                    capture.unlink(missing_ok=True)
                    return

    if gone == "process":
        with pytest.raises(SourceLost, match="has died"):
            asyncio.run(listen())
    else:
        asyncio.run(listen())
    assert not sources_left(), "the process ends with the listening"


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text().split() if is_source(child)]


def is_source(pid: str) -> bool:
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()


def sources_left() -> list[int]:
    return children_of(os.getpid())


LISTENING = """
import asyncio, sys
from pathlib import Path
from fairwitness.posts.apart import Apart
from fairwitness.posts.clock import SystemClock
from fairwitness.posts.sources.jsonl import JsonlFile

async def main():
    async for batch in Apart(JsonlFile(Path(sys.argv[1]), SystemClock(), follow=True)).batches(""):
        print(len(batch.events), flush=True)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_nobody_is_left_behind_by_a_kill(capture: Path, tmp_path: Path) -> None:
    script = tmp_path / "listening.py"
    script.write_text(LISTENING)
    with subprocess.Popen(
        [sys.executable, str(script), str(capture)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = children_of(parent.pid)
        parent.kill()
        deadline_s = time.monotonic() + 10
        while Path(f"/proc/{child}").exists() and time.monotonic() < deadline_s:
            time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


class Odd:
    """A source whose batch holds what the log could not, beside what it can."""

    name = "odd"

    def __init__(self, wrong: object) -> None:
        self._wrong = wrong

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        odd = Deleted("b", self._wrong)  # type: ignore[arg-type]
        yield SourceBatch((Deleted("a", 1), odd, Deleted("c", 3)), "x", (Gap(1, 2, "why"),), 4)


@pytest.mark.parametrize("wrong", ["two", 2**70])
def test_what_the_log_cannot_hold_is_left_out_and_counted(wrong: object) -> None:
    (batch,) = asyncio.run(heard(Apart(Odd(wrong))))
    assert batch.events == (Deleted("a", 1), Deleted("c", 3))
    assert batch.events.encoded == msgspec.msgpack.encode(tuple(batch.events))
    assert (batch.cursor, batch.gaps, batch.dropped) == ("x", (Gap(1, 2, "why"),), 5)
