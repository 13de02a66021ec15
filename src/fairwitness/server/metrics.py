"""`GET /metrics`: the counts as Prometheus reads them, `fw_<room>_<what>_<unit>`.

Text format 0.0.4, written by hand because it is thirty lines:
https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

import os
import resource
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from fairwitness.engine import LocalChat
from fairwitness.engine.chat import ChatModel
from fairwitness.engine.loop import IDLE
from fairwitness.posts.health import HealthReport
from fairwitness.server.counts import BOUNDS_S, Histogram
from fairwitness.server.house import House
from fairwitness.server.status import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = dict[str, str]


@dataclass(frozen=True)
class Metric:
    """One metric with all its samples: (suffix of the name, labels, value)."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Sequence[tuple[str, Labels, float]]


async def metrics(request: Request) -> Response:
    """Return all metrics."""
    status = await request.app.state.board.read()
    text = write(_all(status, request.app.state.house))
    return Response(text, media_type=CONTENT_TYPE)


def write(metrics: Iterable[Metric]) -> str:
    """Return `metrics` in Prometheus' text format."""
    lines = []
    for metric in metrics:
        lines.append(f"# HELP {metric.name} {metric.help}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        for suffix, labels, value in metric.samples:
            lines.append(f"{metric.name}{suffix}{_labels(labels)} {value:.15g}")
    return "\n".join(lines) + "\n"


def _all(status: Status, house: House) -> list[Metric]:
    counts = house.counts
    return [
        _one("fw_index_posts", "gauge", "Posts that a search can show.", status.posts),
        _noticed(status),
        _one("fw_index_size_bytes", "gauge", "Index on disk.", status.size_bytes),
        _one("fw_index_newest_age_seconds", "gauge", "Age of the newest.", status.newest_age_s),
        *_of_sources(status.sources),
        _one("fw_answers_questions_total", "counter", "Questions asked.", counts.questions),
        _one("fw_answers_abstentions_total", "counter", "No witness.", counts.abstentions),
        _one("fw_answers_in_flight", "gauge", "Running or waiting.", status.answering),
        _histogram(
            "fw_answers_first_sentence_seconds",
            "From the question to the first verified sentence.",
            counts.first_sentence,
        ),
        _histogram(
            "fw_answers_total_seconds", "From the question to the whole answer.", counts.total
        ),
        _one("fw_engine_model_ready", "gauge", "1 once loaded.", status.model.state == "ready"),
        *_of_engine(house.chat.model),
        _one("fw_server_rss_bytes", "gauge", "Memory of the process.", rss_bytes(os.getpid())),
        _one("fw_server_writer_rss_bytes", "gauge", "Of the writer.", rss_bytes(house.writer.pid)),
    ]


def _noticed(status: Status) -> Metric:
    counts = {
        "copy": status.copies,
        "author_flood": status.author_floods,
        "copy_flood": status.copy_floods,
        "low_quality": status.low_quality,
    }
    samples: list[tuple[str, Labels, float]] = [("", {"as": each}, n) for each, n in counts.items()]
    return Metric("fw_index_noticed_posts", "gauge", "Of the posts, by what they are.", samples)


def _of_sources(sources: Sequence[HealthReport]) -> list[Metric]:
    def each(
        name: str, kind: Literal["counter", "gauge"], help: str, values: list[float]
    ) -> Metric:
        labels = [{"source": source.name} for source in sources]
        samples = [("", label, value) for label, value in zip(labels, values, strict=True)]
        return Metric(f"fw_posts_{name}", kind, help, samples)

    return [
        each("events_total", "counter", "Events logged.", [s.events for s in sources]),
        each("duplicates_total", "counter", "Known already.", [s.duplicates for s in sources]),
        each("dropped_total", "counter", "Unreadable.", [s.dropped for s in sources]),
        each("reconnects_total", "counter", "Connections lost.", [s.reconnects for s in sources]),
        each("gaps", "gauge", "Recent gaps, 64 at most.", [len(s.gaps) for s in sources]),
        each("lag_seconds", "gauge", "From made to seen.", [s.lag_s for s in sources]),
        each("live", "gauge", "1 while heard.", [s.state == "live" for s in sources]),
    ]


def _of_engine(chat: ChatModel | None) -> list[Metric]:
    """What our own engine holds and did; zeros without one."""
    load = chat.engine.load() if isinstance(chat, LocalChat) else IDLE
    pages = {"free": load.pages_free, "held": load.pages_held, "cached": load.pages_cached}
    samples: list[tuple[str, Labels, float]] = [("", {"as": each}, n) for each, n in pages.items()]
    counts = load.counts
    counted = (
        ("steps", "Joined steps.", counts.steps),
        ("rows", "Tokens run, with guesses.", counts.rows),
        ("prompt_tokens", "Tokens asked with.", counts.prompt_tokens),
        ("shared_tokens", "Tokens that were in the prefix cache.", counts.shared_tokens),
        ("written_tokens", "Tokens answered.", counts.written_tokens),
        ("drafted_tokens", "Tokens guessed.", counts.drafted_tokens),
        ("accepted_tokens", "Tokens guessed rightly.", counts.accepted_tokens),
        ("preemptions", "Requests that had to stand back.", counts.preemptions),
        ("refused", "Requests that were refused.", counts.refused),
    )
    return [
        _one("fw_engine_running_requests", "gauge", "In the next step.", load.running),
        _one("fw_engine_waiting_requests", "gauge", "In the queue.", load.waiting),
        Metric("fw_engine_pages", "gauge", "Of the KV cache.", samples),
        _one("fw_engine_failovers_total", "counter", "Went on in a replica.", load.failovers),
        *(_one(f"fw_engine_{name}_total", "counter", help, n) for name, help, n in counted),
    ]


def _one(name: str, kind: Literal["counter", "gauge"], help: str, value: float) -> Metric:
    return Metric(name, kind, help, [("", {}, value)])


def _histogram(name: str, help: str, histogram: Histogram) -> Metric:
    below, sum_s = histogram.read()
    bounds = [*(f"{bound:g}" for bound in BOUNDS_S), "+Inf"]
    samples: list[tuple[str, Labels, float]] = [
        ("_bucket", {"le": bound}, count) for bound, count in zip(bounds, below, strict=True)
    ]
    return Metric(
        name, "histogram", help, [*samples, ("_sum", {}, sum_s), ("_count", {}, below[-1])]
    )


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process, 0 when it is gone.

    Where there is no /proc it is at its highest, and 0 for another process than this.
    """
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        if pid != os.getpid():
            return 0
        highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return highest if sys.platform == "darwin" else highest * 1024
