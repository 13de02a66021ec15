"""The inputs and outputs of a verb, declared once.

The options of the command line, the keys of a plan file, the JSON and the page's table of inputs
all come from these tables. A `Field` is a number with a unit, a `Word` is a text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairwitness.planner.errors import InputError, near
from fairwitness.planner.ranges import Number

if TYPE_CHECKING:
    from fairwitness.planner.inputs import Inputs
    from fairwitness.planner.result import Result

# Says how long work goes: what is being done, how much of it is done, how much there is.
Told = Callable[[str, int, int], None]
Values = Mapping[str, Number]
Compute = Callable[[Values], Mapping[str, Number]]

_PLURAL = {"FLOP": "flops", "byte": "bytes", "month": "months", "year": "years", "token": "tokens",
           "chip": "chips", "server": "servers", "user": "users", "query": "queries",
           "post": "posts", "person": "people", "machine": "machines"}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """A number that a verb takes.

    Args:
        name: key in a plan file, and option (`chip_power` is `--chip-power`).
        unit: what the formulas want: "W", "USD/kWh", "" for a count or fraction.
        help: what it is, in a sentence.
        default: as a person would type it; without one the field is optional.
        source: where the default is from.
        figure: "chip.power" takes the default from figure `power` of the catalogue's row that the
            word `chip` names.
        least, most: bounds; least=-inf for a number that may be negative.
        zero: whether 0 can be meant.
        whole: whether only whole numbers can be meant.
        bits: whether it may be said in bits, as speeds of lines are.
        needed: ask for it when nobody gave it.
    """

    name: str
    unit: str
    help: str
    default: str | None = None
    source: str = ""
    figure: str = ""
    least: float = 0.0
    most: float = math.inf
    zero: bool = False
    whole: bool = False
    bits: bool = False
    needed: bool = False

    @property
    def key(self) -> str:
        """The name under which formulas get it: with its unit."""
        return key_of(self.name, self.unit)

    @property
    def right(self) -> str:
        """What to write instead of something wrong."""
        if self.default is not None:
            return f"write it like {self.default}"
        return f"write it like {_EXAMPLES.get(self.unit, f'1 {self.unit}'.strip())}"


@dataclass(frozen=True)
class Word:
    """A text that a verb takes: a name, a choice, a file."""

    name: str
    help: str
    default: str | None = None
    source: str = ""
    choices: tuple[str, ...] = ()
    kind: str = ""  # the kind of catalogue row that it names
    needed: bool = False

    def check(self, text: str) -> None:
        """Raise InputError unless `text` is one of the choices."""
        if self.choices and text not in self.choices:
            raise InputError(self.name, text, "is no choice", f"write {', '.join(self.choices)}")


@dataclass(frozen=True)
class Output:
    """A number that a verb gives; `swings` asks what moves it most."""

    name: str
    unit: str
    label: str
    swings: bool = False
    note: str = ""

    @property
    def key(self) -> str:
        """The name under which formulas give it: with its unit."""
        return key_of(self.name, self.unit)


@dataclass(frozen=True)
class Verb:
    """One kind of plan."""

    name: str
    help: str
    example: str  # the options of a call that can be typed
    fields: tuple[Field | Word, ...]
    plan: Callable[[Inputs, Told], Result]

    def field(self, name: str) -> Field | Word:
        """Return the field of that name; say which is near if there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        names = [field.name for field in self.fields]
        right = near(name, names, f"see fairwitness plan {self.name} --help")
        raise InputError(name, self.name, "takes no such input", right)


_EXAMPLES = {
    "W": "700 kW",
    "kWh": "10 MWh",
    "USD": "5 MUSD",
    "USD/kWh": "0.08 USD/kWh",
    "USD/chip/h": "2.5 USD/h",
    "byte": "80 GB",
    "byte/s": "3.35 TB/s",
    "FLOP/s": "989 TFLOP/s",
    "month": "18 months",
    "kg/kWh": "370 g/kWh",
    "l/kWh": "1.8 l/kWh",
}


def key_of(name: str, unit: str) -> str:
    """Return a name with its unit: ("energy", "USD/kWh") is energy_usd_per_kwh.

    A name that ends in its noun does not say it twice: ("chips", "chip") is chips.
    """
    if not unit:
        return name
    over, *under = unit.replace("-", "_").split("/")
    first = _PLURAL.get(over, over.lower())
    suffix = "_".join(part.lower() for part in under)
    said = "_per_".join(part for part in ("" if over == "1" else first, suffix) if part)
    if over == "1":
        said = f"per_{suffix}"
    if name == said or name.endswith(f"_{said}"):
        return name
    return f"{name}_{said}"
