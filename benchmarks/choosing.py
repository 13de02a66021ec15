"""What a choice costs on the host, per token, with the default model's vocabulary: draws, and the
masks of forms along texts that have them. By the thread's clock, so other work does not count.

    python benchmarks/choosing.py [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator

import numpy as np

from fairwitness.engine.forms import Form, Forms, GrammarForm, JsonForm, PatternForm, QuoteForm
from fairwitness.engine.request import Request
from fairwitness.engine.sample import rows_of, sample, top_logprobs
from fairwitness.models import Tokenizer, open_model
from fairwitness.models.registry import DEFAULT_MODEL, pull

TIMES, WALKS = 300, 5
POST = (
    "The ferry number {n} to Naxos is delayed by two hours, says the harbour office of port {n}. "
)
SCHEMA = {
    "type": "object",
    "properties": {
        "planet": {"type": "string"},
        "moons": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["planet", "moons", "tags"],
    "additionalProperties": False,
}
OBJECT = '{"planet": "Saturn, the ringed planet", "moons": 146, "tags": ["gas", "rings and ice"]}'
WORDS = "Saturn has rings made of ice and dust around the equator."
SUMS = 'start: e\ne: N | "(" e O e ")"\nN: /[0-9]+/\nO: "+" | "*"'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    tokenizer = open_model(pull(DEFAULT_MODEL)).tokenizer()
    rows = [*draws(len(tokenizer.token_bytes)), *masks(tokenizer)]
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(
            f"{row['what']:32} {row['median_us']:7.0f} {row['p95_us']:7.0f} {row['most_us']:7.0f}"
        )


def draws(vocabulary: int) -> Iterator[dict[str, object]]:
    logits_wv = np.random.default_rng(0).normal(0, 3, (1, vocabulary)).astype(np.float32)
    logits = rows_of(logits_wv)[0]
    prompt = tuple(range(1500))
    requests = {
        "greedy": Request(prompt, 1),
        "temperature": Request(prompt, 1, 1.0),
        "temperature, top-p": Request(prompt, 1, 1.0, top_p=0.9),
        "temperature, top-k": Request(prompt, 1, 1.0, top_k=40),
        "temperature, min-p": Request(prompt, 1, 1.0, min_p=0.05),
        "penalties over 1,500 tokens": Request(prompt, 1, repetition_penalty=1.1),
    }
    counts = dict.fromkeys(prompt, 0)
    yield row("what all draws need", [spent(lambda: rows_of(logits_wv)) for _ in range(TIMES)])
    for name, request in requests.items():
        taken = [
            spent(lambda place=place, r=request: sample(logits, r, place, counts))
            for place in range(TIMES)
        ]
        yield row(f"draw: {name}", taken)
    yield row("20 top logprobs", [spent(lambda: top_logprobs(logits, 20)) for _ in range(TIMES)])


def masks(tokenizer: Tokenizer) -> Iterator[dict[str, object]]:
    forms = Forms(tokenizer)
    posts = tuple(POST.format(n=n) for n in range(320))
    forms.rule(JsonForm())  # what is built once for a vocabulary
    cases: dict[str, tuple[Form, str]] = {
        "JSON schema": (JsonForm(json.dumps(SCHEMA)), OBJECT),
        "any JSON object": (JsonForm(), OBJECT),
        "grammar of sums": (GrammarForm(SUMS), "((12+3)*(4*((5*6)+7)))"),
        "pattern, counted words": (PatternForm(r"[A-Z][a-z]+( [a-z]+){3,20}\."), WORDS),
        "quote from 30 kB": (QuoteForm(posts), posts[7].strip()),
    }
    for name, (form, text) in cases.items():
        yield row(f"form: {name}", [spent(lambda f=form: forms.rule(f)) for _ in range(WALKS)])
        yield row(f"mask: {name}", list(walked(forms, form, tokenizer.encode(text))))


def walked(forms: Forms, form: Form, ids: list[int]) -> Iterator[float]:
    rule = forms.rule(form)
    for _ in range(WALKS):
        constraint = rule.begin()
        for token in ids:
            yield spent(constraint.mask)
            constraint.take(token)


def spent(work: Callable[[], object]) -> float:
    started_s = time.thread_time()
    work()
    return (time.thread_time() - started_s) * 1e6


def row(what: str, taken_us: list[float]) -> dict[str, object]:
    median, p95 = np.percentile(taken_us, [50, 95]).tolist()
    return {"what": what, "median_us": median, "p95_us": p95, "most_us": max(taken_us)}


if __name__ == "__main__":
    main()
