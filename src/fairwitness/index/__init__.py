"""Every post, findable within a second."""

from fairwitness.index.errors import (
    IndexBusy,
    IndexCorrupt,
    IndexDiskFull,
    IndexFault,
    IndexMissing,
)
from fairwitness.index.live import LiveIndex
from fairwitness.index.query import Applied, Hit, IndexStats, Parts, Query, Results
from fairwitness.index.rank import Weights

__all__ = [
    "Applied",
    "Hit",
    "IndexBusy",
    "IndexCorrupt",
    "IndexDiskFull",
    "IndexFault",
    "IndexMissing",
    "IndexStats",
    "LiveIndex",
    "Parts",
    "Query",
    "Results",
    "Weights",
]
