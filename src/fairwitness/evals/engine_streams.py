"""How much the engine writes for many at once, and how much faster it writes what it can look up.

Streams are requests that come at the same moment, each with a prompt of its own; what counts is all
their tokens over the time until the last one has its last. Cited answers are the conversations that
the road of a question really has with its model, recorded from questions about the bundled sample.
"""

from __future__ import annotations

import asyncio
import gzip
import importlib.resources
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from fairwitness.answers import ask
from fairwitness.answers.write import MAX_TOKENS
from fairwitness.engine import ChatOptions, ChatStream, Engine, Message, Request
from fairwitness.engine.chat import Tally
from fairwitness.evals.bench_ask import QUESTIONS
from fairwitness.home import Home
from fairwitness.kernels.pages import Kind
from fairwitness.models import open_model
from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.sources.replay import Replay

STREAM_PROMPT = 64
Ids = tuple[int, ...]


def streams_s(engine: Engine, asked: Sequence[Ids], tokens: int) -> float:
    """Seconds from the asking until all requests have all their tokens."""
    started_s = time.perf_counter()
    answers = [engine.generate(Request(ids, tokens)) for ids in asked]
    count = sum(1 for answer in answers for _ in answer)
    assert count == len(asked) * tokens
    return time.perf_counter() - started_s


def prompts(count: int, turn: int) -> list[Ids]:
    """Tokens that nobody has in a cache; what they are does not matter to how fast they go."""
    rng = np.random.default_rng(10_000 * count + turn)
    return [tuple(rng.integers(1_000, 40_000, STREAM_PROMPT).tolist()) for _ in range(count)]


def prompt_lookup(model: Path, kind: Kind, answers: int, rounds: int) -> dict[str, float]:
    """Tokens a second after the first of up to so many cited answers, with guesses and without, in
    turns."""
    with TemporaryDirectory(prefix="fairwitness-bench-") as folder:
        asked = _encoded(model, _conversations(Path(folder))[:answers])
    plain, drafting = Engine(model, kind=kind, drafts=False), Engine(model, kind=kind)
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


@dataclass
class _Recorder:
    """A chat model that says nothing and remembers what it was asked."""

    heard: list[list[Message]]
    name: str = "recorder"

    def stream(self, messages: Sequence[Message], options: ChatOptions) -> ChatStream:
        self.heard.append(list(messages))

        def nothing() -> Generator[str, None, None]:
            yield ""

        return ChatStream(nothing(), Tally(finish="stop"))


def _conversations(folder: Path) -> list[list[Message]]:
    """What the model is asked when the questions are asked of the sample."""
    packed = importlib.resources.files("fairwitness.data") / "sample.jsonl.gz"
    capture = folder / "sample.jsonl"
    capture.write_bytes(gzip.decompress(packed.read_bytes()))
    recorder = _Recorder([])
    home = Home(folder / "home", "bench")
    try:
        clock = VirtualClock()
        home.use_clock(clock)
        asyncio.run(home.listen([Replay(capture, clock, None)]))
        desk = home.desk(lambda: recorder)
        for question in QUESTIONS:
            list(ask(desk, question))
    finally:
        home.close()
    return recorder.heard


def _encoded(model: Path, conversations: Sequence[Sequence[Message]]) -> list[Request]:
    opened = open_model(model)
    tokenizer, template = opened.tokenizer(), opened.chat_template()
    ends: Any = tuple(sorted(tokenizer.end_ids))
    return [
        Request(tuple(template.encode(each, tokenizer)), MAX_TOKENS, stop_ids=ends)
        for each in conversations
    ]
