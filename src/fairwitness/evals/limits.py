"""What the machine would allow: bytes over bandwidth and operations over peak, measured here.

A figure is worth reading beside the least time that any program would need for the same bytes. The
share is that least time over ours: 1 is perfect, and what is below a tenth has room.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from fairwitness.kernels import hamming
from fairwitness.kernels.hamming import CODE_BYTES

_MEMORY_BYTES = 512 << 20
_DISK_BYTES = 256 << 20
_SYNCS = 200
_ROUNDS = 8
_CODES = 4_000_000  # 128 MB, more than the caches hold


class Machine(msgspec.Struct, frozen=True):
    """How fast this machine is, one thread."""

    memory_gb_per_s: float
    """Reading, one pass over much more than the caches hold."""
    disk_gb_per_s: float
    """Writing one file and syncing it."""
    syncs_per_s: float
    """`fdatasync` after each 4 KiB."""
    popcounts_g_per_s: float
    """64-bit words whose bits one core could count a second: a vector instruction each cycle."""


class Limit(msgspec.Struct, frozen=True):
    """A measured figure beside what would be possible."""

    what: str
    ours: float
    limit: float
    unit: str
    share: float
    """Of the limit that we reach; 0 to 1."""
    because: str


def measure(folder: Path) -> Machine:
    """Measure memory and processor, and the disk that `folder` is on."""
    words = np.ones(_MEMORY_BYTES // 8, np.uint64)
    memory_s = min(_best_s(words.max), _best_s(words.sum))
    return Machine(
        memory_gb_per_s=round(_MEMORY_BYTES / memory_s / 1e9, 2),
        disk_gb_per_s=round(_DISK_BYTES / _write_s(folder) / 1e9, 3),
        syncs_per_s=round(_SYNCS / _sync_s(folder)),
        popcounts_g_per_s=round(_popcounts_per_s() / 1e9, 2),
    )


def of_ingest(machine: Machine, posts_per_s: float, bytes_per_post: float) -> Limit:
    """Compare with writing the bytes of log and index once."""
    limit = machine.disk_gb_per_s * 1e9 / bytes_per_post
    because = f"{bytes_per_post:.0f} B of log and index a post, written once"
    return _at_most("ingest", posts_per_s, limit, "posts/s", because)


def of_freshness(machine: Machine, fresh_s: float) -> Limit:
    """Compare with one sync of the log, before which nothing may be found."""
    because = "one sync of 4 KiB before a post may be found; ours waits for others and a refresh"
    return _at_least("freshness", fresh_s, 1 / machine.syncs_per_s, "s", because)


def scan_ms(codes: int = _CODES) -> float:
    """Return how long looking at so many codes of meaning takes, one after the other."""
    drawn = np.random.default_rng(7).integers(0, 256, (codes, CODE_BYTES), np.uint8)
    everywhere = np.array([[0, codes]], np.int64)
    return 1e3 * _best_s(lambda: hamming.nearest(drawn, everywhere, drawn[codes // 2], 200))


def of_scan(machine: Machine, took_ms: float, codes: int = _CODES) -> Limit:
    """Compare with reading all codes once, or with counting their bits, whichever is slower."""
    read_ms = codes * CODE_BYTES / machine.memory_gb_per_s / 1e6
    count_ms = codes * (CODE_BYTES / 8) / machine.popcounts_g_per_s / 1e6
    because = f"{codes:,} codes of {CODE_BYTES} B read {read_ms:.2f} ms, counted {count_ms:.2f} ms"
    return _at_least("code scan", took_ms, max(read_ms, count_ms), "ms", because)


def of_open(machine: Machine, index_bytes: float, took_s: float) -> Limit:
    """Compare with reading the whole index from memory, where the system holds what it can."""
    limit_s = index_bytes / machine.memory_gb_per_s / 1e9
    return _at_least("open", took_s, limit_s, "s", f"{index_bytes / 1e9:.2f} GB read once")


def _at_most(what: str, ours: float, limit: float, unit: str, because: str) -> Limit:
    return Limit(what, round(ours, 2), round(limit, 2), unit, _share(ours, limit), because)


def _at_least(what: str, ours: float, limit: float, unit: str, because: str) -> Limit:
    share = min(_share(limit, ours), 1.0) if ours else 0.0
    return Limit(what, round(ours, 4), round(limit, 4), unit, share, because)


def _share(part: float, whole: float) -> float:
    return float(f"{part / whole:.3g}")


def _best_s(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(_ROUNDS):
        began_s = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began_s)
    return min(taken)


def _popcounts_per_s() -> float:
    """Return the peak that the processor's clock and instructions allow; one a cycle elsewhere.

    VPOPCNTQ counts eight words of a 512-bit register, and one can begin each cycle (Intel
    Intrinsics Guide, `_mm512_popcnt_epi64`; Zen 4 and 5 do no less).
    """
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        told = ""
    clock_mhz = next((float(line.split(":")[1]) for line in told.splitlines() if "MHz" in line), 0)
    return (clock_mhz or 2_000) * 1e6 * (8 if "avx512_vpopcntdq" in told else 1)


def _write_s(folder: Path) -> float:
    """Return how long `_DISK_BYTES` take to be on disk."""
    block = os.urandom(1 << 20)
    path = folder / "limit"
    began_s = time.perf_counter()
    with path.open("wb") as file:
        for _ in range(_DISK_BYTES >> 20):
            file.write(block)
        file.flush()
        os.fdatasync(file.fileno())
    took_s = time.perf_counter() - began_s
    path.unlink()
    return took_s


def _sync_s(folder: Path) -> float:
    """Return how long `_SYNCS` appends of 4 KiB take, each synced."""
    block = os.urandom(4096)
    path = folder / "limit"
    with path.open("wb", buffering=0) as file:
        began_s = time.perf_counter()
        for _ in range(_SYNCS):
            file.write(block)
            os.fdatasync(file.fileno())
        took_s = time.perf_counter() - began_s
    path.unlink()
    return took_s
