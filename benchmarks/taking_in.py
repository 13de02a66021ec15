"""What a burst of posts does to those who search, through a server as people run it.

Run: python benchmarks/taking_in.py [posts]. Made posts are handed to a server as one file, at full
speed; one client searches before, meanwhile and after. PYTHONPATH chooses the version. Prints one
line of JSON, latencies in milliseconds.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

WORDS = "earthquake harbour ferry market bread bridge storm tunnel festival school train".split()
QUIET_S = 4.0
PAUSE_S = 0.01


def main() -> None:
    """Measure, and print it."""
    posts = int(sys.argv[1]) if len(sys.argv) > 1 else 40_000
    with tempfile.TemporaryDirectory() as folder:
        capture = made(Path(folder) / "posts.jsonl", posts)
        command = [sys.executable, "-m", "fairwitness", "up", "--port", "0", "--model", "none"]
        environment = {**os.environ, "FAIRWITNESS_HOME": str(Path(folder) / "home")}
        with subprocess.Popen(
            [*command, "--json"], stdout=subprocess.PIPE, text=True, env=environment
        ) as server:
            try:
                print(json.dumps(measured(url_of(server), capture)))
            finally:
                server.send_signal(signal.SIGINT)


def made(path: Path, posts: int) -> Path:
    """Write a file of posts of twelve words."""
    dice = random.Random(1)
    with path.open("w") as file:
        for number in range(posts):
            text = f"{' '.join(dice.choices(WORDS, k=12))} {number}"
            row = {
                "id": f"{number}",
                "text": text,
                "author": f"a{number % 997}",
                "ts": 1_700_000_000,
            }
            file.write(json.dumps(row) + "\n")
    return path


def url_of(server: "subprocess.Popen[str]") -> str:
    """Return where the server says that it is."""
    assert server.stdout is not None
    told = ""
    while not told.endswith("}\n"):
        told += server.stdout.readline()
    time.sleep(2)
    url: str = json.loads(told)["url"]
    return url


def measured(url: str, capture: Path) -> dict[str, object]:
    """Return latencies before, meanwhile and after, and how fast the file went in."""
    last: dict[str, object] = {}

    def hand_in() -> None:
        body = {"path": str(capture), "network": "test"}
        with (
            httpx2.Client(base_url=url, timeout=600, trust_env=False) as client,
            client.stream("POST", "/v1/ingest", json=body) as reply,
        ):
            for line in reply.iter_lines():
                last.update(json.loads(line))

    before = searched(url, later(QUIET_S))
    taking_in = threading.Thread(target=hand_in)
    taking_in.start()
    meanwhile = searched(url, lambda: not taking_in.is_alive())
    after = searched(url, later(QUIET_S))
    told = {"before": before, "meanwhile": meanwhile, "after": after}
    return {**told, "events": last["events"], "seconds": last["seconds"]}


def later(seconds: float) -> Callable[[], bool]:
    """Return whether so many seconds have passed."""
    until_s = time.monotonic() + seconds
    return lambda: time.monotonic() > until_s


def searched(url: str, over: Callable[[], bool]) -> dict[str, float]:
    """Search again and again, and return how long it took, in milliseconds."""
    took_ms = []
    with httpx2.Client(base_url=url, timeout=60, trust_env=False) as client:
        while not over():
            began_s = time.perf_counter()
            client.get("/v1/search?q=who+ferry&limit=5").raise_for_status()
            took_ms.append((time.perf_counter() - began_s) * 1e3)
            time.sleep(PAUSE_S)
    took_ms.sort()
    shares = {"p50": 0.5, "p95": 0.95}
    found = {name: round(took_ms[int(len(took_ms) * share)], 1) for name, share in shares.items()}
    return {"searches": len(took_ms), **found, "max": round(took_ms[-1], 1)}


if __name__ == "__main__":
    main()
