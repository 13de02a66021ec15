"""Kill an ingest at random moments, many times, then say what is on disk. Run by test_kill.py.

A program of its own, so that it can fork: it starts no thread before its last child is gone. The
capture grows whenever a child reaches its end unharmed, so that on any machine there is work left
to be killed in.

    python kill_ingest.py FOLDER KILLS SEED
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
from fairwitness.index import LiveIndex
from fairwitness.posts.clock import SystemClock
from fairwitness.posts.log import read
from fairwitness.posts.post import Deleted, Edited, Posted
from fairwitness.posts.sources.jsonl import JsonlFile

BATCH = 40
ROWS_MORE = 10_000
SLICE_ROWS = 5_000
"""Small, so that slices are sealed under fire; so are the segments of the log."""
SEGMENT_BYTES = 20_000


def row(number: int) -> dict[str, object]:
    """Of ten rows eight are posts, one deletes the second of them and one edits the fifth."""
    if number % 10 == 8:
        return {"type": "deleted", "id": f"capture:capture:{number - 7}", "seen_ms": 1}
    if number % 10 == 9:
        return {"id": str(number - 5), "text": f"post {number - 5} says it is open", "ts": 1.7e9}
    return {"id": str(number), "text": f"post {number} says the bridge is closed", "ts": 1.7e9}


def grow(capture: Path, rows: int) -> int:
    """Append rows to a capture that has `rows`, and return how many it has now."""
    more = range(rows, rows + ROWS_MORE)
    with capture.open("a") as file:
        file.writelines(json.dumps(row(number)) + "\n" for number in more)
    return more.stop


def ingest(folder: Path, capture: Path, acknowledged: int) -> None:
    """Take in the capture and write down, after each acknowledgement, how many events are safe."""
    home = Home(folder, "ingest")
    home.log._segment_bytes = SEGMENT_BYTES
    home.use_clock(SystemClock())
    write = home.ingest.write

    def write_and_tell(waiting) -> None:
        write(waiting)
        known = sum(state.events for state in home.log.sources.values())
        os.write(acknowledged, f"{known}\n".encode())

    home.ingest.write = write_and_tell
    asyncio.run(home.listen([JsonlFile(capture, home.clock, name="capture", batch=BATCH)]))
    home.close()


def in_a_child(work, *args) -> int:
    """Do `work` in a process of its own, and return that process."""
    child = os.fork()
    if child == 0:
        try:
            work(*args)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return child


def run_and_kill(folder: Path, capture: Path, delay_s: float) -> tuple[int, int]:
    """Return how many events the child had acknowledged, and how it ended."""
    reading, writing = os.pipe()
    child = in_a_child(ingest, folder, capture, writing)
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
    return (int(lines[-1]) if lines else 0), status


def main() -> None:
    folder, kills, dice = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    home, capture = folder / "home", folder / "capture.jsonl"
    begin = in_a_child(lambda: LiveIndex.open(home / "index", slice_rows=SLICE_ROWS).close())
    os.waitpid(begin, 0)
    rows, killed, safe, problems = grow(capture, 0), 0, 0, []
    for _ in range(2 * kills):
        acknowledged, status = run_and_kill(home, capture, dice.uniform(0.0, 0.1))
        safe = max(safe, acknowledged)
        present = sum(len(batch.events) for _, batch in read(home / "log"))
        if present < safe:
            problems.append(f"{safe} acknowledged, {present} in the log")
        if os.WIFSIGNALED(status):
            killed += 1
        elif status:
            problems.append(f"an ingest failed: {status}")
        else:
            rows = grow(capture, rows)
        if killed == kills:
            break
    _, status = os.waitpid(in_a_child(ingest, home, capture, os.open(os.devnull, os.O_WRONLY)), 0)
    told = {"killed": killed, "rows": rows, "last": status, "problems": problems}
    print(json.dumps({**told, **on_disk(home)}))


def on_disk(folder: Path) -> dict[str, object]:
    """Count what log and index hold."""
    logged = Counter(
        (type(event).__name__, event.id if isinstance(event, Deleted) else event.post.id)
        for _, batch in read(folder / "log")
        for event in batch.events
    )
    kinds = Counter(kind for kind, _ in logged)
    home = Home(folder, "check")
    stats, get = home.index.stats(), home.index.get
    posts = {id: get(id) for kind, id in logged if kind == Posted.__name__}
    edited = [posts[id] for kind, id in logged if kind == Edited.__name__]
    home.close()
    return {
        "twice": [each for each, count in logged.items() if count > 1][:5],
        "posted": kinds[Posted.__name__],
        "edited": kinds[Edited.__name__],
        "deleted": kinds[Deleted.__name__],
        "found": sum(post is not None for post in posts.values()),
        "found_edited": sum(post is not None and "open" in post.text for post in edited),
        "indexed": stats.posts,
        "versions": stats.versions,
        "slices": stats.slices,
        "segments": len(list((folder / "log").glob("*.log"))),
    }


if __name__ == "__main__":
    main()
