"""What is asked of the engine and what it gives: token ids in, token ids out.

Sources of the settings' meaning: CreateChatCompletionRequest in `openapi.json` 2.3.0 of
github.com/openai/openai-openapi; what OpenAI does not have (`top_k`, `min_p`,
`repetition_penalty`) and the order of all, vllm/sampling_params.py and vllm/v1/sample/sampler.py of
github.com/vllm-project/vllm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

MOST_TOP_LOGPROBS = 20  # as OpenAI has it
MOST_BIASES = 1024
_MOST_PENALTY = 2.0
_MOST_BIAS = 100.0


class EngineError(Exception):
    """Any failure of this room."""


class RequestError(EngineError):
    """A request that this model cannot serve as it stands; `option` names the field at fault."""

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option


class NonFiniteLogitsError(EngineError):
    """The model computed infinity or NaN: its weights are damaged."""


class Constraint(Protocol):
    """What one answer may say next. Its owner takes tokens that the mask allows, and no others."""

    def mask(self) -> NDArray[np.bool_]:
        """Which token ids may come next, allowed_v; at least one, unless `is_done`.

        Raises:
            RequestError: no token of the vocabulary can go on from here.
        """

    def take(self, token: int) -> None:
        """Go on by one token.

        Raises:
            RequestError: the rule turns out to be more than can be kept track of.
        """

    def guess(self) -> tuple[int, ...]:
        """Tokens that will come next, or at least may: a draft."""

    @property
    def is_done(self) -> bool:
        """Whether all is said: nothing but an end may follow."""


class Rule(Protocol):
    """What answers must look like; each answer begins a constraint of its own."""

    def begin(self) -> Constraint:
        """A constraint before the first token."""


@dataclass(frozen=True)
class Request:
    """One prompt to continue. A request's tokens depend on its fields and the model only.

    Temperature 0 takes the likeliest token; else `seed` and the place in the answer decide among
    those that are left. What changes the likelihoods comes first: only tokens that the `rule`
    allows; `logit_bias` is added to the logits of single ids; `repetition_penalty` divides positive
    logits of tokens in prompt or answer and multiplies negative ones (arXiv 1909.05858);
    `frequency_penalty` times how often a token stands in the answer, and `presence_penalty` if it
    stands there at all, are subtracted. Then what cuts, after the division by `temperature`: tokens
    less likely than `min_p` times the likeliest, all but the `top_k` likeliest (0: all; of equals
    the lower id), all but the smallest set of at least `top_p` of what is left.

    `stop_ids` end it and are not given out as text. `top_logprobs` of the likeliest tokens are told
    with each token. `adapter` names one of the engine's, none if empty.
    """

    prompt_ids: tuple[int, ...]
    max_tokens: int
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    stop_ids: tuple[int, ...] = ()
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    top_logprobs: int = 0
    rule: Rule | None = None
    adapter: str = ""

    @property
    def takes_likeliest(self) -> bool:
        """Whether each token is the model's likeliest, and nothing is told but how likely it is."""
        is_changed = self.rule is not None or self.logit_bias or self.has_penalties
        return self.temperature == 0 and not is_changed and not self.top_logprobs

    @property
    def has_penalties(self) -> bool:
        """Whether what was read or written changes what comes next."""
        return (
            self.presence_penalty != 0
            or self.frequency_penalty != 0
            or self.repetition_penalty != 1
        )


@dataclass(frozen=True)
class Token:
    """One generated token; `finish` is set on the last one.

    `logprob` is the natural log of the model's own probability, before everything in `Request`;
    `top` are the likeliest tokens and their logprobs, likeliest first. A token that ended the
    request ("stop") is given out too, so that it is counted.
    """

    id: int
    logprob: float
    finish: Literal["stop", "length"] | None
    top: tuple[tuple[int, float], ...] = ()


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
    for option, is_good, wanted in _settings(request):
        if not is_good:
            raise RequestError(f"{option} is {getattr(request, option)}, {wanted}", option)
    if (biases := len(request.logit_bias)) > MOST_BIASES:
        raise RequestError(f"logit_bias has {biases} ids, at most {MOST_BIASES}", "logit_bias")
    for token, bias in request.logit_bias:
        if not 0 <= token < vocabulary:
            message = f"logit_bias has token id {token}, the vocabulary has {vocabulary}"
            raise RequestError(message, "logit_bias")
        if not abs(bias) <= _MOST_BIAS:
            raise RequestError(
                f"logit_bias of {token} is {bias}, not from -100 to 100", "logit_bias"
            )


def check_ids(ids: tuple[int, ...], vocabulary: int) -> None:
    """Refuse token ids that the model does not have."""
    for token in ids:
        if not 0 <= token < vocabulary:
            raise RequestError(f"token id {token}, the vocabulary has {vocabulary}")


def check_text(ids: tuple[int, ...], context: int, vocabulary: int) -> None:
    """Refuse a text that cannot be a vector.

    Raises:
        RequestError: no tokens, too many, or an id out of the vocabulary.
    """
    check_ids(ids, vocabulary)
    if not ids:
        raise RequestError("the text is empty", "input")
    if len(ids) > context:
        raise RequestError(f"{len(ids)} tokens to embed, the context has {context}", "input")


def _settings(request: Request) -> tuple[tuple[str, bool, str], ...]:
    """Each setting: its name, whether its value can be served, and what could be."""
    penalty = "not from -2 to 2"
    repetition = request.repetition_penalty
    return (
        ("max_tokens", request.max_tokens >= 1, "at least 1"),
        (
            "temperature",
            0 <= request.temperature < math.inf,
            "not a finite number from 0",
        ),
        ("top_p", 0 < request.top_p <= 1, "not above 0 and at most 1"),
        ("top_k", request.top_k >= 0, "at least 0"),
        ("min_p", 0 <= request.min_p <= 1, "not from 0 to 1"),
        ("presence_penalty", abs(request.presence_penalty) <= _MOST_PENALTY, penalty),
        ("frequency_penalty", abs(request.frequency_penalty) <= _MOST_PENALTY, penalty),
        ("repetition_penalty", 0 < repetition < math.inf, "not a finite number above 0"),
        (
            "top_logprobs",
            0 <= request.top_logprobs <= MOST_TOP_LOGPROBS,
            f"not from 0 to {MOST_TOP_LOGPROBS}",
        ),
    )
