"""Compute, energy, cost and runway on paper: with units, ranges and sources.

Usable as a library: `verb.plan(read_inputs(verb, {"chips": "16384"}), told)` for a verb of `VERBS`.
"""

from fairwitness.planner.errors import CatalogueError, InputError, PlanError
from fairwitness.planner.fields import Field, Output, Verb, Word
from fairwitness.planner.inputs import Inputs, read_inputs
from fairwitness.planner.result import Result
from fairwitness.planner.verbs import VERBS

__all__ = [
    "VERBS",
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
