"""Who runs in the next step, on which pages: plain data, no clock, no model.

A step joins a row of every sequence that writes (and guessed rows, where there is room for them)
with pieces of prompts, oldest first. Who came first is let in first. When pages run out, what only
the prefix tree keeps goes first, then the youngest sequence stands back and is run again later from
its tokens: the same rows give the same bits, so nobody can tell.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from fairwitness.engine.ledger import Ledger
from fairwitness.engine.prefix import Node, PrefixTree
from fairwitness.engine.request import EngineError
from fairwitness.engine.sequence import Piece, Sequence

PROMPT_ROWS = 256  # of prompts in one step: enough for arithmetic, and nobody waits long
DRAFT_ROWS = 16  # of those who write and of guesses in one step
STEP_COSTS = (
    *(1.00, 1.11, 1.48, 1.57, 2.06, 2.30, 2.40, 2.46),
    *(2.81, 3.15, 3.30, 3.40, 3.43, 3.45, 3.50, 3.56),
)  # of a step of one row: what a step of so many takes
AHEAD = 8  # steps of one who writes alone, before anybody else is looked for
TOGETHER = 64  # sequences in a step
WAITING = 1024  # requests that may queue


class QueueFullError(EngineError):
    """More requests wait than the engine takes; try again later."""


class TooLargeError(EngineError):
    """A request that needs more pages than there are."""


@dataclass(frozen=True)
class Rules:
    """How steps are made up.

    `is_exact` says of the model that a row's bits follow from what stands before it alone, however
    it is cut: else prompts are cut at fixed places, only they are shared, and nothing is guessed.
    """

    page_size: int
    pages: int
    """All there are."""
    budget: int
    """What may be held and cached; whoever is alone may go beyond."""
    is_exact: bool = True
    prompt_rows: int = PROMPT_ROWS
    draft_rows: int = DRAFT_ROWS
    together: int = TOGETHER
    waiting: int = WAITING
    ahead: int = 0
    """Tokens that a sequence which writes alone may take by itself behind the next one."""


@dataclass
class Counts:
    """What happened so far."""

    steps: int = 0
    rows: int = 0
    prompt_tokens: int = 0
    shared_tokens: int = 0  # of prompts, found in the prefix tree
    written_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0  # of the drafted
    preemptions: int = 0
    refused: int = 0


class Scheduler:
    """`plan` a step, run it, tell what each piece `ran` to; `release` who is done or gone."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.ledger = Ledger(rules.pages)
        self.tree = PrefixTree(self.ledger)
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []  # in the order of admission
        self.counts = Counts()
        self.is_open = True  # else only those are let in who have begun

    def submit(self, sequence: Sequence) -> None:
        """Queue a sequence.

        Raises:
            QueueFullError: too many wait already.
            TooLargeError: it could not run even if it were alone.
        """
        needed = self._pages_for(sequence.limit)
        if needed > self.ledger.count:
            self.counts.refused += 1
            raise TooLargeError(
                f"{sequence.limit} tokens need {needed} pages, the engine has {self.ledger.count}"
            )
        if len(self.waiting) >= self.rules.waiting:
            self.counts.refused += 1
            raise QueueFullError(f"{len(self.waiting)} requests wait already, try again later")
        self.waiting.append(sequence)
        self.counts.prompt_tokens += sequence.prompt_tokens

    def release(self, sequence: Sequence) -> None:
        """A sequence is finished, or nobody wants it: its pages are free, or cached."""
        if sequence.is_over:
            return
        sequence.is_over = True
        if sequence in self.running:
            self.running.remove(sequence)
            self._give_back(sequence)
        else:
            self.waiting.remove(sequence)

    def expired(self, now_s: float) -> list[Sequence]:
        """Those whose deadline has passed; the caller tells them, and releases them."""
        return [each for each in (*self.waiting, *self.running) if each.deadline_s <= now_s]

    @property
    def is_idle(self) -> bool:
        """Whether nobody is in the midst of something: nobody runs or stands back."""
        return not self.running and not any(each.has_begun for each in self.waiting)

    def plan(self) -> list[Piece]:
        """The pieces of the next step; none if there is nothing to do."""
        self._admit()
        pieces = list(self._writing())
        room = self.rules.prompt_rows
        for sequence in self.running:
            if room == 0:
                break
            if sequence.is_writing:
                continue
            self._catch_up(sequence)
            piece = self._cut(sequence, room)
            room -= min(room, len(piece.ids))
            pieces.append(piece)
        self.counts.steps += bool(pieces)
        self.counts.rows += sum(len(piece.ids) for piece in pieces)
        return pieces

    def ran(self, piece: Piece, chosen: list[int]) -> None:
        """A piece was run; `chosen` are the tokens that its wanted rows gave, up to and with the
        first that differs from the guess in the next row."""
        sequence = piece.sequence
        if sequence.is_over:
            return
        if piece.drafted:
            self._count_draft(sequence, piece.drafted, len(chosen) - 1)
        sequence.done = piece.start + len(piece.ids) - piece.drafted
        if chosen:
            if piece.more:
                self.counts.steps += len(chosen) - 1
                self.counts.rows += len(chosen) - 1
            sequence.ids += chosen
            sequence.done += len(chosen) - 1
            self.counts.written_tokens += len(chosen)
        sequence.wanted_from = max(sequence.wanted_from, sequence.done)
        self._share(sequence)

    # ── letting in and standing back ─────────────────────────────────────────────────────────────

    def _admit(self) -> None:
        while len(self.running) < self.rules.together:
            may = (each for each in self.waiting if self.is_open or each.has_begun)
            sequence = next(may, None)
            if sequence is None or not self._fits(sequence):
                return
            self.waiting.remove(sequence)
            self.running.append(sequence)
            sequence.node, sequence.shared = self.tree.root_of(sequence.adapter), 0
            self._catch_up(sequence)
            while len(sequence.table) < self._pages_for(len(sequence.ids)):
                assert self._make_room(sequence)
                sequence.table.append(self.ledger.take())

    def _fits(self, sequence: Sequence) -> bool:
        """Whether its tokens so far fit, and a page more for everybody who runs; alone it does."""
        if not self.running:
            return True
        ids = sequence.ids[: self._sharable(sequence)]
        known = self.tree.walk(ids, self.rules.page_size, sequence.adapter)
        shared = sum(self.ledger.is_held(node.page) for node in known)
        needed = self._pages_for(len(sequence.ids)) - shared + len(self.running)
        return needed <= self.rules.budget - self.ledger.held

    def _make_room(self, sequence: Sequence) -> bool:
        """Whether the sequence may take a page now; something cached may go for it."""
        if self.ledger.count - self.ledger.free < self.rules.budget or self.tree.evict():
            return True
        return self.running == [sequence] and self.ledger.free > 0

    def _grow(self, sequence: Sequence) -> bool:
        """See that the next position has a page; false if the sequence itself had to stand back."""
        while self._pages_for(sequence.done + 1) > len(sequence.table):
            if self._make_room(sequence):
                sequence.table.append(self.ledger.take())
                continue
            youngest = self.running[-1]
            self._stand_back(youngest)
            if youngest is sequence:
                return False
        return True

    def _stand_back(self, sequence: Sequence) -> None:
        self.counts.preemptions += 1
        sequence.has_begun = True
        self.running.remove(sequence)
        self._give_back(sequence)
        self.waiting.appendleft(sequence)

    def _give_back(self, sequence: Sequence) -> None:
        for page in sequence.table:
            self.ledger.drop(page)
        sequence.table, sequence.done = [], 0
        sequence.node, sequence.shared = None, 0

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────

    def _writing(self) -> Iterator[Piece]:
        """A row of each sequence that writes, and what is guessed to follow."""
        writing = [each for each in self.running if each.is_writing]
        room = max(0, self.rules.draft_rows - len(writing))
        for sequence in writing:
            if sequence.table and self._grow(sequence):  # it may have stood back meanwhile
                guess = self._guess(sequence, room, len(writing))
                room -= len(guess)
                ids = (sequence.ids[-1], *guess)
                more = self._more(sequence)
                yield Piece(sequence, sequence.done, ids, len(ids), len(guess), more)

    def _guess(self, sequence: Sequence, room: int, writing: int) -> tuple[int, ...]:
        most = min(room, sequence.limit - len(sequence.ids) - 1)
        if sequence.propose is None or most < 1 or not self.rules.is_exact:
            return ()
        guess = sequence.propose(sequence.ids, most)
        count = sequence.odds.worth(guess.grades[:most], writing, STEP_COSTS)
        count = self._reach(sequence, count)
        sequence.grades = guess.grades[:count]
        return guess.ids[:count]

    def _more(self, sequence: Sequence) -> int:
        """How many tokens it may take by itself behind the next one: none, if somebody else is
        here, or somebody has to look at each token."""
        is_alone = self.running == [sequence] and not self.waiting
        is_guessed = sequence.propose is not None and self.rules.draft_rows > 0
        if sequence.ends is None or is_guessed or not is_alone:
            return 0
        return self._reach(sequence, min(self.rules.ahead, sequence.limit - len(sequence.ids) - 1))

    def _reach(self, sequence: Sequence, count: int) -> int:
        """See that `count` positions behind the next one have pages, or as many as can be had: what
        may not be needed is not worth anybody's page."""
        while self._pages_for(sequence.done + 1 + count) > len(sequence.table):
            if self.ledger.count - self.ledger.free >= self.rules.budget:
                return len(sequence.table) * self.rules.page_size - sequence.done - 1
            sequence.table.append(self.ledger.take())
        return count

    def _count_draft(self, sequence: Sequence, drafted: int, accepted: int) -> None:
        self.counts.drafted_tokens += drafted
        self.counts.accepted_tokens += accepted
        sequence.odds.heard(sequence.grades, accepted)

    def _cut(self, sequence: Sequence, room: int) -> Piece:
        """The next tokens of a sequence that has more than one to run."""
        start = sequence.done
        if self.rules.is_exact:
            end = min(start + room, len(sequence.ids))
        elif start >= sequence.prompt_tokens:
            end = start + 1  # run again as it was written
        else:
            end = min(start + self.rules.page_size, sequence.prompt_tokens)
        wants = max(0, end - max(start, sequence.wanted_from))
        return Piece(sequence, start, tuple(sequence.ids[start:end]), wants)

    # ── sharing ──────────────────────────────────────────────────────────────────────────────────

    def _alike(self, sequence: Sequence) -> int:
        """Up to where the same tokens give the same bits in every sequence."""
        return len(sequence.ids) if self.rules.is_exact else sequence.prompt_tokens

    def _sharable(self, sequence: Sequence) -> int:
        """Up to where pages may be taken from others: what is wanted has to run."""
        return min(sequence.wanted_from, self._alike(sequence))

    def _catch_up(self, sequence: Sequence) -> None:
        """Take over what somebody else has computed meanwhile."""
        size = self.rules.page_size
        end = self._sharable(sequence)
        while sequence.done == sequence.shared * size and sequence.done + size <= end:
            assert sequence.node is not None
            ids = tuple(sequence.ids[sequence.done : sequence.done + size])
            node = self.tree.step(sequence.node, ids)
            if node is None:
                return
            self.counts.shared_tokens += size
            self._put(sequence, node)
            sequence.done += size

    def _share(self, sequence: Sequence) -> None:
        """Offer the whole pages that a sequence has filled."""
        size = self.rules.page_size
        end = min(sequence.done, self._alike(sequence))
        while (sequence.shared + 1) * size <= end:
            assert sequence.node is not None
            start = sequence.shared * size
            ids = tuple(sequence.ids[start : start + size])
            page = sequence.table[sequence.shared]
            self._put(sequence, self.tree.add(sequence.node, ids, page))

    def _put(self, sequence: Sequence, node: Node) -> None:
        """Make a node's page the sequence's next one."""
        place = sequence.shared
        if place == len(sequence.table):
            self.ledger.hold(node.page)
            sequence.table.append(node.page)
        elif sequence.table[place] != node.page:
            self.ledger.hold(node.page)
            self.ledger.drop(sequence.table[place])
            sequence.table[place] = node.page
        sequence.node, sequence.shared = node, place + 1

    def _pages_for(self, positions: int) -> int:
        return -(-positions // self.rules.page_size)
