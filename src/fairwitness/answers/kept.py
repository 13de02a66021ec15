"""An answer that is kept, and read back from the posts that it cites.

Nothing that others said is kept: of a quote only whose it is, where it stands and its fingerprint.
So a post that was deleted is gone from every answer that cited it, and one that was edited stands
only where it still says the same. A claim of ours is verified again against what is left.
"""

import msgspec
import xxhash

from fairwitness.answers import verify
from fairwitness.answers.answer import Answer, Citation, CitedSource, Kind, Sentence, source_of
from fairwitness.answers.quote import Span
from fairwitness.index import LiveIndex
from fairwitness.posts.post import Post


class KeptCitation(msgspec.Struct, frozen=True):
    """Where a quote stood when the answer was given."""

    post: str
    start: int
    end: int
    print: str
    """Fingerprint of the characters, 16 hexadecimal digits."""


class KeptSentence(msgspec.Struct, frozen=True):
    """A sentence; `text` is empty for a quote."""

    kind: Kind
    text: str
    support: float
    citations: tuple[KeptCitation, ...]


class Kept(msgspec.Struct, frozen=True):
    """An answer as it is kept."""

    id: str
    question: str
    as_of: str
    lang: str
    sentences: tuple[KeptSentence, ...]


class Lost(msgspec.Struct, frozen=True):
    """A sentence of a kept answer that stands no more."""

    at: int
    """Its place in the answer as it was given."""
    kind: Kind
    why: str
    """`deleted`, `edited`, `rests on what was withdrawn`, or what verification found."""


class ReadBack(msgspec.Struct, frozen=True):
    """What is left of a kept answer now."""

    id: str
    question: str
    as_of: str
    lang: str
    sentences: tuple[Sentence, ...]
    sources: tuple[CitedSource, ...]
    withdrawn: tuple[Lost, ...]

    @property
    def unsupported(self) -> bool:
        """Whether nothing is left of it."""
        return not self.sentences and bool(self.withdrawn)


def keep(answer: Answer) -> Kept:
    """Return what is kept of `answer`; the same answer has the same id."""
    sources = {source.n: source for source in answer.sources}
    sentences = tuple(
        KeptSentence(
            sentence.kind,
            "" if sentence.kind == "quote" else sentence.text,
            sentence.support,
            tuple(_kept(sources[c.source], c) for c in sentence.citations),
        )
        for sentence in answer.sentences
    )
    number = xxhash.xxh3_128_hexdigest(msgspec.json.encode(answer.but_for_time()))
    return Kept(number, answer.question, answer.as_of, answer.lang, sentences)


def read_back(kept: Kept, index: LiveIndex) -> ReadBack:
    """Return `kept` as the posts of `index` carry it now."""
    reading = _Reading(index)
    sentences: list[Sentence] = []
    withdrawn: list[Lost] = []
    for at, sentence in enumerate(kept.sentences):
        found = reading.read(sentence)
        if isinstance(found, str):
            withdrawn.append(Lost(at, sentence.kind, found))
        else:
            sentences.append(found)
    return ReadBack(
        kept.id, kept.question, kept.as_of, kept.lang,
        tuple(sentences), tuple(reading.sources.values()), tuple(withdrawn),
    )  # fmt: skip


class _Reading:
    """Reads sentences back, each post once."""

    def __init__(self, index: LiveIndex) -> None:
        self.sources: dict[str, CitedSource] = {}
        self._index = index
        self._posts: dict[str, Post | None] = {}

    def read(self, kept: KeptSentence) -> Sentence | str:
        """Return the sentence, or why it stands no more."""
        found = [self._span(citation) for citation in kept.citations]
        spans = [span for span in found if isinstance(span, Span)]
        whys = [why for why in found if isinstance(why, str)]
        if kept.kind == "quote":
            return whys[0] if whys else self._said(kept, spans[0].text, spans)
        if not whys:
            return self._said(kept, kept.text, spans)
        if kept.kind == "count" or not spans:
            return "rests on what was withdrawn"
        verdict = verify.verify(kept.text, spans)
        return verdict.problem or self._said(kept, kept.text, [spans[at] for at in verdict.cites])

    def _span(self, cited: KeptCitation) -> Span | str:
        if cited.post not in self._posts:
            self._posts[cited.post] = self._index.get(cited.post)
        post = self._posts[cited.post]
        if post is None:
            return "deleted"
        same = _print(post.text[cited.start : cited.end]) == cited.print
        return Span(post, cited.start, cited.end) if same else "edited"

    def _said(self, kept: KeptSentence, text: str, spans: list[Span]) -> Sentence:
        citations = (Citation(self._number(span.post), span.start, span.end) for span in spans)
        return Sentence(text, kept.kind, tuple(citations), kept.support)

    def _number(self, post: Post) -> int:
        if post.id not in self.sources:
            self.sources[post.id] = source_of(len(self.sources) + 1, post)
        return self.sources[post.id].n


def _kept(source: CitedSource, citation: Citation) -> KeptCitation:
    said = source.text[citation.start : citation.end]
    return KeptCitation(source.id, citation.start, citation.end, _print(said))


def _print(said: str) -> str:
    return xxhash.xxh3_64_hexdigest(said.encode("utf-8", "surrogatepass"))
