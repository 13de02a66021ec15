"""The shape of a language model: the few integers from which its size, work and memory follow.

Nothing here knows a weight or a device. A shape is what a `config.json` says, in one spelling for
dense models, mixtures of experts, grouped and latent attention, and windows over long contexts.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Experts:
    """A mixture in place of the MLP: `chosen` of `count` run for a token, `shared` always do."""

    count: int
    chosen: int
    hidden: int  # width of one expert
    shared: int = 0
    first_layer: int = 0  # layers before it have a plain MLP
    groups_chosen: int = 0  # a token's experts lie in at most so many groups (0: anywhere)
    beside_mlp: bool = False  # Grok-2: the plain MLP runs too, in every layer


@dataclass(frozen=True)
class Latent:
    """Multi-head latent attention (arXiv 2405.04434): one small vector a token is cached.

    The heads' keys and values are rebuilt from it; only the part that is rotated stands beside it.
    """

    query_rank: int  # 0: queries are projected directly
    rank: int
    rotated: int  # size of the rotated part of a key, shared by all heads
    plain: int  # size of the unrotated part of a head's key
    value: int  # size of a head's value


@dataclass(frozen=True)
class Window:
    """Attention over the last `size` positions, except in each `every`-th layer (0: in none)."""

    size: int
    every: int = 0


@dataclass(frozen=True)
class ModelShape:
    """A decoder. Sizes count elements; `hidden` is the MLP's width."""

    name: str
    layers: int
    width: int
    query_heads: int
    kv_heads: int
    head_size: int
    hidden: int
    vocabulary: int
    context: int  # positions that it was trained for
    gated: bool = True  # three matrices in the MLP, not two
    tied_head: bool = False
    learned_positions: int = 0
    qkv_bias: bool = False
    biases: bool = False  # on every matrix of a layer
    norms: int = 2  # a layer
    norm_vectors: int = 1  # 2: LayerNorm has a bias beside its scale
    head_norms: bool = False  # queries and keys are normalised in each head
    embedding_norm: bool = False
    experts: Experts | None = None
    latent: Latent | None = None
    window: Window | None = None
    source: str = ""

    @property
    def expert_layers(self) -> int:
        """How many layers have experts."""
        return self.layers - self.experts.first_layer if self.experts else 0

    @property
    def mlp_layers(self) -> int:
        """How many layers have a plain MLP."""
        if self.experts and self.experts.beside_mlp:
            return self.layers
        return self.layers - self.expert_layers

    @property
    def score_size(self) -> int:
        """Elements of one head's query against a key."""
        return self.latent.plain + self.latent.rotated if self.latent else self.head_size

    @property
    def value_size(self) -> int:
        """Elements of one head's value."""
        return self.latent.value if self.latent else self.head_size

    @property
    def global_layers(self) -> int:
        """Layers whose attention sees the whole context."""
        if self.window is None:
            return self.layers
        return self.layers // self.window.every if self.window.every else 0
