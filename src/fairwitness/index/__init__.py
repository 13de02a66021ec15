"""Every post, findable within a second."""

from fairwitness.index.errors import (
    IndexBusy,
    IndexCorrupt,
    IndexDiskFull,
    IndexFault,
    IndexMissing,
    SyntaxProblem,
)
from fairwitness.index.live import LiveIndex
from fairwitness.index.query import (
    Applied,
    Clause,
    Condition,
    Coverage,
    Hit,
    IndexStats,
    Lag,
    Parts,
    Query,
    Results,
    all_or_any,
)
from fairwitness.index.rank import Weights
from fairwitness.index.syntax import parse, render

__all__ = [
    "Applied",
    "Clause",
    "Condition",
    "Coverage",
    "Hit",
    "IndexBusy",
    "IndexCorrupt",
    "IndexDiskFull",
    "IndexFault",
    "IndexMissing",
    "IndexStats",
    "Lag",
    "LiveIndex",
    "Parts",
    "Query",
    "Results",
    "SyntaxProblem",
    "Weights",
    "all_or_any",
    "parse",
    "render",
]
