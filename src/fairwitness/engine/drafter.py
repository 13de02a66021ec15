"""A second, smaller model of the same vocabulary that guesses what the first will say.

It runs in the stepping thread before a step is planned, one sequence after the other, and follows
each in pages of its own. A guess is kept only if it is what the first model chooses, so no answer
changes, drawn or greedy. It takes what it guesses greedily, and knows nothing of forms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fairwitness.engine.draft import MODEL, Guess
from fairwitness.engine.ledger import Ledger
from fairwitness.engine.native import NativeRunner
from fairwitness.engine.request import EngineError
from fairwitness.engine.scheduler import PROMPT_ROWS, STEP_COSTS
from fairwitness.engine.sequence import Sequence
from fairwitness.kernels.pages import Kind
from fairwitness.kernels.stack import Row
from fairwitness.models import Model

_NOTHING = Guess()


@dataclass
class _Following:
    """What was run of a sequence, on which pages."""

    ids: list[int] = field(default_factory=list)
    table: list[int] = field(default_factory=list)
    sure: int = 0  # ids before here stand in the sequence; behind it are guesses


class Drafter:
    """Guesses for all sequences of an engine. Not for several threads at once."""

    def __init__(self, model: Model, beside: Model, cache_bytes: int, kind: Kind) -> None:
        """Load a model that guesses for `beside`; `cache_bytes` is what all its pages may take.

        Raises:
            EngineError: it has other tokens, or the native step cannot run it.
        """
        weights = model.packed()
        if weights is None:
            raise EngineError("the native step cannot run this draft model")
        if model.tokenizer().token_bytes != beside.tokenizer().token_bytes:
            raise EngineError("the draft model has other tokens than the model")
        self._runner = NativeRunner(model, weights, cache_bytes, kind, False, {})
        self.pages = Ledger(self._runner.rules.budget)
        each = model.config.parameters / beside.config.parameters
        self._costs = tuple(cost + each * place for place, cost in enumerate(STEP_COSTS))
        self._following: dict[Sequence, _Following] = {}

    def propose(self, sequence: Sequence, most: int) -> Guess:
        """At most `most` tokens that may follow the sequence's; none while its prompt is still
        being read here, or when no pages are left."""
        self._let_go()
        most = sequence.odds.worth((MODEL,) * most, 1, self._costs)
        ids, config = sequence.ids, self._runner.config
        if most == 0 or len(ids) + most > config.context:
            return _NOTHING
        following = self._following.setdefault(sequence, _Following())
        if not self._grow(following, len(ids) + most):
            return _NOTHING
        self._go_back(following, ids)
        missing = ids[len(following.ids) :]
        token = self._run(following, missing[:PROMPT_ROWS])
        following.sure = len(following.ids)
        if len(missing) > PROMPT_ROWS:
            return _NOTHING
        guess = [token]
        while len(guess) < most:
            guess.append(self._run(following, guess[-1:]))
        return Guess(tuple(guess), (MODEL,) * len(guess))

    def _let_go(self) -> None:
        """Take back the pages of sequences that are over."""
        for sequence in [each for each in self._following if each.is_over]:
            for page in self._following.pop(sequence).table:
                self.pages.drop(page)

    def _grow(self, following: _Following, positions: int) -> bool:
        """See that so many positions have pages; false if there are too few."""
        needed = -(-positions // self._runner.rules.page_size) - len(following.table)
        if needed > self.pages.free:
            return False
        following.table += [self.pages.take() for _ in range(needed)]
        return True

    def _go_back(self, following: _Following, ids: list[int]) -> None:
        """Forget guesses that were wrong; the last token always runs again, for its logits."""
        right = following.sure
        while right < min(len(following.ids), len(ids)) and following.ids[right] == ids[right]:
            right += 1
        del following.ids[min(right, len(ids) - 1) :]

    def _run(self, following: _Following, ids: list[int]) -> int:
        """Run tokens behind those that were run; return the likeliest next one."""
        start = len(following.ids)
        rows = [Row(token, start + i, following.table) for i, token in enumerate(ids)]
        out = self._runner.stack.run(rows, [len(rows) - 1], (), self._runner.pages)
        following.ids += ids
        return int(out.likeliest_w[0])
