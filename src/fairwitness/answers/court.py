"""One question as it is being answered: what was found for it, and what was said so far."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from fairwitness.answers.answer import (
    Citation,
    CitedSource,
    Kind,
    Mode,
    Said,
    Sentence,
    Spread,
    Standing,
    source_of,
)
from fairwitness.answers.explained import Round
from fairwitness.answers.length import NORMAL, Measure
from fairwitness.answers.quote import Span
from fairwitness.answers.retrieve import Retrieved
from fairwitness.answers.understand import Asked
from fairwitness.answers.weigh import Weighed
from fairwitness.answers.witness import Account, Origin

_NOTHING = Retrieved((), 0, {})


@dataclass
class Court:
    """One question as it is being answered."""

    asked: Asked
    mode: Mode
    lang: str
    as_of_ms: int
    started_s: float
    measure: Measure = NORMAL
    retrieved: Retrieved = _NOTHING
    copies: dict[int, set[str]] = field(default_factory=dict)
    sentences: list[Sentence] = field(default_factory=list)
    sources: dict[str, CitedSource] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    heard: list[Weighed] = field(default_factory=list)
    floods: frozenset[Account] = frozenset()
    """Accounts that count as one witness together."""
    denials: list[tuple[Span, Origin]] = field(default_factory=list)
    """What denies it, where that weighs."""
    standing: Standing = "none"
    witnesses: int = 0
    says: str = ""
    spread: Spread | None = None
    rounds: tuple[Round, ...] = ()
    first_ms: float = 0.0
    search_ms: float = 0.0

    def elapsed_ms(self) -> float:
        """Return how long it has been answered."""
        return round((time.perf_counter() - self.started_s) * 1000, 1)

    def cite(self, span: Span, witnesses: int, origin: Origin) -> Citation:
        """Return the citation of `span`, whose post is a source from now on."""
        post = span.post
        if post.id not in self.sources:
            self.sources[post.id] = source_of(
                len(self.sources) + 1,
                post,
                witnesses=witnesses,
                copies=len(self.copies[origin.statement]),
            )
        return Citation(self.sources[post.id].n, span.start, span.end)

    def say(
        self,
        text: str,
        kind: Kind,
        citations: Sequence[Citation],
        support: float,
        entailed: float | None = None,
    ) -> Said:
        """Take up a verified sentence, and return it with the sources that it is first to cite."""
        known = {c.source for s in self.sentences for c in s.citations}
        sentence = Sentence(text, kind, tuple(citations), support, entailed)
        self.sentences.append(sentence)
        self.first_ms = self.first_ms or self.elapsed_ms()
        new = {c.source for c in citations} - known
        return Said(sentence, tuple(s for s in self.sources.values() if s.n in new))
