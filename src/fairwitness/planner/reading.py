"""What a field accepts: a text becomes a spread in the field's unit, or an error that names both.

    700 kW                          a point
    2..4 USD/h                      a range: its 5 and 95 % points
    2..4 USD/h (10-90 %)            the same with other points
    uniform(1..2)  normal(..)  lognormal(1e-5..8e-5 1/h)  triangular(2..3..5 USD/h)

A plain range becomes lognormal where a number is positive and has no upper bound, logit-normal
where the field has both bounds (a fraction), normal where it may be negative, and uniform where an
end stands on a bound, which the others never reach.
"""

import math
import re
from itertools import pairwise

from fairwitness.planner.errors import InputError
from fairwitness.planner.fields import Field
from fairwitness.planner.ranges import Kind, Spread, point
from fairwitness.planner.units import Rates, Unit, amount, split

_SHAPED = re.compile(r"\s*(uniform|normal|lognormal|triangular)\s*\((.*)\)\s*")
# More than this was meant in another unit. Orders of magnitude, with room to spare: 8e9 people
# live, use 2e13 W, and make what is worth 1e14 USD in a year.
_ALL_THERE_IS = {
    "user": 1e10,
    "person": 1e10,
    "machine": 1e11,
    "chip": 1e10,
    "W": 2e13,
    "USD": 1e15,
    "year": 1e3,
    "month": 1.2e4,
}
_POINTS = re.compile(r"(.*?)\(\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*%\s*\)\s*")


def read(field: Field, text: str, rates: Rates) -> Spread:
    """Return what `text` says of a field; raise InputError if that cannot be meant."""
    shape, inner = "", text
    if shaped := _SHAPED.fullmatch(text):
        shape, inner = shaped[1], shaped[2]
    elif re.match(r"\s*[A-Za-z]+\s*\(", text):
        right = "write uniform(..), normal(..), lognormal(..) or triangular(..)"
        raise InputError(field.name, text, "is a distribution that we do not know", right)
    below = 0.05
    if points := _POINTS.fullmatch(inner):
        inner, below = points[1], _below(field, text, float(points[2]), float(points[3]))
    ends = [_end(field, each, text, rates) for each in _with_unit(field, inner)]
    for end in ends:
        _within(field, text, end)
    if field.whole and any(end % 1 for end in ends):
        raise InputError(field.name, text, "is no whole number", field.right)
    return _spread(field, text, shape, ends, below)


def _spread(field: Field, text: str, shape: str, ends: list[float], below: float) -> Spread:
    expected = 3 if shape == "triangular" else 2
    if len(ends) == 1 and not shape:
        return point(ends[0])
    if len(ends) != expected:
        right = "triangular(2..3..5)" if expected == 3 else "low..high"
        raise InputError(field.name, text, f"has {len(ends)} numbers", f"write {right}")
    if any(low > high for low, high in pairwise(ends)):
        turned = "..".join(f"{end:g}" for end in sorted(ends))
        unit = f" {field.unit}" if field.unit else ""
        raise InputError(
            field.name, text, "has its low end above its high", f"write {turned}{unit}"
        )
    low, high = ends[0], ends[-1]
    if low == high:
        return point(low)
    floor = field.least if math.isfinite(field.least) else 0.0
    if shape == "lognormal" and low <= floor:
        right = f"a lognormal number is above {floor:g}: raise the low end or write uniform(..)"
        raise InputError(field.name, text, f"starts at or under {floor:g}", right)
    if low > 0 and high / low > 1e4:
        right = "a range of more than four powers of ten says nothing; check the units of both ends"
        raise InputError(field.name, text, "is absurdly wide", right)
    kind: Kind = shape or _natural(field, low, high)  # type: ignore[assignment]
    mode = ends[1] if shape == "triangular" else math.nan
    if kind == "normal":
        floor = field.least
    return Spread(kind, low, high, mode, below, floor, field.most)


def _natural(field: Field, low: float, high: float) -> Kind:
    if low <= field.least or high >= field.most:
        return "uniform"
    if math.isfinite(field.least) and math.isfinite(field.most):
        return "logitnormal"
    return "lognormal" if low > 0 else "normal"


def _with_unit(field: Field, text: str) -> list[str]:
    """Return the ends of a range, each with a unit: the last one's where it has none."""
    ends = [end for end in re.split(r"\s*\.\.\s*", text.strip()) if end]
    if not ends:
        raise InputError(field.name, text, "is empty", field.right)
    _, unit = split(field.name, ends[-1], field.right)
    said = [split(field.name, end, field.right)[1] for end in ends]
    return [
        end if own or not unit else f"{end} {unit}" for end, own in zip(ends, said, strict=True)
    ]


def _end(field: Field, end: str, text: str, rates: Rates) -> float:
    try:
        return amount(field.name, end, Unit(field.unit, field.bits), field.right, rates)
    except InputError as error:
        raise InputError(field.name, text, error.problem, error.right) from None


def _within(field: Field, text: str, value: float) -> None:
    if not math.isfinite(value):
        raise InputError(field.name, text, "is not finite", field.right)
    if value < field.least:
        bound = "is negative" if field.least == 0 else f"is under {field.least:g}"
        raise InputError(field.name, text, bound, field.right)
    if value == 0 and not field.zero and field.least == 0:
        raise InputError(field.name, text, "is zero, and a plan needs some", field.right)
    if value > _ALL_THERE_IS.get(field.unit, math.inf):
        raise InputError(field.name, text, "is more than the world has", field.right)
    if value > field.most:
        if field.most == 1 and not field.unit:
            right = "write a fraction (0.4) or percent (40 %)"
            raise InputError(field.name, text, "is over 1", right)
        raise InputError(field.name, text, f"is over {field.most:g} {field.unit}", field.right)


def _below(field: Field, text: str, low: float, high: float) -> float:
    if not 0 < low < 50 or low + high != 100:
        raise InputError(field.name, text, "has unequal tails", "write (5-95 %) or (10-90 %)")
    return low / 100
