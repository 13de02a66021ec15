"""A writer for the recovery test to kill: works through a made-up log from where the index is."""

import random
import sys
from pathlib import Path

from fairwitness.index import LiveIndex
from fairwitness.posts.post import AccountGone, Deleted, Edited, Engagement, Event, Post, Posted

BATCHES = 260
SLICE_ROWS = 500
WORDS = "fire flood storm quake smoke rain".split()


def made_up_log() -> list[list[Event]]:
    """Return the same events every time; many tell of few posts."""
    dice = random.Random(5)
    return [[_event(dice, at * 20 + n) for n in range(20)] for at in range(BATCHES)]


def _event(dice: random.Random, moment_ms: int) -> Event:
    id = f"id{dice.randrange(moment_ms + 10)}"
    chance = dice.random()
    if chance < 0.05:
        return Deleted(id, moment_ms)
    if chance < 0.052:
        return AccountGone("x", f"author{dice.randrange(40)}", moment_ms)
    post = Post(
        id=id,
        network="x",
        author="a",
        author_id=f"author{int(id[2:]) % 40}",
        text=" ".join(dice.choices(WORDS, k=3)),
        created_ms=moment_ms,
        seen_ms=moment_ms,
        engagement=Engagement(likes=dice.choice([-1, moment_ms])),
    )
    return Posted(post) if chance < 0.8 else Edited(post)


def work(index: LiveIndex) -> None:
    log = made_up_log()
    for position in range(index.position, BATCHES):
        index.apply(log[position], position + 1)
        if position % 5 == 0:
            index.refresh()
        if position % 4 == 0:
            index.checkpoint()
            print(index.position, flush=True)


if __name__ == "__main__":
    opened = LiveIndex.open(Path(sys.argv[1]), slice_rows=SLICE_ROWS)
    print(opened.position, flush=True)
    work(opened)
