"""Teaching the head to tell whether a claim follows from its evidence.

The encoder reads every text once and stays as it was published; only the head learns, by AdamW
(arXiv:1711.05101) on the binary cross-entropy. Data, order and first weights come from the seed, so
the same seed gives the same weights on the same machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from fairwitness.models.entailment import FIRST_TRUST, Hidden, Read, Reader, logits, shapes

Array = jax.Array
Tree = Any
_BETA_1, _BETA_2, _EPSILON, _MAX_NORM = 0.9, 0.98, 1e-8, 1.0
CLAIM_BUCKETS, EVIDENCE_BUCKETS = (48,), (64, 160)
"""Texts of a batch are filled up to one of these, so that few programs are compiled, or cut off."""


@dataclass(frozen=True)
class Lesson:
    """How long, how fast, and what is hidden meanwhile."""

    batch: int = 32
    passes: int = 3
    peak_rate: float = 1.5e-3
    warm_share: float = 0.05
    """Of all steps, over which the rate rises; then it falls in a straight line."""
    hidden_share: float = 0.15
    decay: float = 0.02
    seed: int = 0


@dataclass(frozen=True)
class Reading:
    """Texts as the encoder read them, each at its own length; words and states are float16."""

    texts: list[Read]

    def only(self, rows: Sequence[int]) -> Reading:
        """Return some of the texts."""
        return Reading([self.texts[at] for at in rows])

    def batch(self, rows: Sequence[int], bucket: int) -> Read:
        """Return some of the texts, filled up to the bucket."""
        width = self.texts[0].x.shape[1]
        ids = np.zeros((len(rows), bucket), np.int32)
        real = np.zeros((len(rows), bucket), np.bool_)
        word, x = (np.zeros((len(rows), bucket, width), np.float32) for _ in range(2))
        for row, at in enumerate(rows):
            text = self.texts[at]
            length = min(len(text.ids), bucket)
            ids[row, :length] = text.ids[:length]
            real[row, :length] = True
            word[row, :length] = text.word[:length]
            x[row, :length] = text.x[:length]
        return Read(ids, real, word, x)


def read_all(reader: Reader, texts: Sequence[str], tell: Callable[[int, int], None]) -> Reading:
    """Read texts with the encoder, each once."""
    read: dict[str, Read] = {}
    for text in texts:
        if text not in read:
            if len(read) % 1_000 == 0:
                tell(len(read), len(texts))
            ((ids, real, word, x),) = reader.read(text)
            read[text] = Read(ids, real, word.astype(np.float16), x.astype(np.float16))
    return Reading([read[text] for text in texts])


@dataclass
class Pupil:
    """What is learned, and where the optimiser stands."""

    head: Tree
    first: Tree
    second: Tree
    steps: int = 0


def new_pupil(width: int, lesson: Lesson) -> Pupil:
    """Return a head that knows nothing."""
    head = _new_head(width, jax.random.key(lesson.seed))
    first, second = (jax.tree.map(jnp.zeros_like, head) for _ in range(2))
    return Pupil(head, first, second)


@partial(jax.jit, static_argnames=("hidden_share", "decay"), donate_argnums=(0, 1, 2))
def _learn(
    head: Tree,
    first: Tree,
    second: Tree,
    claim: Read,
    evidence: Read,
    holds_b: Array,
    rate: Array,
    step: Array,
    key: Array,
    hidden_share: float,
    decay: float,
) -> tuple[Tree, Tree, Tree, Array]:
    def loss(head: Tree) -> Array:
        logit_b = logits(jnp, head, claim, evidence, Hidden(key, hidden_share))
        return jnp.mean(jax.nn.softplus(jnp.where(holds_b, -logit_b, logit_b)))

    value, slope = jax.value_and_grad(loss)(head)
    norm = jnp.sqrt(sum(jnp.sum(leaf * leaf) for leaf in jax.tree.leaves(slope)))
    slope = jax.tree.map(lambda leaf: leaf * jnp.minimum(1.0, _MAX_NORM / (norm + 1e-6)), slope)
    first = jax.tree.map(lambda m, g: _BETA_1 * m + (1 - _BETA_1) * g, first, slope)
    second = jax.tree.map(lambda v, g: _BETA_2 * v + (1 - _BETA_2) * g * g, second, slope)
    one, two = 1 - _BETA_1**step, 1 - _BETA_2**step

    def moved(w: Array, m: Array, v: Array) -> Array:
        return w - rate * ((m / one) / (jnp.sqrt(v / two) + _EPSILON) + decay * w)

    return jax.tree.map(moved, head, first, second), first, second, value


def learn(
    claims: Reading,
    evidence: Reading,
    holds: Sequence[bool],
    lesson: Lesson,
) -> Iterator[tuple[Pupil, float]]:
    """Yield the pupil after each step, and the loss of that step."""
    pupil = new_pupil(claims.texts[0].x.shape[1], lesson)
    rng = Random(lesson.seed)
    groups = [
        group
        for _ in range(lesson.passes)
        for group in _groups(claims, evidence, lesson.batch, rng)
    ]
    for buckets, rows in groups:
        pupil.steps += 1
        rate = lesson.peak_rate * _slope(pupil.steps / len(groups), lesson.warm_share)
        pupil.head, pupil.first, pupil.second, value = _learn(
            pupil.head,
            pupil.first,
            pupil.second,
            claims.batch(rows, buckets[0]),
            evidence.batch(rows, buckets[1]),
            jnp.array([holds[at] for at in rows]),
            jnp.float32(rate),
            jnp.float32(pupil.steps),
            jax.random.fold_in(jax.random.key(lesson.seed), pupil.steps),
            lesson.hidden_share,
            lesson.decay,
        )
        yield pupil, float(value)


def _slope(done: float, warm: float) -> float:
    return done / warm if done < warm else max(0.0, (1 - done) / (1 - warm))


def _groups(
    claims: Reading, evidence: Reading, size: int, rng: Random
) -> list[tuple[tuple[int, int], list[int]]]:
    """Return all pairs once, those of one length together, in an order of `rng`.

    The last batch of a length is filled up with pairs of it, so that shapes are few.
    """
    members: dict[tuple[int, int], list[int]] = {}
    for at, (one, other) in enumerate(zip(claims.texts, evidence.texts, strict=True)):
        lengths = _bucket(len(one.ids), CLAIM_BUCKETS), _bucket(len(other.ids), EVIDENCE_BUCKETS)
        members.setdefault(lengths, []).append(at)
    groups = []
    for lengths, rows in sorted(members.items()):
        rng.shuffle(rows)
        rows += [rng.choice(rows) for _ in range(-len(rows) % size)]
        groups += [(lengths, rows[n : n + size]) for n in range(0, len(rows), size)]
    rng.shuffle(groups)
    return groups


def _bucket(tokens: int, buckets: Sequence[int]) -> int:
    """Return the shortest bucket that holds a text, or the longest."""
    return next((bucket for bucket in buckets if bucket >= tokens), buckets[-1])


def _new_head(width: int, key: Array) -> Tree:
    """Return a head that has learned nothing."""
    keys = iter(jax.random.split(key, 8))

    def matrix(take: int, give: int) -> Tree:
        weight = jax.random.normal(next(keys), (take, give)) / take**0.5
        return {"weight": weight, "bias": jnp.zeros(give)}

    return {
        name: matrix(*shape) if len(shape) == 2 else jnp.array(FIRST_TRUST)
        for name, shape in shapes(width).items()
    }


def as_used(head: Tree) -> Tree:
    """Return a head with the float16 weights with which it is used, as arrays of numpy."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float16).astype(np.float32), head)


def said(head: Tree, claims: Reading, evidence: Reading) -> NDArray[np.float64]:
    """Return the logit of each pair, as it is used, in numpy."""
    used = as_used(head)
    pairs = zip(claims.texts, evidence.texts, strict=True)
    return np.array([float(logits(np, used, _wide(a), _wide(b))) for a, b in pairs])


def _wide(text: Read) -> Read:
    return text._replace(word=text.word.astype(np.float32), x=text.x.astype(np.float32))
