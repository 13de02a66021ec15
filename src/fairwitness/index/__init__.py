"""Every post, findable within a second."""

from fairwitness.index.errors import (
    IndexBusy,
    IndexCorrupt,
    IndexDiskFull,
    IndexFault,
    IndexMissing,
)
from fairwitness.index.live import LiveIndex
from fairwitness.index.query import Applied, Coverage, Hit, IndexStats, Lag, Parts, Query, Results
from fairwitness.index.rank import Weights

__all__ = [
    "Applied",
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
    "Weights",
]
