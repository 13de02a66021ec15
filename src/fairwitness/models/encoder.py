"""The network that reads a text both ways: a BERT encoder, as a config and pure functions in numpy.

Each token sees every other of its text, and its state says what it means there. Texts are read at
their own lengths: nothing is filled up, nothing is compiled, and the first call is as quick as the
next. Layers are one native call for all texts, or plain float32 where there are no native kernels.

Shapes: t tokens, d width, h heads, k width of a head, f inner width, v vocabulary.
The arithmetic is that of `BertModel` in github.com/huggingface/transformers: norms after sums, and
the exact gelu.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels.layers import Stack, stack

Floats = NDArray[np.float32]
Parameters = dict[str, Any]

# erf by formula 7.1.26 of Abramowitz and Stegun, wrong by 1.5e-7 at most
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERF_P = 0.3275911
_ROWS_AT_ONCE = 8


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes; the defaults are those of all-MiniLM-L6-v2."""

    vocabulary: int = 30_522
    places: int = 512
    width: int = 384
    layers: int = 6
    heads: int = 12
    inner: int = 1_536
    epsilon: float = 1e-12

    def shape(self, matrix: str) -> tuple[int, int]:
        """How many numbers go into a matrix of a layer, and how many come out."""
        wide = {"up": (self.width, self.inner), "down": (self.inner, self.width)}
        return wide.get(matrix, (self.width, self.width))


def encode(
    config: EncoderConfig, parameters: Parameters, texts: Sequence[Sequence[int]]
) -> list[Floats]:
    """Return x_td of each text, the states of its tokens; at most `places` tokens a text.

    Together they take less time than one by one, since weights are read once; what is said of a
    text does not depend on the others.
    """
    read = [_begun(config, parameters, ids) for ids in texts]
    native: Stack | None = parameters["stack"]
    if native is not None:
        return native.through(read)
    for layer in parameters["layers"]:
        read = [_layer(config, layer, x_td) for x_td in read]
    return read


def _begun(config: EncoderConfig, parameters: Parameters, ids: Sequence[int]) -> Floats:
    x_td = parameters["words"](ids) + parameters["kinds_2d"][0]
    return _normed(config, parameters["norm"], x_td + parameters["places_td"][: len(ids)])


def stacked(config: EncoderConfig, layers: Sequence[Parameters]) -> Stack | None:
    """Return layers, with matrices of float32, as one native call takes them, if there is one."""
    return stack([_joined(layer) for layer in layers], config.heads, config.epsilon)


def _joined(layer: Parameters) -> Parameters:
    parts = [layer[name] for name in ("query", "key", "value")]
    heads = {key: np.concatenate([part[key] for part in parts]) for key in ("weight", "bias")}
    return {**layer, "heads": heads}


def meaning(x_td: Floats) -> Floats:
    """Return the mean state of a text, brought to length one; the product of two is how alike they
    are, which is what the encoder was trained to tell."""
    mean_d = x_td.mean(0)
    unit_d: Floats = mean_d / np.linalg.norm(mean_d)
    return unit_d


def _layer(config: EncoderConfig, layer: Parameters, x_td: Floats) -> Floats:
    query, key, value = (
        _heads(config, _through(layer[n], x_td)) for n in ("query", "key", "value")
    )
    score_hts = query @ key.transpose(0, 2, 1) / (config.width / config.heads) ** 0.5
    weight_hts = np.exp(score_hts - score_hts.max(-1, keepdims=True))
    weight_hts /= weight_hts.sum(-1, keepdims=True)
    seen_td = (weight_hts @ value).transpose(1, 0, 2).reshape(x_td.shape)
    x_td = _normed(config, layer["seen_norm"], x_td + _through(layer["output"], seen_td))
    thought_tf = gelu(_through(layer["up"], x_td))
    return _normed(config, layer["thought_norm"], x_td + _through(layer["down"], thought_tf))


def gelu(x_tf: Floats) -> Floats:
    """Return x times the share of a normal distribution that lies below x.

    A few rows at a time: what is made on the way then stays in the cache of the processor.
    """
    grown_tf = np.empty_like(x_tf)
    for at in range(0, len(x_tf), _ROWS_AT_ONCE):
        x = x_tf[at : at + _ROWS_AT_ONCE]
        far = np.abs(x) * np.float32(0.5**0.5)
        near = 1 / (1 + _ERF_P * far)
        tail = near * _ERF[4]
        for factor in _ERF[3::-1]:
            tail += factor
            tail *= near
        far *= far
        np.negative(far, out=far)
        tail *= 0.5 * np.exp(far, out=far)
        np.multiply(x, np.where(x >= 0, 1 - tail, tail), out=grown_tf[at : at + _ROWS_AT_ONCE])
    return grown_tf


def _heads(config: EncoderConfig, x_td: Floats) -> Floats:
    return x_td.reshape(len(x_td), config.heads, -1).transpose(1, 0, 2)


def _through(part: Parameters, x_td: Floats) -> Floats:
    """Return x times the transpose of a matrix, and its bias added."""
    y: Floats = x_td @ part["weight"].T + part["bias"]
    return y


def _normed(config: EncoderConfig, norm: Parameters, x_td: Floats) -> Floats:
    centred = x_td - x_td.mean(-1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + config.epsilon)
    normed: Floats = centred / spread * norm["scale"] + norm["bias"]
    return normed
