"""Does a claim follow from its evidence? A small head over what the encoder makes of both texts.

The encoder reads each text by itself and stays as it was published, so a quote is read once for
many claims. The head lays the two beside each other: each token looks for its like on the other
side, a few neighbours together judge how well it was found, and the worst and the mean of them
decide. It looks both ways, since a "not" that only the evidence has tells as much.

The head is written once: numpy where it is used, for one pair without filling, and JAX where it
learns, for batches. `xp` is one or the other.

Shapes: b any batch, t tokens of one text, s of the other, d width of the encoder, k of the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from fairwitness.models.encoder import EncoderConfig, Parameters, encode
from fairwitness.models.wordpieces import WordPieces

Xp = Any
Tensor = Any
"""An array of numpy or of JAX, as `xp` is."""

WIDTH, LAST = 64, 64
FIRST_TRUST = (6.0, 6.0, 2.0)
MOST_TOKENS = 192
_SIGNS = 5
"""What is told of a token beside its state: alike as a word, alike in its place, there as it is,
there with the token before it, and with the one after it."""
_KEPT_TEXTS = 64


class Read(NamedTuple):
    """A text as the encoder read it, with its begin and end marks, or a batch of them."""

    ids: Tensor
    real: Tensor
    """False where a row is filled up."""
    word: Tensor
    """What each token means by itself."""
    x: Tensor
    """What each token means where it stands."""


class Hidden(NamedTuple):
    """What is hidden while learning: a key of JAX, and the share."""

    key: Tensor
    share: float


class Reader:
    """The encoder with its word pieces; keeps what it read last."""

    def __init__(self, config: EncoderConfig, parameters: Parameters, pieces: WordPieces) -> None:
        self._config, self._parameters, self._pieces = config, parameters, pieces
        self._kept: dict[str, Read] = {}
        self._lock = Lock()  # of what is kept: answers are verified on several threads

    def read(self, *texts: str) -> list[Read]:
        """Return what the encoder reads in each; those that are not kept are read together."""
        with self._lock:
            found = {text: self._kept[text] for text in texts if text in self._kept}
        new = [text for text in dict.fromkeys(texts) if text not in found]
        found |= zip(new, self._read(new), strict=True)
        with self._lock:
            for text, read in found.items():
                self._kept.pop(text, None)
                self._kept[text] = read
            for text in list(self._kept)[:-_KEPT_TEXTS]:
                del self._kept[text]
        return [found[text] for text in texts]

    def length(self, text: str) -> int:
        """Return how many pieces a text has."""
        return len(self._pieces.encode(text))

    def forget(self) -> None:
        """Keep nothing of what was read so far."""
        with self._lock:
            self._kept.clear()

    def _read(self, texts: Sequence[str]) -> list[Read]:
        if not texts:
            return []
        ids = [self._marked(text) for text in texts]
        states = encode(self._config, self._parameters, ids)
        words = self._parameters["words"]
        return [
            Read(np.array(own, np.int32), np.ones(len(own), np.bool_), words(own), x_td)
            for own, x_td in zip(ids, states, strict=True)
        ]

    def _marked(self, text: str) -> list[int]:
        ids = self._pieces.encode(text)[: MOST_TOKENS - 2]
        return [self._pieces.begin_id, *ids, self._pieces.between_id]


def shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Return the parts of a head and their sizes; those of two numbers are matrices with a bias."""
    seen = 4 * WIDTH + _SIGNS
    return {
        "narrow": (2 * width, WIDTH),
        "seek": (2 * width, WIDTH // 2),
        "trust": (3,),
        "claim": (3 * seen, WIDTH),
        "evidence": (3 * seen, WIDTH),
        "last": (4 * WIDTH + 3, LAST),
        "verdict": (LAST, 1),
    }


def logits(
    xp: Xp, head: Parameters, claim: Read, evidence: Read, hidden: Hidden | None = None
) -> Tensor:
    """Return how surely the claim follows, as a logit; one for each of a batch."""
    here, there = _side(xp, head, claim), _side(xp, head, evidence)
    word_bts = here["word"] @ there["word"].mT
    state_bts = here["state"] @ there["state"].mT
    same_bts = (claim.ids[..., :, None] == evidence.ids[..., None, :]).astype(word_bts.dtype)
    both_bts = claim.real[..., :, None] & evidence.real[..., None, :]
    like_bts = (
        head["trust"][0] * word_bts
        + head["trust"][1] * state_bts
        + head["trust"][2] * same_bts
        + here["sought"] @ there["sought"].mT
    )
    maps = (like_bts, word_bts, state_bts, same_bts, both_bts)
    turned = tuple(each.mT for each in maps)
    own, other = here["narrow"], there["narrow"]
    seen = [
        _seen(xp, head["claim"], own, other, maps, claim.real, hidden),
        _seen(xp, head["evidence"], other, own, turned, evidence.real, hidden),
    ]
    alike_b = (_meaning(xp, claim) * _meaning(xp, evidence)).sum(-1)
    found_b = xp.where(both_bts, same_bts, 0.0).max(-1).sum(-1) / claim.real.sum(-1)
    longer_b = xp.log(evidence.real.sum(-1) / 32)
    told_b3 = xp.stack([alike_b, found_b, longer_b], axis=-1)
    last_bk = _gelu(xp, _through(head["last"], xp.concatenate([*seen, told_b3], axis=-1)))
    return _through(head["verdict"], last_bk)[..., 0]


def _side(xp: Xp, head: Parameters, read: Read) -> Parameters:
    word, state = _unit(xp, read.word), _unit(xp, read.x)
    both = xp.concatenate([word, state], axis=-1) * read.x.shape[-1] ** 0.5
    return {
        "word": word,
        "state": state,
        "narrow": _through(head["narrow"], both),
        "sought": _through(head["seek"], both) / (WIDTH // 2) ** 0.5,
    }


def _seen(
    xp: Xp,
    part: Parameters,
    own_btk: Tensor,
    other_bsk: Tensor,
    maps: Sequence[Tensor],
    real_bt: Tensor,
    hidden: Hidden | None,
) -> Tensor:
    """Return of one side's tokens the largest and the mean of what is judged at each."""
    like_bts, word_bts, state_bts, same_bts, both_bts = maps
    found_btk = _softmax(xp, xp.where(both_bts, like_bts, -1e9)) @ other_bsk
    same_bts = xp.where(both_bts, same_bts, 0.0)
    ahead_bts = _run(xp, same_bts[..., ::-1, ::-1])[..., ::-1, :]
    signs = [xp.where(both_bts, each, -1.0).max(-1) for each in (word_bts, state_bts)]
    signs += [each.max(-1) for each in (same_bts, _run(xp, same_bts), ahead_bts)]
    seen = [own_btk, found_btk, own_btk * found_btk, xp.abs(own_btk - found_btk)]
    seen_bts = xp.concatenate([*seen, xp.stack(signs, axis=-1)], axis=-1)
    real_bt1 = real_bt[..., None]
    seen_bts = xp.where(real_bt1, seen_bts, 0.0)
    if hidden is not None:
        seen_bts = _with_holes(xp, seen_bts, hidden)
    nothing = xp.zeros_like(seen_bts[..., :1, :])
    before = xp.concatenate([nothing, seen_bts[..., :-1, :]], axis=-2)
    after = xp.concatenate([seen_bts[..., 1:, :], nothing], axis=-2)
    three_bts = xp.concatenate([before, seen_bts, after], axis=-1)
    judged_btk = _gelu(xp, _through(part, three_bts))
    most_bk = xp.where(real_bt1, judged_btk, -1e9).max(-2)
    mean_bk = xp.where(real_bt1, judged_btk, 0.0).sum(-2) / real_bt1.sum(-2)
    return xp.concatenate([most_bk, mean_bk], axis=-1)


def _with_holes(jnp: Xp, seen: Tensor, hidden: Hidden) -> Tensor:
    import jax  # the head learns in JAX alone, and is used without

    kept = jax.random.bernoulli(hidden.key, 1 - hidden.share, seen.shape)
    return jnp.where(kept, seen / (1 - hidden.share), 0.0)


def _run(xp: Xp, same_bts: Tensor) -> Tensor:
    """Return where a token and the one before it are the same on both sides."""
    before = xp.zeros_like(same_bts[..., :1, :])
    down = xp.concatenate([before, same_bts[..., :-1, :]], axis=-2)
    beside = xp.zeros_like(same_bts[..., :, :1])
    return same_bts * xp.concatenate([beside, down[..., :, :-1]], axis=-1)


def _meaning(xp: Xp, read: Read) -> Tensor:
    sum_bd = xp.where(read.real[..., None], read.x, 0.0).sum(-2)
    return _unit(xp, sum_bd)


def _unit(xp: Xp, x: Tensor) -> Tensor:
    return x / (xp.sqrt((x * x).sum(-1, keepdims=True)) + 1e-6)


def _softmax(xp: Xp, x: Tensor) -> Tensor:
    weight = xp.exp(x - x.max(-1, keepdims=True))
    return weight / weight.sum(-1, keepdims=True)


def _gelu(xp: Xp, x: Tensor) -> Tensor:
    """Return the smooth step as its tanh has it, which is enough for a head of our own."""
    return 0.5 * x * (1 + xp.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)))


def _through(part: Parameters, x: Tensor) -> Tensor:
    return x @ part["weight"] + part["bias"]
