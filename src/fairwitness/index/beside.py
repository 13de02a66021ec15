"""Beside the work that somebody waits for: syncs at once, and threads that give way."""

import os
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

_GIVING_WAY = 5
"""How much nicer than the rest. A thread that gives way more may hold the GIL and not run, with two
cores busy, for as long as a question takes."""
_NICEST = 19
_AT_ONCE = 8


def at_once(works: Iterable[Callable[[], None]]) -> None:
    """Do what waits for the disk, all at once; the disk then waits once for what it can together.

    Raises what went wrong first, when all have ended.
    """
    with ThreadPoolExecutor(_AT_ONCE, "at once") as pool:
        doing = [pool.submit(work) for work in works]
    for each in doing:
        each.result()


def thread(work: Callable[[], None], name: str) -> threading.Thread:
    """Begin a thread that gives way to all others, of other processes too."""

    def nicely() -> None:
        give_way()
        work()

    begun = threading.Thread(target=nicely, name=name)
    begun.start()
    return begun


def give_way() -> None:
    """Let this thread run after others, where threads have a niceness of their own."""
    if sys.platform == "linux":
        mine = threading.get_native_id()
        nicer = os.getpriority(os.PRIO_PROCESS, mine) + _GIVING_WAY
        os.setpriority(os.PRIO_PROCESS, mine, min(nicer, _NICEST))
