"""What is asked of the engine and what it gives: token ids in, token ids out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class EngineError(Exception):
    """Any failure of this room."""


class RequestError(EngineError):
    """A request that this model cannot serve as it stands."""


class NonFiniteLogitsError(EngineError):
    """The model computed infinity or NaN: its weights are damaged."""


@dataclass(frozen=True)
class Request:
    """One prompt to continue.

    Temperature 0 takes the likeliest token. Otherwise the `top_k` likeliest (0: all) and the
    smallest set of at least `top_p` probability stay, and `seed` decides. A request's tokens depend
    on its fields and the model only. `stop_ids` end it and are not given out as text.
    """

    prompt_ids: tuple[int, ...]
    max_tokens: int
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    stop_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Token:
    """One generated token; `finish` is set on the last one.

    `logprob` is the natural log of the model's own probability, before temperature and cuts. A
    token that ended the request ("stop") is given out too, so that it is counted.
    """

    id: int
    logprob: float
    finish: Literal["stop", "length"] | None


def check_request(request: Request, context: int, vocabulary: int) -> None:
    """Refuse what cannot be served.

    Raises:
        RequestError: empty or too long a prompt, an id out of the vocabulary, a setting out of
            range.
    """
    check_ids(request.prompt_ids, vocabulary)
    prompt_tokens = len(request.prompt_ids)
    if prompt_tokens == 0:
        raise RequestError("the prompt is empty")
    if prompt_tokens >= context:
        raise RequestError(f"a prompt of {prompt_tokens} tokens, the context has {context}")
    if request.max_tokens < 1:
        raise RequestError(f"max_tokens is {request.max_tokens}, at least 1")
    if not 0 <= request.temperature < float("inf"):
        raise RequestError(f"temperature is {request.temperature}, not a finite number from 0")
    if not 0 < request.top_p <= 1:
        raise RequestError(f"top_p is {request.top_p}, not above 0 and at most 1")
    if request.top_k < 0:
        raise RequestError(f"top_k is {request.top_k}, at least 0")


def check_ids(ids: tuple[int, ...], vocabulary: int) -> None:
    """Refuse token ids that the model does not have."""
    for token in ids:
        if not 0 <= token < vocabulary:
            raise RequestError(f"token id {token}, the vocabulary has {vocabulary}")
