"""The door: what people type becomes numbers in the unit that a formula wants, or a plain refusal.

Inside the room every number is a float whose name says its unit. Only here are units objects, from
pint, which is imported when the first text is read. The registry is our own short list, not pint's:
in that one `Mb` is a megabarn and `a` an are, and both would pass in silence.

Nouns (token, chip, user) are dimensions, so tokens are no users. A value may leave out nouns that
the field has (`2 USD/h` for USD/chip/h) and may not bring others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from fairwitness.planner.errors import InputError

if TYPE_CHECKING:
    import pint

NOUNS = ("token", "chip", "server", "user", "query", "post", "person", "machine")
CURRENCIES = ("USD", "EUR", "GBP", "CNY", "JPY")
# A year as electricity bills and contracts count it: 8,760 h; a month is a twelfth of that.
_DEFINITIONS = """
pico- = 1e-12 = p-
nano- = 1e-9 = n-
micro- = 1e-6 = u- = µ-
milli- = 1e-3 = m-
kilo- = 1e3 = k-
mega- = 1e6 = M-
giga- = 1e9 = G-
tera- = 1e12 = T-
peta- = 1e15 = P-
exa- = 1e18 = E-
kibi- = 2**10 = Ki-
mebi- = 2**20 = Mi-
gibi- = 2**30 = Gi-
tebi- = 2**40 = Ti-
percent = 0.01 = %
thousand = 1e3
million = 1e6
billion = 1e9
trillion = 1e12
second = [time] = s = sec
minute = 60 * second = min
hour = 3600 * second = h = hr
day = 24 * hour = d
week = 7 * day = wk
year = 365 * day = yr = y
month = year / 12 = mo
joule = [energy] = J
watt = joule / second = W
watthour = watt * hour = Wh
gram = [mass] = g
tonne = 1e6 * gram = t
pound = 453.59237 * gram = lb
litre = [volume] = l = L = liter
cubic_metre = 1000 * litre = m3
gallon = 3.785411784 * litre = gal
bit = [information]
byte = 8 * bit = B
flop = [work] = FLOP = OP
metre = [length] = m
foot = 0.3048 * metre = ft
token = [token]
chip = [chip] = GPU = gpu = TPU = accelerator
server = [server] = node
user = [user]
query = [query] = queries = question = request = req
post = [post]
person = [person] = people = head
machine = [machine] = car = cars
"""
_NUMBER = r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d[\d_]*)?(?:\.\d+)?(?:[eE][-+]?\d+)?"
_AMOUNT = re.compile(rf"\s*({_NUMBER})\s*(.*?)\s*")
_SHORT = {
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "B": 1e9,
    "bn": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
}
_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP"}
_KINDS = {
    "W": "power",
    "Wh": "energy",
    "s": "time",
    "byte": "an amount of data",
    "byte/s": "a rate of data",
    "FLOP": "work",
    "FLOP/s": "a rate of work",
    "USD": "money",
    "USD/kWh": "a price of energy",
    "g": "mass",
    "l": "a volume",
}
# What people write and what they may mean by it.
_UNCLEAR = {
    r"(?<![A-Za-z])[kMGTP]?b(?:ps)?(?![A-Za-z])": "bits are written Mbit/s, bytes MB/s",
    r"[kMGTPE](?:FLOPS|flops|FLOPs)(?![A-Za-z])": "a rate is written TFLOP/s, an amount TFLOP",
    r"[TGPE]?OPS(?![A-Za-z])": "a rate is written TOP/s",
    r"¥": "write CNY or JPY",
    r"(?<![A-Za-z])(?:K[Ww][Hh]|k[Ww]H|kw[Hh]|M[Ww]H|Mw[Hh])": "energy is written kWh or MWh",
}


class Unit(NamedTuple):
    """What a field wants: the text of its unit, and whether it may be said in bits."""

    text: str
    bits: bool = False


Rates = Mapping[str, float]  # USD for one unit of another currency


def amount(field: str, text: str, unit: Unit, right: str, rates: Rates) -> float:
    """Return `text` ("700 kW") in `unit`; `right` is what to write instead, for the error."""
    number, said = split(field, text, right)
    if not said:
        if not countable(unit.text):
            raise InputError(field, text, f"has no unit, and this is in {unit.text}", right)
        return number
    short, _, rest = said.partition(" ")
    if short in _SHORT and countable(unit.text):
        if not rest:
            return number * _SHORT[short]
        number, said = number * _SHORT[short], rest
    said = _plain(said)
    return number * _factor(field, text, said, unit, right, rates)


def split(field: str, text: str, right: str) -> tuple[float, str]:
    """Return the number and the text of the unit behind it, which may be empty."""
    for sign, code in _SIGNS.items():
        # "$5" puts first what everything else puts behind.
        text = re.sub(rf"^\s*{re.escape(sign)}\s*({_NUMBER})", rf"\1 {code}", text)
        text = text.replace(sign, code)
    match = _AMOUNT.fullmatch(text)
    assert match is not None  # the unit takes whatever is left
    digits, said = match[1], match[2]
    if not re.search(r"\d", digits):
        raise InputError(field, text.strip(), "is no number", right)
    if re.match(r",\d", said):
        raise InputError(field, text, "has a comma in its number", "write a decimal point: 0.08")
    return float(digits.replace(",", "").replace("_", "")), said


def _plain(said: str) -> str:
    """Return a unit without the shorthand of people: "/day", "USD per hour", "USD/GPU-h"."""
    said = re.sub(r"\s+per\s+", "/", f"1{said}" if said.startswith("/") else said)
    over, *under = said.split("/")
    hyphen = r"(?<=[A-Za-z])-(?=[A-Za-z])"
    return "/".join([re.sub(hyphen, "*", over), *(re.sub(hyphen, "/", each) for each in under)])


def countable(unit: str) -> bool:
    """Return whether a bare number is clear: a fraction, a count, or a count of a noun."""
    return unit in ("", *NOUNS)


def check_unit(unit: str) -> None:
    """Raise if pint cannot read a unit of ours: for tests of the tables of fields."""
    if unit:
        _registry().parse_units(unit)


def _factor(field: str, text: str, said: str, unit: Unit, right: str, rates: Rates) -> float:
    given = _unit_of(field, text, said, right)
    wanted = _registry().parse_units(unit.text) if unit.text else _registry().dimensionless
    have, want = _dimensions(given), _dimensions(wanted)
    if "bit" in str(given) and "[information]" in want and not unit.bits:
        plain = given._REGISTRY.Quantity(1.0, given).to(wanted).magnitude
        problem = f"is in bits, and this is in bytes (a {said} is {plain:g} {unit.text})"
        raise InputError(field, text, problem, f"if bytes were meant, {right}")
    factor = _exchange(field, text, have, want, rates)
    for noun in NOUNS:
        if f"[{noun}]" not in have and f"[{noun}]" in want:
            del want[f"[{noun}]"]
    if have != want:
        problem = f"is {_kind(given)}, and this is in {unit.text or 'a plain number'}"
        raise InputError(field, text, problem, right)
    # Both in root units: their ratio is all that is left between equal dimensions.
    return factor * _root(str(given)) / _root(str(wanted))


def _unit_of(field: str, text: str, said: str, right: str) -> pint.Unit:
    for pattern, hint in _UNCLEAR.items():
        if re.search(pattern, said):
            raise InputError(field, text, f"has an unclear unit {said!r}", hint)
    try:
        return _parsed(said)
    except Exception as error:  # pint's parser lets errors of many kinds through
        problem = f"has a unit that we do not know, {said!r}"
        raise InputError(field, text, problem, right) from error


def _dimensions(unit: pint.Unit) -> dict[str, float]:
    return {name: float(power) for name, power in dict(unit.dimensionality).items()}  # type: ignore[arg-type]


@cache
def _parsed(said: str) -> pint.Unit:
    unit: pint.Unit = _registry().parse_units(said)
    return unit


@cache
def _root(unit: str) -> float:
    if unit == "dimensionless":
        return 1.0
    return float(_registry().Quantity(1.0, unit).to_root_units().magnitude)


def _exchange(
    field: str, text: str, have: dict[str, float], want: dict[str, float], rates: Rates
) -> float:
    """Return the rate from the currency that is said to ours, and make `have` say ours."""
    money = {f"[{code}]": code for code in CURRENCIES}
    said = next((money[each] for each in have if each in money), "")
    ours = next((money[each] for each in want if each in money), "")
    if not said or not ours or said == ours:
        return 1.0
    if said not in rates:
        problem = f"is in {said}, and this plan counts in {ours}"
        raise InputError(field, text, problem, f"give the rate, for example --currency {said}=1.1")
    power = have.pop(f"[{said}]")
    have[f"[{ours}]"] = power
    return float(rates[said] ** power)


def _kind(unit: pint.Unit) -> str:
    """Return in words what a unit measures, as far as we have a word."""
    for text, kind in _KINDS.items():
        if _registry().parse_units(text).dimensionality == unit.dimensionality:
            return kind
    return f"in {unit:~}" if not unit.dimensionless else "a plain number"


@cache
def _registry() -> pint.UnitRegistry[float]:
    import pint  # 0.15 s: only who reads texts pays for it

    registry: pint.UnitRegistry[float] = pint.UnitRegistry(None)
    lines = [*_DEFINITIONS.strip().splitlines(), *(f"{c} = [{c}]" for c in CURRENCIES)]
    for line in lines:
        registry.define(line)
    return registry
