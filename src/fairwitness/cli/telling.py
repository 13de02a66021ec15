"""How an answer looks in a terminal: sentences as they are verified, sources under them."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from fairwitness.answers import Answer, CitedSource, Dispute, Finished, Said, Sentence, Spread, Told

# What could move the cursor, recolour the terminal or turn the reading order round.
_UNSAFE = {
    code: None
    for code in (
        *range(0x20),
        0x7F,
        *range(0x80, 0xA0),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
    if code not in (0x0A,)
}


def safe(text: str) -> str:
    """Return `text` without characters that command a terminal."""
    return text.translate(_UNSAFE)


def tell(told: Iterable[Told], console: Console) -> Answer:
    """Print an answer as it comes, and return it whole."""
    answer: Answer | None = None
    before: Sentence | None = None
    for each in told:
        match each:
            case Said():
                if each.sentence.of and (before is None or before.of != each.sentence.of):
                    console.print(Text(safe(each.sentence.of), style="underline"))
                console.print(shown(each.sentence))
                before = each.sentence
            case Finished():
                answer = each.answer
    assert answer is not None
    if answer.abstained:
        console.print(Text(safe(answer.answer)))
    for part in answer.parts:
        if part.abstained and not answer.abstained:
            console.print(Text(safe(part.question), style="underline"))
            console.print(Text(safe(part.answer)))
    show_spread(answer.spread, console)
    for part in answer.parts:
        show_spread(part.spread, console, part.question)
    show_disputes(answer.disputes, console)
    show_sources(answer.sources, console)
    _freshness(answer, console)
    return answer


def shown(sentence: Sentence) -> Text:
    """Return a sentence with its marks."""
    marks = "".join(f"[{n}]" for n in dict.fromkeys(c.source for c in sentence.citations))
    text = Text()
    if sentence.kind == "quote":
        text.append(f"“{safe(sentence.text)}”", style="bold")
    else:
        text.append(safe(sentence.text))
    return text.append(f" {marks}", style="cyan")


def show_disputes(disputes: Iterable[Dispute], console: Console) -> None:
    """Print what sources disagree about: each side, its witnesses, when it was first seen."""
    for dispute in disputes:
        console.print(Text(f"\nThe sources disagree: {safe(dispute.about)}", style="yellow"))
        for side in dispute.sides:
            times = "witness" if side.witnesses == 1 else "witnesses"
            line = f"  {safe(side.says)}: {side.witnesses} {times}, first {side.first_seen_at}"
            console.print(Text(line, style="bold"))
            for sentence in side.quotes:
                console.print(Text("    ").append(shown(sentence)))
        if dispute.settle:
            console.print(Text(safe(f"  What would settle it: {'; '.join(dispute.settle)}.")))


def show_spread(spread: Spread | None, console: Console, question: str = "") -> None:
    """Print who said it first, where, and how it went on; nothing where only one post says it."""
    if spread is None or spread.posts < 2:
        return
    about = f" ({question})" if question else ""
    marks = "".join(f"[{c.source}]" for c in spread.first.citations)
    by = f"{spread.author} on {spread.network}, seen {spread.seen_at}"
    networks = ", ".join(f"{each.posts} on {each.network}" for each in spread.networks)
    rest = f"{spread.posts} posts read say so: {networks}"
    times = f"half by {spread.half_seen_at}, the last {spread.last_seen_at}"
    console.print(Text(safe(f"\nFirst{about}: {by} {marks}; {rest}; {times}")))


def show_sources(sources: Iterable[CitedSource], console: Console) -> None:
    """Print the sources by their numbers."""
    for source in sources:
        line = Text("\n" if source.n == 1 else "")
        line.append(f"[{source.n}] ", style="cyan")
        line.append(f"{safe(source.author)} on {safe(source.network)}, {source.created_at}")
        if source.copies > 1:
            line.append(f", {source.copies} copies")
        if source.url:
            line.append(f"\n    {safe(source.url)}", style="dim")
        console.print(line)


def _freshness(answer: Answer, console: Console) -> None:
    fresh = answer.freshness
    parts = [f"{fresh.posts_searched:,} posts searched as of {answer.as_of}"]
    if fresh.newest_seen_at:
        parts.append(f"newest witness {_age(fresh.age_s)} old")
    parts.append(f"first sentence {answer.timing_ms.first_sentence:.0f} ms")
    for source in fresh.sources:
        if source.state in ("waiting", "refused"):
            parts.append(f"{source.name} {source.state}, {_age(source.lag_s)} behind")
        if source.gaps:
            parts.append(f"{source.name} has {len(source.gaps)} gaps in this window")
    console.print(Text("\n" + " · ".join(parts), style="dim"))


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
