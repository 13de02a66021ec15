"""A writer for the test of saved trends to kill: a quiet hour in which something then bursts."""

import random
import sys
from pathlib import Path

from fairwitness.index import LiveIndex, notice
from fairwitness.posts.post import Event, Post, Posted

TICKS, BURST_AT, A_TICK = 110, 80, 30
WORDS = [f"word{n}" for n in range(400)]


def made_up_log() -> list[list[Event]]:
    """Return one batch for every tick of five seconds."""
    dice = random.Random(3)
    return [[_posted(dice, tick, n) for n in range(A_TICK)] for tick in range(TICKS)]


def _posted(dice: random.Random, tick: int, n: int) -> Event:
    said = " ".join(dice.choices(WORDS, k=6))
    if tick >= BURST_AT and n % 2:
        said += " landslide #valley"
    at_ms = 1_000_000_000 + tick * 5_000 + n
    post = Post(
        id=f"{tick}-{n}", network="x", author="a", author_id=f"a{dice.randrange(10_000)}",
        text=said, created_ms=at_ms, seen_ms=at_ms, lang="en",
    )  # fmt: skip
    return Posted(post)


def work(index: LiveIndex) -> None:
    log = made_up_log()
    for position in range(index.position, TICKS):
        index.apply(log[position], position + 1)
        if position % 6 == 5:
            index.checkpoint()
            print(index.position, flush=True)
    index.refresh()


if __name__ == "__main__":
    notice._SAVE_S = float(sys.argv[2])
    work(LiveIndex.open(Path(sys.argv[1]), slice_rows=1_000))
