"""Our figures beside a peer's: how many times better ours are, and what share of the disk it uses.

Above 1 ours is better, whatever is measured: more posts a second, fewer milliseconds, fewer bytes.
Our bytes are those of index and log together, for a peer's store is all that it has.
"""

from collections.abc import Mapping
from typing import Any

from fairwitness.evals import limits
from fairwitness.evals.limits import Machine

_MORE_IS_BETTER = "ingest_posts_per_s"


def flat(figures: Mapping[str, Any]) -> dict[str, float]:
    """Return what is compared of an engine's figures, by name; what was not measured is left out.

    `{"query_ms": {"p50": 2.0, ...}}` gives `{"query_ms_p50": 2.0, ...}`.
    """
    named = {key: figures.get(key) for key in (_MORE_IS_BETTER, "bytes_per_post")}
    for key in ("query_ms", "freshness_s"):
        named |= {f"{key}_{part}": value for part, value in (figures.get(key) or {}).items()}
    return {key: value for key, value in named.items() if value}


def compared(
    ours: Mapping[str, Any], peer: Mapping[str, Any], speed: Machine | None
) -> dict[str, Any]:
    """Return a peer's figures with `ours_is`, how many times better each of ours is.

    Where the machine's speed is known, `share_of_limit` says how much of what its disk could write
    of the peer's bytes the peer took in.
    """
    mine, theirs = flat(ours), flat(peer)
    times = {key: _times(key, mine[key], theirs[key]) for key in theirs if key in mine}
    added: dict[str, Any] = {"ours_is": times} if times else {}
    if speed is not None and {_MORE_IS_BETTER, "bytes_per_post"} <= theirs.keys():
        limit = limits.of_ingest(speed, theirs[_MORE_IS_BETTER], theirs["bytes_per_post"])
        added["share_of_limit"] = limit.share
    return {**peer, **added}


def _times(key: str, mine: float, theirs: float) -> float:
    return round(mine / theirs if key == _MORE_IS_BETTER else theirs / mine, 2)
