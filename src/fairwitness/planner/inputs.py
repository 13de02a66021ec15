"""What a plan is made from: every input with its text, its spread, and where it is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fairwitness.planner.catalogue import Catalogue, bundled
from fairwitness.planner.errors import InputError, PlanError
from fairwitness.planner.fields import Field, Verb, Word
from fairwitness.planner.ranges import COUNT, HIGH, LOW, Number, Spread, draws
from fairwitness.planner.reading import read
from fairwitness.planner.units import CURRENCIES, Rates

Origin = Literal["you", "default", "catalogue"]
_MOST_DRAWS = 1_000_000


@dataclass(frozen=True)
class Given:
    """One input: what was said, what it means (words mean themselves), and who said so."""

    field: Field | Word
    text: str
    spread: Spread | None
    origin: Origin
    source: str


@dataclass(frozen=True)
class Inputs:
    """All inputs of one plan."""

    verb: Verb
    given: Mapping[str, Given]
    catalogue: Catalogue
    rates: Rates
    count: int = COUNT
    seed: int = 0

    def word(self, name: str) -> str:
        """Return a word; empty if nobody gave one."""
        return self.given[name].text if name in self.given else ""

    def draws(self) -> dict[str, Number]:
        """Return each number by its key: an array of draws, or a float if it is certain."""
        drawn = draws(self._spreads(), self.count, self.seed)
        return {self._key(name): value for name, value in drawn.items()}

    def middle(self) -> dict[str, float]:
        """Return the median of each number by its key."""
        return {self._key(name): spread.median for name, spread in self._spreads().items()}

    def uncertain(self) -> tuple[str, ...]:
        """Return the names of the inputs that are more than one number."""
        return tuple(name for name, spread in self._spreads().items() if not spread.certain)

    def swings(self) -> dict[str, Number]:
        """Return the values for a tornado, by key.

        Arrays of 2 n + 1 numbers for n uncertain inputs: first all at their medians, then each in
        turn at its 10 % point, then each at its 90 % point.
        """
        names = self.uncertain()
        values: dict[str, Number] = dict(self.middle())
        for place, name in enumerate(names):
            spread = self._spreads()[name]
            column = np.full(2 * len(names) + 1, spread.median)
            column[1 + place] = spread.quantile(LOW)
            column[1 + len(names) + place] = spread.quantile(HIGH)
            values[self._key(name)] = column
        return values

    def _spreads(self) -> dict[str, Spread]:
        return {
            name: given.spread for name, given in self.given.items() if given.spread is not None
        }

    def _key(self, name: str) -> str:
        field = self.given[name].field
        assert isinstance(field, Field)
        return field.key


def read_inputs(
    verb: Verb,
    said: Mapping[str, str],
    *,
    sources: Mapping[str, tuple[Origin, str]] | None = None,
    catalogue: Catalogue | None = None,
    rates: Rates | None = None,
    count: int = COUNT,
    seed: int = 0,
) -> Inputs:
    """Return the inputs of a plan: what was said, and defaults for the rest.

    Args:
        said: texts by field name.
        sources: origin and source of what was said, where it was not the user.

    Raises:
        InputError: names the field, the value and what would be right.
    """
    for name in said:
        verb.field(name)
    if not 1 <= count <= _MOST_DRAWS:
        raise InputError("draws", count, "is no useful number", f"write 1 to {_MOST_DRAWS}")
    if seed < 0:
        raise InputError("seed", seed, "is negative", "write 0 or more")
    catalogue = catalogue or bundled()
    rates = rates or {}
    _check_rates(rates)
    given: dict[str, Given] = {}
    # Words first: the defaults of fields hang on them.
    for field in sorted(verb.fields, key=lambda field: isinstance(field, Field)):
        text, origin, source = _told(field, said, sources or {}, given, catalogue)
        if text is None:
            continue
        spread = _spread(field, text, catalogue, rates)
        given[field.name] = Given(field, text, spread, origin, source)
    ordered = {field.name: given[field.name] for field in verb.fields if field.name in given}
    return Inputs(verb, ordered, catalogue, rates, count, seed)


def _told(
    field: Field | Word,
    said: Mapping[str, str],
    sources: Mapping[str, tuple[Origin, str]],
    given: Mapping[str, Given],
    catalogue: Catalogue,
) -> tuple[str | None, Origin, str]:
    if field.name in said:
        origin, source = sources.get(field.name, ("you", ""))
        return said[field.name].strip(), origin, source
    if isinstance(field, Field) and field.figure:
        word, _, figure = field.figure.partition(".")
        row = catalogue.row(given[word].text) if word in given else None
        if row and figure in row.said:
            found = row.said[figure]
            return found.text, "catalogue", f"{row.name}: {found.source}, {found.date}"
    if field.default is None and field.needed:
        right = field.right if isinstance(field, Field) else field.help
        option = field.name.replace("_", "-")
        raise InputError(field.name, "", "was not given", f"--{option}: {right}")
    return field.default, "default", field.source


def _spread(field: Field | Word, text: str, catalogue: Catalogue, rates: Rates) -> Spread | None:
    if isinstance(field, Field):
        return read(field, text, rates)
    field.check(text)
    if field.kind:
        row = catalogue.row(text, field.name)
        if row.kind != field.kind:
            names = ", ".join(each.name for each in catalogue.rows(field.kind))
            raise InputError(field.name, text, f"is a {row.kind}", f"write one of {names}")
    return None


def _check_rates(rates: Rates) -> None:
    for code, rate in rates.items():
        if code not in CURRENCIES or code == "USD":
            right = f"write one of {', '.join(CURRENCIES[1:])}"
            raise InputError("currency", code, "is no currency that we know", right)
        if not 0 < rate < float("inf"):
            raise PlanError(
                f"currency: {code}={rate:g} is no rate; write how many USD one {code} is"
            )
