import itertools
import threading
import time

import pytest

from fairwitness.engine.pool import SequencePool
from fairwitness.engine.sequence import CHUNK, Sequence, capacity_for, shared_tokens
from fairwitness.engine.turns import Turns


def prompt(chunks: int, end: int = 0) -> tuple[int, ...]:
    return (*range(chunks * CHUNK), end)


def make_pool(budget: int) -> SequencePool:
    return SequencePool(lambda: Sequence([]), budget)


def fill(sequence: Sequence, prompt_ids: tuple[int, ...]) -> None:
    """What a prefill does to the book-keeping."""
    sequence.length = len(prompt_ids)
    sequence.chunk_ids = prompt_ids[: len(prompt_ids) // CHUNK * CHUNK]
    sequence.capacity = capacity_for(sequence.length)


def serve(pool: SequencePool, prompt_ids: tuple[int, ...]) -> tuple[Sequence, int]:
    """Lease, fill and give back; return the sequence and how much of it was there already."""
    with pool.lease(prompt_ids, len(prompt_ids)) as sequence:
        warm = sequence.length
        fill(sequence, prompt_ids)
    return sequence, warm


@pytest.mark.parametrize(
    ("chunk_ids", "prompt_ids", "shared"),
    [
        ((), prompt(2), 0),
        (prompt(2)[:-1], prompt(2), 2 * CHUNK),
        (prompt(2)[:-1], prompt(2)[:-1], CHUNK),  # the last token has to run
        (prompt(2)[:-1], prompt(1), CHUNK),
        (prompt(2)[:-1], (*prompt(1)[:-1], *[7] * CHUNK, 7), CHUNK),
        (prompt(2)[:-1], (9, *prompt(2)[1:]), 0),
    ],
)
def test_whole_chunks_are_shared(chunk_ids, prompt_ids, shared):
    assert shared_tokens(chunk_ids, prompt_ids) == shared


def test_capacity_is_the_next_power_of_two():
    sizes = [capacity_for(positions) for positions in (1, 512, 513, 1024, 1025, 8192)]
    assert sizes == [512, 512, 1024, 1024, 2048, 8192]


def test_same_beginning_takes_over_the_warm_sequence():
    pool = make_pool(4096)
    first, _ = serve(pool, prompt(3))
    again, warm = serve(pool, prompt(2, end=5))
    assert again is first
    assert warm == 2 * CHUNK
    other, warm = serve(pool, (99, *prompt(3)))
    assert other is not first
    assert warm == 0


def test_coldest_is_evicted_when_the_budget_is_full():
    pool = make_pool(2 * 512)
    serve(pool, (1, *prompt(1)))
    second, _ = serve(pool, (2, *prompt(1)))
    serve(pool, (3, *prompt(1)))
    assert serve(pool, (2, *prompt(1)))[0] is second
    assert serve(pool, (1, *prompt(1)))[1] == 0


def test_sequence_of_a_failed_request_is_not_used_again():
    pool = make_pool(4096)

    def fail() -> None:
        with pool.lease(prompt(2), 300) as sequence:
            fill(sequence, prompt(2))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert serve(pool, prompt(2))[1] == 0


def test_request_larger_than_the_budget_waits_until_it_is_alone():
    pool = make_pool(512)
    order = []
    with pool.lease(prompt(1), 200):
        thread = threading.Thread(
            target=lambda: order.append(serve(pool, prompt(20))[1]), daemon=True
        )
        thread.start()
        time.sleep(0.05)
        assert order == []
    thread.join(10)
    assert order == [0]


def test_turns_are_granted_in_the_order_of_asking():
    """Two greedy threads: neither may take two turns in a row while the other waits."""
    turns, taken, start = Turns(), [], threading.Barrier(2)

    def take(name: str) -> None:
        start.wait()
        for _ in range(200):
            with turns:
                taken.append(name)
                time.sleep(0.0001)

    threads = [threading.Thread(target=take, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    changes = sum(one != other for one, other in itertools.pairwise(taken))
    assert changes > 100  # a plain lock gives a handful
