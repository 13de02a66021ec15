"""What an answer is, as people and machines receive it.

Every sentence carries citations; a citation is a stretch of characters of a source's text; a quote
equals that stretch. The JSON form of these structs is the wire format of the command line and of
the server.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from fairwitness.answers.explained import Explained, Round
from fairwitness.posts.clock import to_iso
from fairwitness.posts.post import Post

Mode = Literal["regular", "fun"]
Kind = Literal["quote", "count", "claim"]
Standing = Literal["none", "declined", "lone", "rumoured", "agreed", "disputed", "denied"]


class Citation(msgspec.Struct, frozen=True):
    """Characters `start` to `end` of the text of source number `source`."""

    source: int
    start: int
    end: int


class Sentence(msgspec.Struct, frozen=True):
    """One sentence of the answer.

    A quote is the author's; a count is what we counted of quotes, in words of ours; a claim is what
    the model made of quotes.
    """

    text: str
    kind: Kind
    citations: tuple[Citation, ...]
    support: float
    """0 to 1: how much of the sentence its citations carry; 1 for a quote."""
    entailed: float | None = None
    """0 to 1: how surely a claim follows from its citations, as our model finds; null where rules
    alone judged: the model is not on the machine, or a text is not in English."""
    of: str = ""
    """The question that it answers, where the message asks several."""

    @property
    def shown(self) -> str:
        """The sentence as an answer's text has it, with its marks."""
        marks = "".join(f"[{n}]" for n in dict.fromkeys(c.source for c in self.citations))
        return f"“{self.text}” {marks}" if self.kind == "quote" else f"{self.text} {marks}"


class CitedSource(msgspec.Struct, frozen=True):
    """A post that the answer cites."""

    n: int
    id: str
    url: str
    network: str
    author: str
    created_at: str
    seen_at: str
    text: str
    witnesses: int
    """Independent witnesses that say what this source is cited for, itself included."""
    copies: int
    """Posts that repeat this one and count with it as one witness, itself included."""


def source_of(n: int, post: Post, *, witnesses: int = 1, copies: int = 1) -> CitedSource:
    """Return source number `n`: a post as it is told."""
    return CitedSource(
        n=n,
        id=post.id,
        url=post.url,
        network=post.network,
        author=post.author,
        created_at=to_iso(post.created_ms),
        seen_at=to_iso(post.seen_ms),
        text=post.text,
        witnesses=witnesses,
        copies=copies,
    )


class Reach(msgspec.Struct, frozen=True):
    """What one network carried of something."""

    network: str
    posts: int
    witnesses: int
    first_seen_at: str


class Spread(msgspec.Struct, frozen=True):
    """Who said something first, where, and how it went on, in the posts that were read for it.

    Posts are all that say so, copies and reposts with them.
    """

    first: Sentence
    author: str
    network: str
    seen_at: str
    posts: int
    half_seen_at: str
    """When half of them had been seen."""
    last_seen_at: str
    networks: tuple[Reach, ...]
    """In the order in which it came to them."""


class Side(msgspec.Struct, frozen=True):
    """One of several things that sources say of the same matter."""

    says: str
    witnesses: int
    first_seen_at: str
    quotes: tuple[Sentence, ...]
    spread: Spread | None = None


class Dispute(msgspec.Struct, frozen=True):
    """Sources that contradict each other, or somebody who is denied, side by side; no verdict."""

    about: str
    sides: tuple[Side, ...]
    settle: tuple[str, ...] = ()
    """What would settle it: kinds of sources that are missing, in the language of the answer."""


class SourceFreshness(msgspec.Struct, frozen=True):
    """How one stream stood when the answer was made."""

    name: str
    lag_s: float
    state: str
    gaps: tuple[dict[str, str], ...] = ()
    """`from`, `until`, `reason` of each stretch in the window that we did not hear."""


class Freshness(msgspec.Struct, frozen=True):
    """What the answer could know."""

    newest_seen_at: str
    age_s: float
    posts_searched: int
    sources: tuple[SourceFreshness, ...]


class Timing(msgspec.Struct, frozen=True):
    """Milliseconds from the question to each point; `first_sentence` is 0 when there was none."""

    search: float
    first_sentence: float
    total: float


class Part(msgspec.Struct, frozen=True):
    """What became of one of several questions."""

    question: str
    """With what it leaves out, in brackets, taken from the question before it."""
    standing: Standing
    abstained: bool
    answer: str
    spread: Spread | None = None


class Figure(msgspec.Struct, frozen=True):
    """Numbers of one kind, one of each thing that is compared."""

    of: str
    """What is counted or measured, in a word of the first quote."""
    values: tuple[str, ...]
    """For each side its number, in digits."""
    quotes: tuple[int, ...]
    """For each side the place of the sentence that gives it."""


class Compared(msgspec.Struct, frozen=True):
    """Two things or more beside each other, by the places of sentences in the answer."""

    sides: tuple[str, ...]
    """The question that was asked of each."""
    both: tuple[tuple[int, int], ...]
    """A quote of each of two sides that say one thing."""
    only: tuple[tuple[int, ...], ...]
    """For each side its quotes that nothing quoted of another says."""
    figures: tuple[Figure, ...] = ()
    """Where every side has one number of a kind."""


class Answer(msgspec.Struct, frozen=True):
    """A question's verified answer, or the statement that nobody witnessed one."""

    question: str
    as_of: str
    mode: Mode
    lang: str
    model: str
    answer: str
    abstained: bool
    standing: Standing
    """What stands behind it: nobody; it asks for help with harm and was not looked for; one witness
    alone, or each quote one; several who pass on a rumour; several that are independent; several
    that contradict each other; or it is denied. All that is said but `agreed` is hedged."""
    sentences: tuple[Sentence, ...]
    sources: tuple[CitedSource, ...]
    disputes: tuple[Dispute, ...]
    dropped: tuple[str, ...]
    """Sentences that were written and failed verification, with the reason; not shown as fact."""
    freshness: Freshness
    timing_ms: Timing
    id: str = ""
    """Under which it is kept; empty when it is not."""
    verifier: str = ""
    """The model that read claims after the rules had; empty when rules alone judged."""
    witnesses: int = 0
    """Independent witnesses that say the same: what leads the answer, or, where it has no short
    answer, what most of its quotes have in common."""
    says: str = ""
    """What leads the answer in short: a name, a number, yes or no, or what the question offers;
    empty where it has no short answer."""
    parts: tuple[Part, ...] = ()
    """One for each question where the message asks several; then `standing` is the weakest of those
    that are answered, and `abstained` is whether none is."""
    explained: Explained | None = None
    """How the message was understood and what was searched, if that was asked for."""
    rounds: tuple[Round, ...] = ()
    """How it was searched for."""
    compared: Compared | None = None
    """What is said of both and of one alone, where the message compares two things."""
    spread: Spread | None = None
    """Who said it first and how it spread; null where nothing is said, where each quote says
    something else, and where several are asked: then each of `parts` has its own."""

    @property
    def beside(self) -> tuple[Sentence, ...]:
        """The quotes that stand beside its sentences: of disputes, and of who was first."""
        spreads = [self.spread, *(part.spread for part in self.parts)]
        for dispute in self.disputes:
            spreads += [side.spread for side in dispute.sides]
        quoted = (s for d in self.disputes for side in d.sides for s in side.quotes)
        return (*quoted, *(spread.first for spread in spreads if spread))

    def but_for_time(self) -> "Answer":
        """Return the answer without how long it took: the same posts give the same bytes."""
        return msgspec.structs.replace(self, timing_ms=Timing(0.0, 0.0, 0.0))


def lead(before: Sentence | None, sentence: Sentence) -> str:
    """Return what stands before `sentence` in the text of an answer, after the sentence `before`:
    where questions are several, each is told before what answers it."""
    if before is not None and before.of == sentence.of:
        return " "
    heading = f"{sentence.of}\n" if sentence.of else ""
    return f"\n\n{heading}" if before else heading


def text_of(sentences: Sequence[Sentence]) -> str:
    """Return the text of an answer that says `sentences`."""
    return "".join(
        lead(before, sentence) + sentence.shown
        for before, sentence in zip((None, *sentences), sentences, strict=False)
    )


class Said(msgspec.Struct, frozen=True, tag="said"):
    """A sentence that has just been verified, and the sources that it is the first to cite."""

    sentence: Sentence
    sources: tuple[CitedSource, ...]


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The whole answer; always the last thing that a question yields."""

    answer: Answer


Told = Said | Finished
"""What `ask` yields, in order: each sentence as it is verified, then the whole."""


class QuestionError(Exception):
    """The question cannot be asked; the message says why."""
