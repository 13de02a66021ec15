"""What `fairwitness bench index --json` measured, as texts for the inputs of `plan stream`."""

import json
from pathlib import Path
from typing import Any

import msgspec

from fairwitness.planner.errors import InputError
from fairwitness.planner.stream.machines import growth

_RIGHT = "give the file that fairwitness bench index --json printed"


class ScaleRow(msgspec.Struct):
    """One size of the bench."""

    posts: int
    query_all_p50_ms: float
    bytes_per_post: float
    log_bytes_per_post: float


class Report(msgspec.Struct):
    """What we read of the bench; the rest is left alone."""

    scale: list[ScaleRow] = []
    cpu_us_per_post: dict[str, float] = {}
    stream: dict[str, Any] | None = None
    commit: str = ""
    machine: str = ""
    quick: bool = False
    partial: bool = False


def read_bench(path: Path) -> tuple[dict[str, str], str]:
    """Return texts by input, and where they are from.

    Raises:
        InputError: it is no such file, or nothing in it was measured.
    """
    try:
        report = msgspec.convert(json.loads(path.read_text("utf-8")), Report)
    except (OSError, ValueError) as error:
        raise InputError("bench", path, f"cannot be read: {error}", _RIGHT) from None
    measured: dict[str, str] = {}
    if "writer" in report.cpu_us_per_post:
        measured["write"] = f"{report.cpu_us_per_post['writer']:g} us/post"
    if report.stream and "line_bytes" in report.stream:
        measured["line_size"] = f"{report.stream['line_bytes']:g} byte/post"
    if report.scale:
        largest = max(report.scale, key=lambda row: row.posts)
        measured["index_size"] = f"{largest.bytes_per_post:g} byte/post"
        measured["log_size"] = f"{largest.log_bytes_per_post:g} byte/post"
    sizes = [(float(row.posts), row.query_all_p50_ms / 1e3) for row in report.scale]
    if len({posts for posts, _ in sizes}) >= 2:
        start_s, per_post_s = growth(sizes)
        measured["ask"] = f"{start_s:.6g} s/query"
        measured["ask_growth"] = f"{per_post_s:.6g} s/post"
    if not measured:
        raise InputError("bench", path, "has no scale, writer or stream", _RIGHT)
    marks = [name for name in ("quick", "partial") if getattr(report, name)]
    said = ", ".join([report.commit or "no commit", *marks, report.machine])
    return measured, f"bench index at {said}"
