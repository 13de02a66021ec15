"""`python -m fairwitness.index.shards up|status|end PLAN.json`: a cluster as its plan says.

To be run on a node of a Ray cluster; `$RAY_ADDRESS` says which, and without it Ray looks for the
one on this machine. Ends with 1 when not all of the index answers.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import msgspec
import ray

from fairwitness.index.shards.cluster import Cluster
from fairwitness.index.shards.errors import ClusterFault
from fairwitness.index.shards.plan import Plan

_UP_S = 120.0


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says and return the status to exit with."""
    parser = argparse.ArgumentParser(prog="python -m fairwitness.index.shards")
    parser.add_argument("verb", choices=("up", "status", "end"))
    parser.add_argument("plan", type=Path)
    asked = parser.parse_args(arguments)
    try:
        plan = msgspec.json.decode(asked.plan.read_bytes(), type=Plan)
    except (OSError, msgspec.MsgspecError) as error:
        print(f"cannot read the plan {asked.plan}: {error}", file=sys.stderr)
        return 1
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
        ray.init(log_to_driver=False, logging_level="error")
    try:
        cluster = Cluster(plan)
    except ClusterFault as error:
        print(error, file=sys.stderr)
        return 1
    if asked.verb == "end":
        cluster.end()
        return 0
    try:
        return _told(cluster, _UP_S if asked.verb == "up" else 0.0)
    finally:
        cluster.close()


def _told(cluster: Cluster, wait_s: float) -> int:
    """Print how the cluster stands once all of it answers, or after `wait_s`."""
    until_s = time.monotonic() + wait_s
    while not (coverage := cluster.coverage()).complete and time.monotonic() < until_s:
        time.sleep(0.5)
    for (shard, replica), each in cluster.standing().items():
        how = f"shard {shard} replica {replica}: "
        if each is None:
            print(how + "does not answer")
            continue
        state = "serves" if each.serving else "catches up"
        fault = f", {each.fault}" if each.fault else ""
        print(f"{how}{state}, at {each.shown} of {each.last}, pid {each.pid}{fault}")
    print(f"{coverage.answered} of {coverage.shards} shards answer")
    return 0 if coverage.complete else 1


if __name__ == "__main__":
    raise SystemExit(main())
