"""Work beside the work: all of it is done, and gives way."""

import os
import sys
import threading
from functools import partial

import pytest

from fairwitness.index import beside


def test_all_is_done_at_once_and_the_first_failure_is_raised() -> None:
    together, done = threading.Barrier(3), []

    def work(number: int) -> None:
        together.wait(10)  # breaks unless all three are under way
        done.append(number)
        if number:
            raise OSError(number)

    with pytest.raises(OSError, match="1"):
        beside.at_once(partial(work, number) for number in range(3))
    assert sorted(done) == [0, 1, 2]
    beside.at_once([])


@pytest.mark.skipif(sys.platform != "linux", reason="threads share a niceness elsewhere")
def test_a_thread_gives_way_and_no_other_does() -> None:
    told: list[int] = []
    before = os.getpriority(os.PRIO_PROCESS, 0)

    def work() -> None:
        told.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    beside.thread(work, "nice").join()
    assert told == [min(before + 5, 19)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
