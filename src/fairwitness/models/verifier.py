"""The model that verifies: encoder, head, trees and threshold as one thing.

The encoder is fetched on first use (`encoder_download`), the head comes with the package, in
`entailment.safetensors`: made by `python -m fairwitness.train` and pinned by its hash. What it says
is a probability, brought into line with how often claims held where it was trained.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from fairwitness.models.encoder import EncoderConfig, Floats, Parameters
from fairwitness.models.encoder_download import ENCODER, find_encoder
from fairwitness.models.encoder_files import open_encoder
from fairwitness.models.entailment import Reader, logits, shapes
from fairwitness.models.errors import ModelFileError
from fairwitness.models.safetensors import Safetensors, open_safetensors
from fairwitness.models.signs import signs
from fairwitness.models.telling import sentences_of, telling
from fairwitness.models.trees import Trees, trees_of

HEAD = Path(__file__).with_name("entailment.safetensors")
HEAD_SHA256 = "d096d86eeaa589f97aa3c5781838857c8b1f8536df2a3594879f87fc572152d1"
NAME = f"{ENCODER}+entailment-2"
MOST_PIECES = 116
"""Of claim and evidence together, beyond which only what tells most of the evidence is read: what
a pair takes grows with its pieces."""


@dataclass(frozen=True)
class Head:
    """What was learned: weights, trees, how sure a logit is, and from when on a claim passes."""

    weights: Parameters
    trees: Trees
    scale: float
    """Of the trees' logit, so that its probability is neither too sure nor too shy."""
    shift: float
    threshold: float
    """Of the probability; chosen on the folds that were learned from."""

    def surety(self, logit: float) -> float:
        """Return the probability that a logit stands for."""
        return float(1 / (1 + np.exp(-(self.scale * logit + self.shift))))


def open_head(path: Path = HEAD) -> Head:
    """Read a head.

    Raises:
        ModelFileError: damaged, or another than this version was made for.
    """
    file = open_safetensors(path)
    if path == HEAD and hashlib.sha256(path.read_bytes()).hexdigest() != HEAD_SHA256:
        raise ModelFileError(path, "is not the head that this version came with")
    told = _read(file, "calibration", (3,))
    weights = {
        name: _part(file, name, shape) for name, shape in shapes(EncoderConfig().width).items()
    }
    trees = trees_of(*(_flat(file, f"trees.{name}") for name in Trees._fields))
    return Head(weights, trees, float(told[0]), float(told[1]), float(told[2]))


def _part(file: Safetensors, name: str, shape: tuple[int, ...]) -> object:
    if len(shape) == 1:
        return _read(file, name, shape)
    return {
        "weight": _read(file, f"{name}.weight", shape),
        "bias": _read(file, f"{name}.bias", shape[1:]),
    }


def _read(file: Safetensors, name: str, shape: tuple[int, ...]) -> Floats:
    array = file.read(name)
    if array.shape != shape:
        raise ModelFileError(file.path, f"tensor {name!r} has shape {array.shape}, not {shape}")
    return array


def _flat(file: Safetensors, name: str) -> Floats:
    return _read(file, name, (file.tensors[name].shape if name in file.tensors else (0,)))


def row_of(reader: Reader, weights: Parameters, claim: str, evidence: str) -> Floats:
    """Return what the trees read of a pair: its signs, and last what the head says."""
    own, other = reader.read(claim, evidence)
    said = np.float32(logits(np, weights, own, other))
    row: Floats = np.append(signs(claim, evidence, own, other), said)
    return row


class Verifier:
    """Says how surely a claim follows from a text in English."""

    name = NAME

    def __init__(self, reader: Reader, head: Head) -> None:
        self.reader, self._head = reader, head
        self.threshold = head.threshold

    def follows(self, claim: str, evidence: str) -> float:
        """Return the probability that `claim` follows from `evidence`."""
        row = row_of(self.reader, self._head.weights, claim, self.narrowed(claim, evidence))
        return self._head.surety(self._head.trees.logit(row))

    def narrowed(self, claim: str, evidence: str) -> str:
        """Return what is read of `evidence`: all, or of much those of its sentences that tell most
        of the claim; one at least, however long."""
        parts = sentences_of(evidence)
        lengths = {part: self.reader.length(part) for part in parts}
        room = MOST_PIECES - self.reader.length(claim)
        if sum(map(lengths.__getitem__, parts)) <= room:
            return evidence
        return telling(claim, parts, len(parts), room, lengths.__getitem__)


def open_verifier(encoder: Path) -> Verifier:
    """Open the verifier over an encoder's file.

    Raises:
        ModelFileError: a file is damaged.
    """
    return Verifier(Reader(*open_encoder(encoder)), open_head())


@lru_cache(1)
def the_verifier() -> Verifier | None:
    """Return the verifier of this machine, opened once; None when its encoder was not fetched."""
    encoder = find_encoder()
    return open_verifier(encoder) if encoder else None
