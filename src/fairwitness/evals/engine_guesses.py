"""How much faster the engine writes what it can look up: cited answers about the bundled sample.

Two kinds, each written with guesses and without, in turns. A quote: of the posts that the road of a
question cites, listed in the prompt, the model says the span that answers, byte for byte, under the
form that keeps it to them (`structured_outputs.quote`). A claim: the conversation that the road
really has with its model (`answers/write.py`), recorded; the small model often repeats the question
or a statement there, and then goes on to `MAX_TOKENS`, where the road stops at the first sentence.
"""

from __future__ import annotations

import asyncio
import gzip
import importlib.resources
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fairwitness.answers import Finished, ask
from fairwitness.answers.write import MAX_TOKENS
from fairwitness.engine import ChatOptions, ChatStream, Engine, Message, Request
from fairwitness.engine.chat import Tally
from fairwitness.engine.forms import Forms, QuoteForm
from fairwitness.evals.bench_ask import QUESTIONS
from fairwitness.home import Home
from fairwitness.kernels.pages import Kind
from fairwitness.models import open_model
from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.sources.replay import Replay

MORE_QUESTIONS = (
    "How strong was the earthquake in Costa Rica?",
    "Was there a tsunami warning after the earthquake in Costa Rica?",
    "What happened in Santa Maria?",
    "How many people died in the floods in Sardinia?",
    "What happened in Santiago de Compostela?",
    "In which round did the fight end?",
    "¿Qué pasó en Santa María?",
    "¿Quién ganó la pelea?",
    "¿Hubo alerta de tsunami en Costa Rica?",
    "Quanti morti in Sardegna?",
    "Quantas pessoas morreram em Santa Maria?",
    "What did the USGS say?",
)
QUOTE_TOKENS = 64
_ASKED = "Quote the post that answers the question, word for word."
_SHOWN = (
    (
        "What happened in Oldtown?",
        ("The old bridge in Oldtown collapsed at noon", "Lovely weather today in Oldtown"),
        "The old bridge in Oldtown collapsed at noon",
    ),
    (
        "Who was elected mayor?",
        ("So many people at the square tonight", "Ana Ruiz elected mayor of Portville!"),
        "Ana Ruiz elected mayor of Portville!",
    ),
    (
        "¿Cuántos heridos hay?",
        ("Al menos 12 heridos tras el choque de autobuses", "Cuidado, la calle está cerrada"),
        "Al menos 12 heridos tras el choque de autobuses",
    ),
)


@dataclass
class _Heard:
    """What the road cited, and what it asked its model, which says nothing."""

    name: str = "recorder"
    claims: list[list[Message]] = field(default_factory=list)
    cited: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def stream(self, messages: Sequence[Message], options: ChatOptions) -> ChatStream:
        self.claims.append(list(messages))

        def nothing() -> Generator[str, None, None]:
            yield ""

        return ChatStream(nothing(), Tally(finish="stop"))


def prompt_lookup(model: Path, kind: Kind, most: int, rounds: int) -> dict[str, Any]:
    """Tokens a second after the first of up to `most` quotes, with guesses and without, in turns;
    the same of claims."""
    with TemporaryDirectory(prefix="fairwitness-bench-") as folder:
        heard = _heard(Path(folder), most)
    quotes, claims = _requests(model, heard, most)
    plain = Engine(model, kind=kind, drafts=False)
    # an engine of its own for each, so that each counts its own guesses
    told = _in_turns(plain, Engine(model, kind=kind), quotes, rounds)
    return {**told, "claims": _in_turns(plain, Engine(model, kind=kind), claims, rounds)}


def _in_turns(
    plain: Engine, drafting: Engine, asked: Sequence[Request], rounds: int
) -> dict[str, float]:
    plain_s, drafting_s, tokens, same = 0.0, 0.0, 0, 0
    for turn in range(rounds + 1):
        for request in asked:
            expected, without_s = _timed(plain, request)
            written, with_s = _timed(drafting, request)
            if turn == 0:  # the first round warms both up
                same += written == expected
                continue
            plain_s, drafting_s = plain_s + without_s, drafting_s + with_s
            tokens += len(written) - 1
    counts = drafting.load().counts
    return {
        "ratio": plain_s / drafting_s,
        "tok_s": tokens / drafting_s,
        "plain_tok_s": tokens / plain_s,
        "accepted_of_drafted": counts.accepted_tokens / max(1, counts.drafted_tokens),
        "same_answers": same / len(asked),
        "answers": len(asked),
    }


def _timed(engine: Engine, request: Request) -> tuple[list[int], float]:
    """The answer, and how long all after its first token took."""
    answer = engine.generate(request)
    ids = [next(answer).id]
    started_s = time.perf_counter()
    ids += [token.id for token in answer]
    return ids, time.perf_counter() - started_s


def _heard(folder: Path, most: int) -> _Heard:
    """What the road cites and asks when the questions are asked of the sample, as far as it is
    needed."""
    packed = importlib.resources.files("fairwitness.data") / "sample.jsonl.gz"
    capture = folder / "sample.jsonl"
    capture.write_bytes(gzip.decompress(packed.read_bytes()))
    heard = _Heard()
    home = Home(folder / "home", "bench")
    try:
        clock = VirtualClock()
        home.use_clock(clock)
        asyncio.run(home.listen([Replay(capture, clock, None)]))
        desk = home.desk(lambda: heard)
        for question in (*QUESTIONS, *MORE_QUESTIONS):
            if min(len(heard.cited), len(heard.claims)) >= most:
                break
            *_, last = ask(desk, question)
            assert isinstance(last, Finished)
            answer = last.answer
            quotes = [each.text for each in answer.sentences if each.kind == "quote"]
            said = [" ".join(quote.split()) for quote in dict.fromkeys(quotes)]
            if said:
                heard.cited.append((question, tuple(said)))
    finally:
        home.close()
    return heard


def _requests(model: Path, heard: _Heard, most: int) -> tuple[list[Request], list[Request]]:
    """Quotes and claims as the model is asked for them."""
    opened = open_model(model)
    tokenizer, template = opened.tokenizer(), opened.chat_template()
    forms, ends = Forms(tokenizer), tuple(sorted(tokenizer.end_ids))
    quotes = [
        Request(
            tuple(template.encode(_quoting(question, said), tokenizer)),
            QUOTE_TOKENS,
            stop_ids=ends,
            rule=forms.rule(QuoteForm(said)),
        )
        for question, said in heard.cited[:most]
    ]
    claims = [
        Request(tuple(template.encode(each, tokenizer)), MAX_TOKENS, stop_ids=ends)
        for each in heard.claims[:most]
    ]
    return quotes, claims


def _quoting(question: str, said: Sequence[str]) -> list[Message]:
    """The conversation that asks for a quote."""
    conversation = [Message("system", _ASKED)]
    for shown, posts, quote in _SHOWN:
        conversation += [Message("user", _task(shown, posts)), Message("assistant", quote)]
    return [*conversation, Message("user", _task(question, said))]


def _task(question: str, posts: Sequence[str]) -> str:
    listed = "\n".join(f"- {post}" for post in posts)
    return f"Posts:\n{listed}\nQuestion: {question}"
