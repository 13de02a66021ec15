"""A report: one question asked from many sides, within so many seconds and tokens.

Every section is an answer like any other, so every sentence of it is verified like any other. The
report is whole at every moment: after each sentence it is given out as it is by then, and whoever
stops has that. A quote is shown once, in the first section that it belongs to.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import msgspec

from fairwitness.answers.answer import (
    Answer,
    Citation,
    CitedSource,
    Dispute,
    Finished,
    Freshness,
    Mode,
    Said,
    Sentence,
    Spread,
    Standing,
)
from fairwitness.answers.facets import facets
from fairwitness.answers.message import ask
from fairwitness.answers.ration import Ration
from fairwitness.answers.road import Desk
from fairwitness.answers.understand import Asked, understand
from fairwitness.engine.chat import ChatModel
from fairwitness.posts.clock import to_iso

Partial = Literal["", "seconds", "interrupted"]


class Budget(msgspec.Struct, frozen=True):
    """What a report may cost."""

    seconds: float = 30.0
    tokens: int = 8_000
    """Read and written by the model; what it cannot afford is said in quotes and counts alone."""


class Step(msgspec.Struct, frozen=True):
    """One search of the plan.

    `open` was not come to, `asking` is under way, `answered` has a section, `same` found only what
    others had said already, `silent` found no witness.
    """

    question: str
    state: Literal["open", "asking", "answered", "same", "silent"] = "open"
    searched: int = 0
    """Posts that were visible to it."""


class Section(msgspec.Struct, frozen=True):
    """What one search of the plan brought that no other had."""

    question: str
    standing: Standing
    sentences: tuple[Sentence, ...]
    abstention: str = ""
    """What is said instead of sentences: nobody witnessed it, or it is declined."""
    spread: Spread | None = None
    """Who said it first and how it spread, of all that were read; null as in an answer."""


class Moment(msgspec.Struct, frozen=True):
    """When something was first seen said; the first of a timeline is the first report."""

    at: str
    network: str
    author: str
    quote: Sentence


class Report(msgspec.Struct, frozen=True):
    """All sections, with their sources numbered as one."""

    question: str
    as_of: str
    lang: str
    model: str
    plan: tuple[Step, ...]
    sections: tuple[Section, ...]
    disputes: tuple[Dispute, ...]
    timeline: tuple[Moment, ...]
    sources: tuple[CitedSource, ...]
    dropped: tuple[str, ...]
    freshness: Freshness | None
    """As of the last search that ended."""
    budget: Budget
    seconds: float
    tokens: int
    partial: Partial
    """Why it is not whole: its seconds are over, or it was interrupted; empty when it is."""
    without_model: bool
    """Whether claims are missing that tokens or seconds did not reach for."""


class Progressed(msgspec.Struct, frozen=True, tag="progressed"):
    """How far it is: step `at` of the plan, from 0, and the report by now."""

    at: int
    report: Report


class Reported(msgspec.Struct, frozen=True, tag="reported"):
    """The report as it ended; always the last."""

    report: Report


def deep(
    desk: Desk,
    question: str,
    *,
    mode: Mode = "regular",
    lang: str = "",
    as_of_ms: int | None = None,
    budget: Budget | None = None,
) -> Iterator[Progressed | Reported]:
    """Report on `question`; raises QuestionError when it cannot be asked."""
    work = _Work(desk, budget or Budget())
    moment_ms = desk.now_ms() if as_of_ms is None else as_of_ms
    asked = understand(question, moment_ms, lang)
    questions = [asked]
    work.begin(asked, moment_ms)
    at = 0
    while at < len(questions) and not work.partial:
        step = questions[at]
        for told in ask(work.desk, step, mode=mode, lang=lang, as_of_ms=moment_ms):
            if isinstance(told, Finished):
                work.end(at, told.answer)
            else:
                work.say(at, told)
            yield Progressed(at, work.report())
        if at == 0 and work.standing not in ("none", "declined"):
            more = facets(desk.index, asked, moment_ms)
            questions += more
            work.plan += [Step(each.text) for each in more]
        at += 1
        if at < len(questions) and work.late():
            work.partial = "seconds"
    yield Reported(work.report())


class _Work:
    """A report in the making."""

    def __init__(self, desk: Desk, budget: Budget) -> None:
        self.plan: list[Step] = []
        self.partial: Partial = ""
        self.standing: Standing = "none"
        """Of the question itself."""
        self._budget = budget
        self._began_s = time.monotonic()
        self._ration: Ration | None = None
        self._chat = desk.chat
        self.desk = replace(desk, chat=self._rationed)
        self._sections: list[Section] = []
        self._said: list[Sentence] = []
        self._sources: dict[str, CitedSource] = {}
        self._local: dict[int, CitedSource] = {}
        self._quoted: set[tuple[Citation, ...]] = set()
        self._disputes: list[Dispute] = []
        self._dropped: list[str] = []
        self._freshness: Freshness | None = None

    def begin(self, asked: Asked, as_of_ms: int) -> None:
        """Take up the question itself."""
        self._asked, self._as_of_ms = asked, as_of_ms
        self.plan.append(Step(asked.text))

    def late(self) -> bool:
        """Whether the seconds are over."""
        return time.monotonic() - self._began_s >= self._budget.seconds

    def say(self, at: int, told: Said) -> None:
        """Take a sentence of step `at`, unless another step has said it."""
        self.plan[at] = msgspec.structs.replace(self.plan[at], state="asking")
        self._local.update({source.n: source for source in told.sources})
        sentence = self._cited(told.sentence)
        if sentence.kind == "quote":
            if sentence.citations in self._quoted:
                return
            self._quoted.add(sentence.citations)
        self._said.append(sentence)

    def end(self, at: int, answer: Answer) -> None:
        """Close the section of step `at`."""
        for source in answer.sources:
            self._local[source.n] = source
        new = any(sentence.kind != "count" for sentence in self._said)
        state: Literal["answered", "same", "silent"] = "answered" if new else "same"
        if answer.abstained:
            state = "silent"
        self.plan[at] = Step(self.plan[at].question, state, answer.freshness.posts_searched)
        if new or at == 0:
            abstention = answer.answer if answer.abstained else ""
            spread = self._spread(answer.spread)
            self._sections.append(self._section(at, answer.standing, abstention, spread))
        if at == 0:
            self.standing = answer.standing
        self._disputes += [self._dispute(each, at) for each in answer.disputes]
        self._dropped += [each for each in answer.dropped if each not in self._dropped]
        self._freshness = answer.freshness
        self._said, self._local = [], {}

    def report(self) -> Report:
        """Return the report as it is now."""
        under_way = next((at for at, s in enumerate(self.plan) if s.state == "asking"), None)
        sections = list(self._sections)
        if under_way is not None and any(s.kind != "count" for s in self._said):
            sections.append(self._section(under_way, "lone"))
        return Report(
            question=self._asked.text,
            as_of=to_iso(self._as_of_ms),
            lang=self._asked.lang,
            model=self._ration.name if self._ration else "",
            plan=tuple(self.plan),
            sections=tuple(sections),
            disputes=tuple(self._disputes),
            timeline=self._timeline(sections),
            sources=tuple(self._sources.values()),
            dropped=tuple(self._dropped),
            freshness=self._freshness,
            budget=self._budget,
            seconds=round(time.monotonic() - self._began_s, 3),
            tokens=self._ration.spent if self._ration else 0,
            partial=self.partial,
            without_model=self._ration is not None and self._ration.refused,
        )

    def _section(
        self, at: int, standing: Standing, abstention: str = "", spread: Spread | None = None
    ) -> Section:
        return Section(self.plan[at].question, standing, tuple(self._said), abstention, spread)

    def _spread(self, spread: Spread | None) -> Spread | None:
        return spread and msgspec.structs.replace(spread, first=self._cited(spread.first))

    def _rationed(self) -> ChatModel | None:
        if self._ration is None and (chat := self._chat()) is not None:
            until_s = self._began_s + self._budget.seconds
            self._ration = Ration(chat, self._budget.tokens, until_s)
        return self._ration

    def _cited(self, sentence: Sentence) -> Sentence:
        """Return `sentence` with its sources as the report numbers them."""
        citations = (Citation(self._number(c.source), c.start, c.end) for c in sentence.citations)
        return msgspec.structs.replace(sentence, citations=tuple(citations))

    def _number(self, n: int) -> int:
        source = self._local[n]
        known = self._sources.get(source.id)
        if known is None:
            known = msgspec.structs.replace(source, n=len(self._sources) + 1)
        elif source.witnesses > known.witnesses:
            known = msgspec.structs.replace(
                known, witnesses=source.witnesses, copies=max(source.copies, known.copies)
            )
        self._sources[source.id] = known
        return known.n

    def _dispute(self, dispute: Dispute, at: int) -> Dispute:
        sides = (
            msgspec.structs.replace(
                side,
                quotes=tuple(map(self._cited, side.quotes)),
                spread=self._spread(side.spread),
            )
            for side in dispute.sides
        )
        about = self.plan[at].question
        return msgspec.structs.replace(dispute, about=about, sides=tuple(sides))

    def _timeline(self, sections: Sequence[Section]) -> tuple[Moment, ...]:
        """Return every quote at the moment when its post was seen, each post once."""
        sources = {source.n: source for source in self._sources.values()}
        shown = [sentence for section in sections for sentence in section.sentences]
        shown += [s for dispute in self._disputes for side in dispute.sides for s in side.quotes]
        quotes: dict[int, Sentence] = {}
        for sentence in shown:
            if sentence.kind == "quote":
                quotes.setdefault(sentence.citations[0].source, sentence)
        first = sorted(quotes, key=lambda n: (sources[n].seen_at, n))
        return tuple(
            Moment(sources[n].seen_at, sources[n].network, sources[n].author, quotes[n])
            for n in first
        )
