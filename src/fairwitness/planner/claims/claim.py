"""A published claim as data, and the rule that turns it into a verdict.

Nobody types a verdict in. A claim states a number; a formula of ours computes one from inputs that
each have a source. If both agree within the tolerance it is reproduced. If not, the claim may name
what it hides (`only_if`): other inputs under which they agree make it conditional. Else it is
refuted. A claim that states nothing to compare with is an input of somebody's plan.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from itertools import product
from typing import Literal

import msgspec
import numpy as np

from fairwitness.planner.amounts import shown
from fairwitness.planner.claims.formulas import FORMULAS
from fairwitness.planner.errors import PlanError

Verdict = Literal["reproduced", "refuted", "conditional", "input"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "refuted", "conditional", "input")
Relation = Literal["about", "at_least", "at_most"]
Interval = tuple[float, float]

_RECORDED = 5e-3
"""How far, relatively, a computed figure may be from the one that is recorded."""


class Premise(msgspec.Struct, frozen=True, rename={"value": "is", "source": "from"}):
    """One input of a formula: a number, its lowest and highest value, or a name."""

    value: float | Interval | str
    source: str


class Record(msgspec.Struct, frozen=True):
    """What came out when the claim was last looked at."""

    verdict: Verdict
    computed: Interval


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody said, and how to check it. Numbers are in the base unit `unit`."""

    id: str
    says: str
    quote: str
    """A few words of the original, in its language; empty where it is our own question."""
    formula: str
    inputs: dict[str, Premise]
    reason: str
    came_out: Record
    unit: str = ""
    stated: float | Interval | None = None
    relation: Relation = "about"
    tolerance: float = 0.0
    """Relative to what is stated."""
    slack: float = 0.0
    """In the unit, for dates and the like."""
    only_if: dict[str, Premise] = {}
    source: str = ""

    @property
    def sources(self) -> tuple[str, ...]:
        """Who said it, then where the inputs are from, each once."""
        premises = (*self.inputs.values(), *self.only_if.values())
        return tuple(dict.fromkeys((self.source, *(each.source for each in premises))))


class Judged(msgspec.Struct, frozen=True):
    """A claim with what we make of it."""

    claim: Claim
    computed: Interval
    computed_if: Interval | None
    """Under what the claim hides."""
    verdict: Verdict

    @property
    def as_recorded(self) -> bool:
        """Whether it came out as the data says."""
        wanted = self.claim.came_out
        near = np.isclose(self.computed, wanted.computed, rtol=_RECORDED, atol=1e-12)
        return self.verdict == wanted.verdict and bool(near.all())

    @property
    def stated_text(self) -> str:
        """The stated number with its sentence and a few of its words."""
        words = f" ({self.claim.quote})" if self.claim.quote else ""
        if self.claim.stated is None:
            return f"{self.claim.says}{words}"
        sign = {"about": "", "at_least": "at least ", "at_most": "at most "}[self.claim.relation]
        return f"{sign}{_text(_interval(self.claim.stated), self.claim.unit)}: " + (
            self.claim.says + words
        )

    @property
    def computed_text(self) -> str:
        """The computed number; with the one that holds if what is hidden is granted."""
        text = _text(self.computed, self.claim.unit)
        if self.computed_if is None:
            return text
        hidden = ", ".join(f"{k} = {_premise(v)}" for k, v in self.claim.only_if.items())
        return f"{text}; {_text(self.computed_if, self.claim.unit)} if {hidden}"

    @property
    def reason_text(self) -> str:
        """Why, in a sentence; or what has changed since it was written."""
        if self.as_recorded:
            return self.claim.reason
        was = self.claim.came_out
        return (
            f"this was recorded as {was.verdict} with {_text(was.computed, self.claim.unit)}; "
            "a formula or an input has changed since"
        )


def judge(claim: Claim) -> Judged:
    """Compute a claim and compare."""
    computed = compute(claim, claim.inputs)
    if claim.stated is None:
        return Judged(claim, computed, None, "input")
    if agrees(claim, computed):
        return Judged(claim, computed, None, "reproduced")
    if not claim.only_if:
        return Judged(claim, computed, None, "refuted")
    granted = compute(claim, {**claim.inputs, **claim.only_if})
    return Judged(claim, computed, granted, "conditional" if agrees(claim, granted) else "refuted")


def compute(claim: Claim, inputs: Mapping[str, Premise]) -> Interval:
    """Return the lowest and the highest result over all ends of the inputs' intervals."""
    formula = FORMULAS[claim.formula]
    ends = [
        each.value if isinstance(each.value, tuple) else (each.value,) for each in inputs.values()
    ]
    found = [float(formula(**dict(zip(inputs, values, strict=True)))) for values in product(*ends)]
    return min(found), max(found)


def agrees(claim: Claim, computed: Interval) -> bool:
    """Return whether a computed interval meets what is stated.

    "About" means that both intervals touch, the stated one widened by its tolerance. Bounds are
    held against the middle of what was computed.
    """
    assert claim.stated is not None
    low, high = _interval(claim.stated)
    low -= abs(low) * claim.tolerance + claim.slack
    high += abs(high) * claim.tolerance + claim.slack
    if claim.relation == "about":
        return computed[0] <= high and low <= computed[1]
    middle = (computed[0] + computed[1]) / 2
    return middle >= low if claim.relation == "at_least" else middle <= high


@cache
def claims() -> tuple[Claim, ...]:
    """Return all claims that ship with us, in the order of their articles.

    Raises:
        PlanError: a file names a formula or source that is not there; it is ours, so mend it.
    """
    files = sorted(
        (f for f in resources.files(__package__).iterdir() if f.name.endswith(".toml")),
        key=lambda file: file.name,
    )
    found = tuple(claim for file in files for claim in read_claims(file.read_text("utf-8")))
    twice = {claim.id for claim in found if [c.id for c in found].count(claim.id) > 1}
    if twice:
        raise PlanError(f"claims: {', '.join(sorted(twice))} stand there twice")
    return found


class _File(msgspec.Struct, forbid_unknown_fields=True):
    source: str
    sources: dict[str, str]
    claims: list[Claim]


def read_claims(text: str) -> tuple[Claim, ...]:
    """Read a file of claims; `from = "epoch"` is looked up in its table of sources."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PlanError(f"claims: {error}") from error
    return tuple(_sourced(claim, file) for claim in file.claims)


def _sourced(claim: Claim, file: _File) -> Claim:
    if claim.formula not in FORMULAS:
        raise PlanError(f"claims: {claim.id}: {claim.formula!r} is no formula of ours")
    sources = {"article": file.source, **file.sources}

    def told(premises: Mapping[str, Premise]) -> dict[str, Premise]:
        for name, each in premises.items():
            if each.source not in sources:
                raise PlanError(f"claims: {claim.id}: {name}: no source {each.source!r}")
        return {
            name: msgspec.structs.replace(each, source=sources[each.source])
            for name, each in premises.items()
        }

    return msgspec.structs.replace(
        claim,
        source=claim.source or file.source,
        inputs=told(claim.inputs),
        only_if=told(claim.only_if),
    )


def _interval(value: float | Interval) -> Interval:
    return value if isinstance(value, tuple) else (value, value)


def _premise(premise: Premise) -> str:
    value = premise.value
    if isinstance(value, str):
        return value
    return _text(_interval(value), "")


def _text(interval: Interval, unit: str) -> str:
    low, high = interval
    if unit == "date":
        first, last = f"{round(low, 1):g}", f"{round(high, 1):g}"
        return first if first == last else f"{first} .. {last}"
    if low == high:
        return shown(low, unit)
    first, last = shown(low, unit), shown(high, unit)
    return first if first == last else f"{first} .. {last}"
