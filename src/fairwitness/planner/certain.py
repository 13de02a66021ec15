"""Inputs that have to be one number: a count of months, of copies, a contract's terms."""

from fairwitness.planner.errors import InputError
from fairwitness.planner.inputs import Inputs


def one_number(inputs: Inputs, name: str) -> float:
    """Return the number that an input is.

    Raises:
        InputError: it is a range.
    """
    given = inputs.given[name]
    assert given.spread is not None
    if not given.spread.certain:
        raise InputError(name, given.text, "is a range", "this one has to be a single number")
    return given.spread.median
