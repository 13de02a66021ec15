"""The scheduler over a model of arithmetic: what a position holds follows from all tokens up to it.

Whatever is shared, preempted, guessed or cancelled, each row must find in its pages what its own
tokens would have put there, and each answer must be the one that its request gets alone.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.engine.draft import FORM, Guess
from fairwitness.engine.ledger import Ledger
from fairwitness.engine.prefix import Node, PrefixTree
from fairwitness.engine.scheduler import QueueFullError, Rules, Scheduler, TooLargeError
from fairwitness.engine.sequence import Piece, Propose, Sequence

SIZE = 4


def state_of(ids: list[int]) -> int:
    state = 7
    for token in ids:
        state = (state * 1_000_003 + token + 1) % 2**61
    return state


def next_of(ids: list[int]) -> int:
    return state_of(ids) // 16 % 3


def alone(prompt: tuple[int, ...], limit: int) -> list[int]:
    ids = list(prompt)
    while len(ids) < limit:
        ids.append(next_of(ids))
    return ids


def rules(pages: int, **settings: object) -> Rules:
    return Rules(SIZE, **{"pages": pages, "budget": pages, **settings})


def sequence(prompt: tuple[int, ...], limit: int, guess: Propose | None = None) -> Sequence:
    return Sequence(list(prompt), len(prompt), limit, len(prompt) - 1, propose=guess, ends=())


def guessed(ids: tuple[int, ...]) -> Guess:
    return Guess(ids, (FORM,) * len(ids))


def propose(ids: list[int], most: int) -> Guess:
    """Right, wrong, or short, by what stands there."""
    guess = list(ids)
    for place in range(most - len(ids) % 2):
        guess.append((next_of(guess) + (len(guess) * place % 5 == 4)) % 3)
    return guessed(tuple(guess[len(ids) :]))


@dataclass
class World:
    """Steps a scheduler over pages that remember what was put into them."""

    scheduler: Scheduler
    memory: dict[tuple[int, int], int] = field(default_factory=dict)
    finished: list[Sequence] = field(default_factory=list)

    def step(self) -> list[Piece]:
        pieces = self.scheduler.plan()
        self.check_pages()
        told = [(piece, self.run(piece)) for piece in pieces]
        for piece, chosen in told:
            self.scheduler.ran(piece, chosen)
            if len(piece.sequence.ids) >= piece.sequence.limit:
                self.finished.append(piece.sequence)
                self.scheduler.release(piece.sequence)
        self.check_pages()
        return pieces

    def run(self, piece: Piece) -> list[int]:
        size, table = self.scheduler.rules.page_size, piece.sequence.table
        self.check_cut(piece)
        known = piece.sequence.ids[: piece.start]
        for place in range(piece.start):
            held = self.memory[table[place // size], place % size]
            assert held == state_of(known[: place + 1])
        for i in range(len(piece.ids)):
            place = piece.start + i
            state = state_of([*known, *piece.ids[: i + 1]])
            self.memory[table[place // size], place % size] = state
        chosen: list[int] = []
        for i in range(len(piece.ids) - piece.wants, len(piece.ids)):
            chosen.append(next_of([*known, *piece.ids[: i + 1]]))
            if len(piece.sequence.ids) + len(chosen) >= piece.sequence.limit:
                break
            if i + 1 < len(piece.ids) and piece.ids[i + 1] != chosen[-1]:
                break
        return [*chosen, *self.go_on(piece, [*known, *piece.ids, *chosen])]

    def go_on(self, piece: Piece, ids: list[int]) -> list[int]:
        """A piece that may go on by itself does so for a while."""
        size, table = self.scheduler.rules.page_size, piece.sequence.table
        steps = state_of(ids) % (piece.more + 1)
        for place in range(len(ids) - 1, len(ids) - 1 + steps):
            assert self.scheduler.running == [piece.sequence]
            self.memory[table[place // size], place % size] = state_of(ids)
            ids = [*ids, next_of(ids)]
        return ids[len(ids) - steps :]

    def check_cut(self, piece: Piece) -> None:
        """A model that is not exact gets the same pieces whoever else is served."""
        if self.scheduler.rules.is_exact:
            return
        prompt_tokens = piece.sequence.prompt_tokens
        if piece.start < prompt_tokens:
            assert piece.start % SIZE == 0
            assert len(piece.ids) == min(SIZE, prompt_tokens - piece.start)
        else:
            assert len(piece.ids) == 1
        assert piece.sequence.shared * SIZE <= prompt_tokens

    def check_tree(self, node: Node, before: list[int]) -> None:
        """What the tree promises is there."""
        for child in node.children.values():
            ids = [*before, *child.ids]
            for i in range(SIZE):
                assert self.memory[child.page, i] == state_of(ids[: len(before) + i + 1])
            self.check_tree(child, ids)

    def check_pages(self) -> None:
        self.check_tree(self.scheduler.tree.root, [])
        ledger, running = self.scheduler.ledger, self.scheduler.running
        held = {page for each in running for page in each.table}
        assert ledger.free + ledger.held + ledger.cached == ledger.count
        assert ledger.held == len(held)
        assert all(ledger.is_held(page) for page in held)
        assert all(not each.table for each in self.scheduler.waiting)


REQUEST = st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=20), st.integers(1, 12))


@settings(max_examples=150, deadline=None)
@given(
    requests=st.lists(REQUEST, min_size=1, max_size=12),
    pages=st.integers(8, 24),
    budget=st.integers(1, 24),
    rows=st.integers(1, 12),
    together=st.integers(1, 5),
    drafts=st.booleans(),
    ahead=st.integers(0, 5),
    is_exact=st.booleans(),
    data=st.data(),
)
def test_everybody_gets_what_they_would_get_alone(
    requests, pages, budget, rows, together, drafts, ahead, is_exact, data
):
    # what is not exact never goes on by itself
    told = Rules(
        SIZE, pages, min(budget, pages), is_exact, rows, 6, together, ahead=ahead * is_exact
    )
    world = World(Scheduler(told))
    cancelled = []
    for prompt, more in requests:
        guess = propose if drafts else None
        world.scheduler.submit(sequence(tuple(prompt), len(prompt) + more, guess))
        for _ in range(data.draw(st.integers(0, 4), label="steps")):
            world.step()
        if world.scheduler.running and data.draw(st.booleans(), label="cancel"):
            cancelled.append(world.scheduler.running[-1])
            world.scheduler.release(cancelled[-1])
            world.check_pages()
    for _ in range(3000):
        if not world.step():
            break
    assert not world.scheduler.waiting
    assert world.scheduler.ledger.held == 0
    assert len(world.finished) + len(cancelled) == len(requests)
    for each in world.finished:
        assert each.ids == alone(tuple(each.ids[: each.prompt_tokens]), each.limit)
    world.scheduler.tree.clear()
    assert world.scheduler.ledger.free == pages


@settings(max_examples=60, deadline=None)
@given(requests=st.lists(REQUEST, min_size=1, max_size=8), pages=st.integers(8, 12))
def test_first_come_is_first_let_in(requests, pages):
    world = World(Scheduler(rules(pages, prompt_rows=5)))
    asked = [sequence(tuple(prompt), len(prompt) + more) for prompt, more in requests]
    for each in asked:
        world.scheduler.submit(each)
    order: list[Sequence] = []
    while pieces := world.step():
        order += [p.sequence for p in pieces if p.sequence not in order]
    assert order == asked


def test_same_beginning_is_run_once_also_by_those_who_came_together():
    world = World(Scheduler(rules(64, prompt_rows=8)))
    shared = (1, 2, 0, 1) * 8
    for end in range(3):
        world.scheduler.submit(sequence((*shared, end), 40))
    rows = sum(len(piece.ids) for _ in range(6) for piece in world.step() if piece.ids[1:])
    assert rows < len(shared) + 3 * 8
    assert world.scheduler.counts.shared_tokens >= 2 * (len(shared) - 8)


def test_out_of_pages_in_mid_answer_the_youngest_stands_back_and_comes_again():
    world = World(Scheduler(rules(8)))
    old, young = sequence((1,) * 8, 30), sequence((2,) * 8, 30)
    world.scheduler.submit(old)
    world.scheduler.submit(young)
    while world.step():
        pass
    assert world.scheduler.counts.preemptions > 0
    assert world.finished == [old, young]
    assert young.ids == alone((2,) * 8, 30)


def test_who_stood_back_comes_before_those_who_wait():
    world = World(Scheduler(rules(8, together=2)))
    asked = [sequence((token,) * 8, 30) for token in range(3)]
    for each in asked:
        world.scheduler.submit(each)
    while not world.scheduler.counts.preemptions:
        world.step()
    assert list(world.scheduler.waiting) == asked[1:]
    while world.step():
        pass
    assert world.finished == asked


def test_what_was_touched_longest_ago_is_evicted_first_from_its_end():
    ledger = Ledger(4)
    tree = PrefixTree(ledger)
    first = tree.add(tree.root, (1, 1), ledger.take())
    tree.add(first, (1, 2), ledger.take())
    tree.add(tree.root, (2, 2), ledger.take())
    for page in range(3):
        ledger.drop(page)
    assert len(tree.walk([1, 1, 1, 2], 2)) == 2
    assert tree.evict()
    assert tree.walk([2, 2], 2) == []
    assert tree.evict()
    assert tree.walk([1, 1, 1, 2], 2) == [first]
    assert tree.evict()
    assert not tree.evict()
    assert ledger.free == 4


def test_a_thousand_requests_queue_and_one_more_is_told_to_come_later():
    scheduler = Scheduler(rules(64, waiting=1000))
    for _ in range(1000):
        scheduler.submit(sequence((1, 2), 3))
    with pytest.raises(QueueFullError, match="1000 requests wait already"):
        scheduler.submit(sequence((1, 2), 3))
    world = World(scheduler)
    while world.step():
        pass
    assert len(world.finished) == 1000
    assert scheduler.counts.refused == 1


def test_what_never_fits_is_refused_at_once():
    scheduler = Scheduler(rules(4))
    with pytest.raises(TooLargeError, match="17 tokens need 5 pages, the engine has 4"):
        scheduler.submit(sequence((1,), 17))


def test_expired_are_those_whose_deadline_has_passed():
    scheduler = Scheduler(rules(16))
    late, patient = sequence((1, 2), 9), sequence((1, 2), 9)
    late.deadline_s = 5.0
    scheduler.submit(late)
    scheduler.submit(patient)
    assert scheduler.expired(4.9) == []
    assert scheduler.expired(5.0) == [late]


def test_wrong_guesses_become_few_and_right_ones_many():
    def perfect(ids: list[int], most: int) -> Guess:
        return guessed(tuple(alone(tuple(ids), len(ids) + most)[len(ids) :]))

    def hopeless(ids: list[int], most: int) -> Guess:
        return guessed(((next_of(ids) + 1) % 3,) * most)

    steps = {}
    for name, guess in (("none", None), ("right", perfect), ("wrong", hopeless)):
        world = World(Scheduler(rules(64)))
        world.scheduler.submit(sequence((1, 2), 80, guess))
        while world.step():
            pass
        steps[name] = world.scheduler.counts
    assert steps["right"].steps < 12
    assert steps["none"].steps == steps["wrong"].steps == 78
    assert steps["wrong"].rows < 2 * 78 + 10
    assert steps["right"].accepted_tokens == steps["right"].drafted_tokens


def test_ledger_shares_a_page_among_holders_and_the_tree():
    ledger = Ledger(2)
    page = ledger.take()
    ledger.hold(page)
    ledger.keep(page)
    ledger.drop(page)
    assert (ledger.free, ledger.held, ledger.cached) == (1, 1, 0)
    ledger.drop(page)
    assert (ledger.free, ledger.held, ledger.cached) == (1, 0, 1)
    ledger.forget(page)
    assert (ledger.free, ledger.held, ledger.cached) == (2, 0, 0)


def test_the_same_tokens_stand_in_the_tree_once():
    ledger = Ledger(3)
    tree = PrefixTree(ledger)
    first, second = ledger.take(), ledger.take()
    node = tree.add(tree.root, (1, 2), first)
    assert tree.add(tree.root, (1, 2), second) is node
    assert tree.add(node, (1, 2), second).page == second
    assert [each.page for each in tree.walk([1, 2, 1, 2, 1], 2)] == [first, second]
