"""How fast the index takes posts in, and how soon and how well it finds them: all on one machine.

Nothing is taken out of the road, and nothing of what it does is done beforehand. Each part of the
run fills in its own figures; what was interrupted or failed is named in `missing`, and the rest
stands.
"""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from fairwitness.evals import limits, scale_run, stages
from fairwitness.evals.apart import RunFailed
from fairwitness.evals.asking import HYBRID
from fairwitness.evals.beside import compared
from fairwitness.evals.figures import Percentiles, percentiles
from fairwitness.evals.firehose import Firehose, Mix, texts_in, write_tails
from fairwitness.evals.limits import Limit
from fairwitness.evals.live_run import BURST_POSTS, Burst, Stretch, Told, running
from fairwitness.evals.machine import commit, machine
from fairwitness.evals.scale_run import ScaleRow

SIZES = (100_000, 1_000_000, 5_000_000, 20_000_000)
_INTERRUPTED = "interrupted"

QUICK_MINUTES, QUICK_POSTS = 0.5, 1_000_000


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    texts: Path | None
    """Folder of captures; None: the sample that ships with the package."""
    minutes: float
    rate_hz: int
    posts: int
    """The largest home."""
    burst_posts: int = BURST_POSTS
    stage_posts: int = stages.POSTS
    quick: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of the homes that are measured, smallest first."""
        return (*(size for size in SIZES if size < self.posts), self.posts)


class BurstFigures(msgspec.Struct, frozen=True):
    """A second of many posts."""

    posts: int
    lost: int
    """How many are not there by their id afterwards."""
    searchable_s: float | None
    """From the burst's first post until its last was found; None when it never was."""
    handed_over_s: float
    """How long saying them took: above 1 the feeder was slower than the burst."""
    query_ms: Percentiles | None


@dataclass
class Report:
    """What `fairwitness bench index --json` prints; None where it was not measured."""

    ingest_posts_per_s: float | None = None
    minutes: float | None = None
    query_ms: Percentiles | None = None
    freshness_s: Percentiles | None = None
    rss_gb: float | None = None
    burst: BurstFigures | None = None
    scale: list[ScaleRow] = field(default_factory=list)
    stage_us: dict[str, float] = field(default_factory=dict)
    peers: dict[str, Any] = field(default_factory=dict)
    machine: str = ""
    commit: str = ""
    quick: bool = False
    partial: bool = False
    missing: dict[str, str] = field(default_factory=dict)
    """What was not measured, and why."""
    asked_posts_per_s: float | None = None
    """The rate that posts were offered at."""
    behind_posts: int | None = None
    """Posts that were waiting when the stretch ended."""
    unfound_probes: int | None = None
    pss_gb: float | None = None
    cpu_us_per_post: dict[str, float] = field(default_factory=dict)
    queries: dict[str, Any] = field(default_factory=dict)
    stream: Mix | None = None
    speed: limits.Machine | None = None
    limits: list[Limit] = field(default_factory=list)


def bench_index(work: Path, plan: Plan, peers: dict[str, Any], told: Told) -> Report:
    """Measure in the folder `work`; a second run in the same folder goes on with the scale."""
    report = Report(machine=machine(), commit=commit(), peers=peers, quick=plan.quick)
    for part in (_stream, _stages, _live, _scale, _limits, _peers):
        name = part.__name__.strip("_")
        with _noted(name, report):
            part(work, plan, report, told)
        if report.missing.get(name) == _INTERRUPTED or report.stream is None:
            break
    return report


@contextlib.contextmanager
def _noted(part: str, report: Report) -> Iterator[None]:
    """Note why a part was not measured, and let the others be."""
    try:
        yield
    except KeyboardInterrupt:
        report.partial, report.missing[part] = True, _INTERRUPTED
    except (RunFailed, OSError, ValueError) as error:
        report.partial, report.missing[part] = True, f"{type(error).__name__}: {error}"


def _stream(work: Path, plan: Plan, report: Report, told: Told) -> None:
    told("reading texts", 0, 1)
    work.mkdir(parents=True, exist_ok=True)
    texts, names = texts_in(plan.texts)
    if not texts:
        raise ValueError(f"no texts in {plan.texts}")
    write_tails(_tails(work), texts)
    report.stream = Firehose(_tails(work)).mix(names)
    told("measuring the machine", 0, 1)
    report.speed = limits.measure(work)
    report.limits.append(limits.of_scan(report.speed, limits.scan_ms()))


def _stages(work: Path, plan: Plan, report: Report, told: Told) -> None:
    told("measuring each stage", 0, 1)
    with _emptied(work / "stages"):
        firehose = Firehose(_tails(work))
        report.stage_us = stages.measure(firehose, work / "stages", plan.stage_posts)


def _live(work: Path, plan: Plan, report: Report, told: Told) -> None:
    with _emptied(work / "live"), running(work / "live" / "home", _tails(work)) as run:
        _note_stretch(run.stretch(plan.rate_hz, 60 * plan.minutes, told), plan, report)
        _note_burst(run.burst(plan.burst_posts, told), report)


def _note_stretch(stretch: Stretch, plan: Plan, report: Report) -> None:
    asked, taken = stretch.asked, stretch.acked_per_s * 60 * plan.minutes
    report.minutes = plan.minutes
    report.asked_posts_per_s = plan.rate_hz
    report.ingest_posts_per_s = round(stretch.acked_per_s)
    report.behind_posts, report.unfound_probes = stretch.behind, asked.missing
    report.query_ms = percentiles(asked.query_ms)
    report.freshness_s = percentiles(asked.fresh_s, 3)
    report.rss_gb = round(stretch.watch.rss_bytes / 1e9, 2)
    report.pss_gb = round(stretch.watch.pss_bytes / 1e9, 2)
    report.cpu_us_per_post = {
        name: round(1e6 * seconds / taken, 2) for name, seconds in stretch.cpu_s.items()
    }
    report.queries = {
        "asked": len(asked.query_ms),
        "hits_each": round(asked.hits / len(asked.query_ms), 1),
        "kind": "hybrid" if HYBRID else "words, with recency and reach",
    }


def _note_burst(burst: Burst, report: Report) -> None:
    asked_ms = burst.asked.query_ms
    report.burst = BurstFigures(
        posts=burst.said.posts,
        lost=burst.lost,
        searchable_s=None if burst.searchable_s is None else round(burst.searchable_s, 2),
        handed_over_s=round(burst.said.ended_s - burst.said.began_s, 2),
        query_ms=percentiles(asked_ms) if asked_ms else None,
    )


def _scale(work: Path, plan: Plan, report: Report, told: Told) -> None:
    scale_run.grow(work / "scale", _tails(work), plan.sizes, told, report.scale)


def _limits(_work: Path, _plan: Plan, report: Report, _told: Told) -> None:
    speed = report.speed
    if speed is None or not report.scale:
        return
    largest = report.scale[-1]
    on_disk = largest.bytes_per_post + largest.log_bytes_per_post
    if report.ingest_posts_per_s:
        report.limits.append(limits.of_ingest(speed, report.ingest_posts_per_s, on_disk))
    if report.freshness_s:
        report.limits.append(limits.of_freshness(speed, report.freshness_s.p50))
    index_bytes = largest.bytes_per_post * largest.posts
    report.limits.append(limits.of_open(speed, index_bytes, largest.open_s))


def _peers(_work: Path, _plan: Plan, report: Report, _told: Told) -> None:
    ours = msgspec.to_builtins(report)
    if report.scale:
        largest = report.scale[-1]
        ours["bytes_per_post"] = largest.bytes_per_post + largest.log_bytes_per_post
    report.peers = {name: compared(ours, peer, report.speed) for name, peer in report.peers.items()}


@contextlib.contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    """Have `folder` empty before, and gone after."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tails(work: Path) -> Path:
    return work / "tails"
