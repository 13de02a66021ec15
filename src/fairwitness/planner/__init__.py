"""Compute, energy, cost and runway on paper: with units, ranges and sources.

Usable as a library: `verb.plan(read_inputs(verb, {"chips": "16384"}), told)` for a verb of `VERBS`
in `planner.verbs`, which is apart because who wants one formula need not wait for all of them.
"""

from fairwitness.planner.errors import CatalogueError, InputError, PlanError
from fairwitness.planner.fields import Field, Output, Verb, Word
from fairwitness.planner.inputs import Inputs, read_inputs
from fairwitness.planner.result import Result

__all__ = [
    "CatalogueError",
    "Field",
    "InputError",
    "Inputs",
    "Output",
    "PlanError",
    "Result",
    "Verb",
    "Word",
    "read_inputs",
]
