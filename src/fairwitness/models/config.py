"""The shape of a decoder, whatever family it is of.

A family of models is data here: one frozen config that the decoder obeys. The defaults are those of
a Llama; everything that another family does otherwise is a field. How files spell it is told in
`config_gguf.py` and `config_hugging_face.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from fairwitness.models.errors import ModelFileError
from fairwitness.models.rope import Dynamic, RopeScaling

Activation = Literal["silu", "gelu", "gelu_tanh", "clamped_swiglu"]

# Far above any published model, far below what would exhaust memory on the way to an error.
_LIMITS = {"layers": 1_000, "vocabulary": 4_000_000, "context": 16_777_216}
_DEFAULT_LIMIT = 1_000_000


@dataclass(frozen=True)
class Attention:
    """What a family changes in how a position looks at the others."""

    bias: bool = False  # added to queries, keys and values (Qwen 2)
    out_bias: bool = False  # added to what attention gives back
    head_norms: bool = False  # each query and key head is normed before RoPE (Qwen 3, Gemma 3)
    sinks: bool = False  # one more score a head, which takes its share of the weight (gpt-oss)
    scale: float | None = None  # of the scores; head_size ** -0.5 if None
    cap: float | None = None  # scores become cap * tanh(score / cap) (Grok, Gemma 2)
    # Scores of a query at position p > this grow by log(p) / log(this) (Grok-2).
    temperature_from: int | None = None


@dataclass(frozen=True)
class Reach:
    """Which positions one layer looks at, and how it knows their distance."""

    window: int | None = None  # the newest so many, its own among them
    chunk: int | None = None  # those in the same chunk of so many
    rope: Literal["main", "local", "none"] = "main"


@dataclass(frozen=True)
class Experts:
    """A mixture of experts in place of the MLP, or beside it."""

    count: int
    used: int  # by each token
    hidden: int  # width of one expert
    renormalise: bool  # the used ones' shares are made to sum to one
    cap: float | None = None  # on the router's scores, as `Attention.cap`
    bias: bool = False  # on the router and in the experts (gpt-oss)
    beside_mlp: bool = False  # (MLP + experts) / sqrt(2) (Grok-2)


@dataclass(frozen=True)
class Multipliers:
    """Constants on the way in and out (Grok: docs of its scaling rule; Gemma: sqrt(width))."""

    embedding: float = 1.0
    logits: float = 1.0
    logits_cap: float | None = None  # as `Attention.cap`, after `logits`


@dataclass(frozen=True)
class DecoderConfig:
    """A decoder with RMSNorm, RoPE, grouped-query attention and a gated MLP."""

    vocabulary: int
    width: int
    layers: int
    query_heads: int
    kv_heads: int
    head_size: int
    hidden: int  # width of the gated MLP
    context: int  # tokens that the model was trained to see
    rope_base: float
    norm_epsilon: float
    tied_head: bool
    rope_scaling: RopeScaling | None = None
    local_rope_base: float | None = None  # of the layers whose reach says "local" (Gemma 3)
    attention: Attention = Attention()
    reaches: tuple[Reach, ...] = ()  # one a layer; none: every layer looks at everything
    activation: Activation = "silu"
    experts: Experts | None = None
    post_norms: bool = False  # what attention and MLP give is normed again (Grok, Gemma)
    multipliers: Multipliers = Multipliers()

    def reach(self, layer: int) -> Reach:
        """What the layer of this index looks at."""
        return self.reaches[layer] if self.reaches else Reach()

    @property
    def has_mlp(self) -> bool:
        """Whether a layer has an MLP that every token goes through."""
        return self.experts is None or self.experts.beside_mlp

    @property
    def cached_numbers(self) -> int:
        """How many numbers the cache keeps of each token: a key and a value per layer and head."""
        return 2 * self.layers * self.kv_heads * self.head_size

    @property
    def parameters(self) -> int:
        """Number of weights, norms and biases included."""
        query_rows, kv_rows = self.query_heads * self.head_size, self.kv_heads * self.head_size
        attention = 2 * self.width * (query_rows + kv_rows)
        if self.attention.bias:
            attention += query_rows + 2 * kv_rows
        if self.attention.out_bias:
            attention += self.width
        if self.attention.head_norms:
            attention += 2 * self.head_size
        if self.attention.sinks:
            attention += self.query_heads
        norms = (4 if self.post_norms else 2) * self.width
        mlp = 3 * self.width * self.hidden if self.has_mlp else 0
        layer = attention + norms + mlp + _expert_weights(self.experts, self.width)
        heads = 1 if self.tied_head else 2
        return self.layers * layer + heads * self.vocabulary * self.width + self.width


def _expert_weights(experts: Experts | None, width: int) -> int:
    if experts is None:
        return 0
    biases = 1 + 2 * experts.hidden + width if experts.bias else 0
    return experts.count * (width + 3 * width * experts.hidden + biases)


def checked(path: Path, config: DecoderConfig) -> DecoderConfig:
    """The config, or an error where its sizes do not fit together.

    Raises:
        ModelFileError: naming the size and its value.
    """
    sizes = {field.name: getattr(config, field.name) for field in fields(config)[:8]}
    if config.experts is not None:
        experts = config.experts
        sizes |= {"experts": experts.count, "used experts": experts.used, "hidden": experts.hidden}
    for name, size in sizes.items():
        limit = _LIMITS.get(name, _DEFAULT_LIMIT)
        if not 0 < size <= limit:
            raise ModelFileError(path, f"{name} is {size}, not between 1 and {limit}")
    if config.query_heads % config.kv_heads:
        raise ModelFileError(
            path, f"{config.query_heads} query heads cannot share {config.kv_heads} kv heads"
        )
    if config.head_size % 2:
        raise ModelFileError(path, f"head size {config.head_size} is odd, RoPE turns pairs")
    if config.rope_base <= 1 or (config.local_rope_base or 2) <= 1:
        raise ModelFileError(path, f"RoPE's base is {config.rope_base}, not above 1")
    if config.rope_scaling is not None and not 1 <= config.rope_scaling.factor <= _DEFAULT_LIMIT:
        raise ModelFileError(path, f"RoPE is stretched by {config.rope_scaling.factor}")
    if isinstance(config.rope_scaling, Dynamic) and config.head_size < 4:
        raise ModelFileError(path, f"head size {config.head_size} leaves nothing for dynamic RoPE")
    if config.attention.temperature_from == 1:
        raise ModelFileError(path, "a temperature that grows from position 1 on is infinite")
    if config.experts is not None and config.experts.used > config.experts.count:
        raise ModelFileError(
            path, f"{config.experts.used} experts used of {config.experts.count} there are"
        )
    if config.reaches and len(config.reaches) != config.layers:
        raise ModelFileError(
            path, f"{len(config.reaches)} kinds of layers for {config.layers} layers"
        )
    return config
