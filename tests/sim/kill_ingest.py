"""Kill an ingest at random moments, many times, then say what is on disk. Run by test_kill.py.

A program of its own, so that it can fork: it starts no thread before its last child is gone.

    python kill_ingest.py HOME CAPTURE KILLS SEED
"""

import asyncio
import json
import os
import random
import select
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from fairwitness.home import Home
from fairwitness.posts.clock import SystemClock
from fairwitness.posts.log import read
from fairwitness.posts.post import Posted
from fairwitness.posts.sources.jsonl import JsonlFile

BATCH = 40


def ingest(folder: Path, capture: Path, acknowledged: int) -> None:
    """Take in the capture and write down, after each acknowledgement, how many posts are safe."""
    home = Home(folder, "ingest")
    home.use_clock(SystemClock())
    write = home.ingest.write
    known = sum(state.events for state in home.log.sources.values())

    def write_and_tell(waiting) -> None:
        nonlocal known
        write(waiting)
        known = sum(state.events for state in home.log.sources.values())
        os.write(acknowledged, f"{known}\n".encode())

    home.ingest.write = write_and_tell
    asyncio.run(home.listen([JsonlFile(capture, home.clock, name="capture", batch=BATCH)]))
    home.close()


def run_and_kill(folder: Path, capture: Path, delay_s: float) -> tuple[int, bool]:
    """Return how many posts the child had acknowledged, and whether it was killed in its work."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        ingest(folder, capture, writing)
        os._exit(0)
    os.close(writing)
    # The clock of the kill starts at the first acknowledgement, or soon without one: so kills hit
    # recovery, the middle of writing, and everything between.
    select.select([reading], [], [], delay_s * 3)
    time.sleep(delay_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    told = b""
    while chunk := os.read(reading, 65536):
        told += chunk
    os.close(reading)
    lines = told.decode().splitlines()
    return (int(lines[-1]) if lines else 0), os.WIFSIGNALED(status)


def main() -> None:
    folder, capture = Path(sys.argv[1]), Path(sys.argv[2])
    kills, dice = int(sys.argv[3]), random.Random(int(sys.argv[4]))
    killed, safe, problems = 0, 0, []
    for _ in range(kills):
        acknowledged, was_killed = run_and_kill(folder, capture, dice.uniform(0.0, 0.1))
        killed += was_killed
        safe = max(safe, acknowledged)
        present = sum(len(batch.events) for _, batch in read(folder / "log"))
        if present < safe:
            problems.append(f"{safe} acknowledged, {present} in the log")
    last = os.fork()
    if last == 0:
        devnull = os.open(os.devnull, os.O_WRONLY)
        ingest(folder, capture, devnull)
        os._exit(0)
    os.waitpid(last, 0)
    print(json.dumps({"killed": killed, "problems": problems, **on_disk(folder, capture)}))


def on_disk(folder: Path, capture: Path) -> dict[str, object]:
    """Compare log and index with the capture."""
    wanted = [json.loads(line)["id"] for line in capture.read_text().splitlines()]
    logged = Counter(
        event.post.id
        for _, batch in read(folder / "log")
        for event in batch.events
        if isinstance(event, Posted)
    )
    home = Home(folder, "check")
    stats = home.index.stats()
    found = [id for id in logged if home.index.get(id) is not None]
    home.close()
    return {
        "wanted": len(wanted),
        "logged": len(logged),
        "twice": [id for id, count in logged.items() if count > 1][:5],
        "indexed": stats.posts,
        "versions": stats.versions,
        "found": len(found),
    }


if __name__ == "__main__":
    main()
