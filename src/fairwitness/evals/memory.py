"""How much memory and time processes take, as Linux counts them.

Resident memory counts a page that two processes map twice; proportional memory (PSS) shares it out.
Facts: proc(5), `statm`, `smaps_rollup`, `stat`.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_HZ = os.sysconf("SC_CLK_TCK")


@dataclass
class Watch:
    """The most that some processes, each with its children, took; `look` about once a second."""

    pids: Sequence[int]
    rss_bytes: float = 0
    pss_bytes: float = 0
    began_cpu_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Remember how much time they had taken."""
        self.began_cpu_s = [_sum(cpu_s, pid) for pid in self.pids]

    def look(self) -> None:
        """Take note of how much memory they hold now."""
        self.rss_bytes = max(self.rss_bytes, sum(_sum(rss_bytes, pid) for pid in self.pids))
        self.pss_bytes = max(self.pss_bytes, sum(_sum(pss_bytes, pid) for pid in self.pids))

    def cpu_s(self) -> list[float]:
        """Return how much processor time each took since the watch began."""
        return [_sum(cpu_s, pid) - s for pid, s in zip(self.pids, self.began_cpu_s, strict=True)]


def _sum(of: Callable[[int], float], pid: int) -> float:
    """Return something of a process and all that it started."""
    return of(pid) + sum(_sum(of, child) for child in children(pid))


def children(pid: int) -> list[int]:
    """Return the processes that a process started and that are still there."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text().split())
    return found


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
