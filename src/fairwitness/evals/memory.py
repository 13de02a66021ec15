"""How much memory and time processes take, as Linux counts them.

Resident memory counts a page that two processes map twice; proportional memory (PSS) shares it out.
Facts: proc(5), `statm`, `smaps_rollup`, `stat`.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_HZ = os.sysconf("SC_CLK_TCK")


@dataclass
class Watch:
    """The most that some processes took together; `look` about once a second."""

    pids: Sequence[int]
    rss_bytes: int = 0
    pss_bytes: int = 0
    began_cpu_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Remember how much time they had taken."""
        self.began_cpu_s = [cpu_s(pid) for pid in self.pids]

    def look(self) -> None:
        """Take note of how much memory they hold now."""
        self.rss_bytes = max(self.rss_bytes, sum(map(rss_bytes, self.pids)))
        self.pss_bytes = max(self.pss_bytes, sum(map(pss_bytes, self.pids)))

    def cpu_s(self) -> list[float]:
        """Return how much processor time each took since the watch began."""
        return [cpu_s(pid) - s for pid, s in zip(self.pids, self.began_cpu_s, strict=True)]


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process, 0 when it is gone or this is not Linux."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def pss_bytes(pid: int) -> int:
    """Return the memory of a process with shared pages shared out, 0 when it cannot be told."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    sizes = (int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return next(sizes, 0)


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has taken in all its threads, seconds."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_HZ
