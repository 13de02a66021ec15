"""How far our decoder is from each family's own peer: the table that the parity tests keep."""

from __future__ import annotations

from importlib.resources import files

import msgspec

from fairwitness.models.families import FAMILIES


class FamilyStatus(msgspec.Struct, frozen=True):
    """One family that we run. `error_below` bounds every float32 logit of tiny random models."""

    name: str
    title: str
    architectures: tuple[str, ...]  # as config.json names them
    gguf: str | None
    against: str  # the peer, with its version
    cases: tuple[str, ...]
    error_below: float
    native: str  # whether a GGUF file runs in the native step; all run in JAX


class _Row(msgspec.Struct, frozen=True):
    family: str
    against: str
    cases: tuple[str, ...]
    error_below: float
    native: str


def statuses() -> list[FamilyStatus]:
    """Every family of the table, with what its parity tests found."""
    raw = (files("fairwitness.models") / "parity.json").read_bytes()
    rows = {row.family: row for row in msgspec.json.decode(raw, type=list[_Row])}
    return [
        FamilyStatus(
            family.name,
            family.title,
            family.architectures,
            family.gguf,
            rows[family.name].against,
            rows[family.name].cases,
            rows[family.name].error_below,
            rows[family.name].native,
        )
        for family in FAMILIES
    ]
