"""How many weights a shape has, part by part, and how many of them work on one token.

Parts are kept apart because they are divided among devices differently: experts by expert
parallelism, attention by tensor parallelism, norms and routers by nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairwitness.planner.shapes.shape import ModelShape


@dataclass(frozen=True)
class Weights:
    """Numbers of weights in the whole model; `experts` holds the routed ones only."""

    attention: int
    mlp: int  # plain and shared
    experts: int
    routers: int
    small: int  # norms and biases
    embeddings: int  # also positions, and the head where it is not tied

    @property
    def total(self) -> int:
        """Every weight."""
        return self.matrices + self.small

    @property
    def matrices(self) -> int:
        """All but norms and biases: what papers usually count."""
        return self.layers - self.small + self.embeddings

    @property
    def layers(self) -> int:
        """Every weight but embeddings and head."""
        return self.attention + self.mlp + self.experts + self.routers + self.small


def weights(shape: ModelShape) -> Weights:
    """Count the weights of a shape."""
    matrices = 3 if shape.gated else 2
    mlp = shape.mlp_layers * matrices * shape.width * shape.hidden
    experts = routers = 0
    if shape.experts is not None:
        one = matrices * shape.width * shape.experts.hidden
        experts = shape.expert_layers * shape.experts.count * one
        routers = shape.expert_layers * shape.width * shape.experts.count
        mlp += shape.expert_layers * shape.experts.shared * one
    tables = shape.vocabulary * (1 if shape.tied_head else 2) + shape.learned_positions
    return Weights(
        attention=shape.layers * attention_weights(shape),
        mlp=mlp,
        experts=experts,
        routers=routers,
        small=_small(shape),
        embeddings=tables * shape.width,
    )


def attention_weights(shape: ModelShape) -> int:
    """Weights of one layer's attention, without biases."""
    if shape.latent is None:
        return 2 * shape.width * shape.head_size * (shape.query_heads + shape.kv_heads)
    latent, heads = shape.latent, shape.query_heads
    queries = heads * (latent.plain + latent.rotated)
    if latent.query_rank:
        query = latent.query_rank * (shape.width + queries)
    else:
        query = shape.width * queries
    down = shape.width * (latent.rank + latent.rotated)
    up = latent.rank * heads * (latent.plain + latent.value)
    return query + down + up + heads * latent.value * shape.width


def active_weights(shape: ModelShape) -> int:
    """Weights that one token meets: all but the experts that were not chosen."""
    counted = weights(shape)
    if shape.experts is None:
        return counted.total
    idle = shape.experts.count - shape.experts.chosen
    return counted.total - counted.experts // shape.experts.count * idle


def multiplied_weights(shape: ModelShape) -> int:
    """Active weights that a token is multiplied by: tables that are only looked up are not."""
    counted = weights(shape)
    looked_up = counted.embeddings - shape.vocabulary * shape.width
    return active_weights(shape) - counted.small - looked_up


def _small(shape: ModelShape) -> int:
    norm = shape.norm_vectors * shape.width
    layer = shape.norms * norm
    if shape.latent is not None:
        layer += shape.latent.rank + shape.latent.query_rank
    if shape.head_norms:
        layer += 2 * shape.head_size
    if shape.qkv_bias or shape.biases:
        layer += shape.head_size * (shape.query_heads + 2 * shape.kv_heads)
    if shape.biases:
        layer += shape.hidden * (2 if shape.gated else 1) + 2 * shape.width
    return shape.layers * layer + norm * (2 if shape.embedding_norm else 1)
