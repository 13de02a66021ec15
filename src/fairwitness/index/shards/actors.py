"""Replicas as Ray actors: where they live, and how a question finds one that answers.

Ray starts a replica again whenever its process or its node goes (`max_restarts=-1`). Meanwhile the
router asks another replica of the shard: at once when Ray says that one is gone, after HEDGE_S when
it says nothing, since a process that was killed is told of only after a second or two
(docs.ray.io, actor fault tolerance).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RaySystemError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from fairwitness.index.shards.errors import ClusterFault
from fairwitness.index.shards.gather import LATE_MS
from fairwitness.index.shards.plan import Plan
from fairwitness.index.shards.replica import Answer, Asked, Replica, Standing

HEDGE_S = 0.2
"""After so long without an answer the next replica is asked as well."""

_AT_ONCE = 16  # calls that a replica works on at a time
_AWAY = (RayActorError, RaySystemError, GetTimeoutError)


class RayReplica(Replica):
    """A replica in an actor, which knows its node."""

    def __init__(self, plan: Plan, shard: int, replica: int) -> None:
        super().__init__(plan, shard, replica, ray.get_runtime_context().get_node_id())


class Call(NamedTuple):
    """What to ask a shard."""

    asked: Asked
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}


@dataclass
class _Round:
    """One shard's part of a question under way."""

    call: Call
    untried: list[int]
    sent_s: float = 0.0
    under_way: int = 0
    late: Answer | None = None
    """An answer that is behind, kept for when no other replica has a fresher one."""


@dataclass
class Replicas:
    """The replicas of all shards. Any thread may ask."""

    plan: Plan
    actors: dict[tuple[int, int], Any]
    fresh_ms: dict[int, int] = field(default_factory=dict)
    """How fresh each shard was when one of its replicas last said."""
    first: dict[int, int] = field(default_factory=dict)
    """Which replica to ask first: the one that answered last."""

    @classmethod
    def start(cls, plan: Plan) -> "Replicas":
        """Find the replicas of `plan`, or start those that are missing.

        Raises ClusterFault when Ray is not there or has no node.
        """
        if not ray.is_initialized():
            raise ClusterFault("no Ray cluster: call ray.init(address=...) first")
        nodes = sorted(
            node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")
        )
        if not nodes:
            raise ClusterFault("no node of the Ray cluster has a CPU")
        actors = {
            (shard, replica): _actor(plan, shard, replica, nodes[(shard + replica) % len(nodes)])
            for shard in range(plan.shards)
            for replica in range(plan.replicas)
        }
        return cls(plan, actors)

    def ask(self, calls: Mapping[int, Call], deadline_s: float) -> dict[int, Answer]:
        """Return what each shard answers, by shard, without those that do not answer in time.

        Raises what the index raises.
        """
        until_s = time.monotonic() + deadline_s
        rounds = {shard: _Round(call, self._order(shard)) for shard, call in calls.items()}
        answers: dict[int, Answer] = {}
        sent: dict[Any, tuple[int, int]] = {}
        while len(answers) < len(calls):
            now_s = time.monotonic()
            for shard, each in rounds.items():
                if shard in answers or (each.under_way and now_s - each.sent_s < HEDGE_S):
                    continue
                if each.untried:
                    self._send(shard, each, sent)
                elif each.late is not None:
                    answers[shard] = each.late
            if not sent or now_s >= until_s or len(answers) == len(calls):
                break
            ready, _ = ray.wait(list(sent), timeout=min(HEDGE_S / 2, until_s - now_s))
            for ref in ready:
                shard, replica = sent.pop(ref)
                rounds[shard].under_way -= 1
                if shard not in answers:
                    self._hear(shard, replica, _got(ref, until_s), rounds[shard], answers)
        late = {shard: each.late for shard, each in rounds.items() if each.late is not None}
        return late | answers

    def show(self, sequences: Mapping[int, int], timeout_s: float) -> None:
        """Wait until every replica that can finds what its stream holds up to a sequence."""
        refs = [
            actor.shows.remote(sequences[shard], timeout_s)
            for (shard, _), actor in self.actors.items()
            if shard in sequences
        ]
        ray.wait(refs, num_returns=len(refs), timeout=timeout_s)

    def standing(self, timeout_s: float) -> dict[tuple[int, int], Standing | None]:
        """Return how each replica stands, by (shard, replica); None of one that does not say."""
        refs = {key: actor.standing.remote() for key, actor in self.actors.items()}
        ready, _ = ray.wait(list(refs.values()), num_returns=len(refs), timeout=timeout_s)
        said = set(ready)
        standings: dict[tuple[int, int], Standing | None] = {}
        for key, ref in refs.items():
            try:
                standings[key] = ray.get(ref, timeout=timeout_s) if ref in said else None
            except _AWAY:
                standings[key] = None
        return standings

    def end(self, timeout_s: float) -> None:
        """End all replicas for good; each makes durable what it has applied."""
        refs = [actor.close.remote() for actor in self.actors.values()]
        ray.wait(refs, num_returns=len(refs), timeout=timeout_s)
        for actor in self.actors.values():
            ray.kill(actor)

    def _order(self, shard: int) -> list[int]:
        # Different shards begin at different replicas, so that all nodes have work.
        count = self.plan.replicas
        first = self.first.get(shard, shard % count)
        return [(first + step) % count for step in range(count)]

    def _send(self, shard: int, each: _Round, sent: dict[Any, tuple[int, int]]) -> None:
        replica = each.untried.pop(0)
        asked, args, kwargs = each.call
        ref = self.actors[shard, replica].answer.remote(asked, *args, **kwargs)
        sent[ref] = shard, replica
        each.sent_s = time.monotonic()
        each.under_way += 1

    def _hear(
        self,
        shard: int,
        replica: int,
        answer: Answer | None,
        each: _Round,
        answers: dict[int, Answer],
    ) -> None:
        if answer is None:
            return
        self.fresh_ms[shard] = max(self.fresh_ms.get(shard, 0), answer.fresh_ms)
        if not answer.serving:
            return
        if each.late is not None and each.late.fresh_ms >= answer.fresh_ms:
            answer = each.late
        else:
            self.first[shard] = replica
        behind = time.time() * 1_000 - answer.fresh_ms > LATE_MS
        if behind and (each.untried or each.under_way):
            each.late = answer
            return
        answers[shard] = answer


def _got(ref: Any, until_s: float) -> Answer | None:
    """Return an answer that has come; None when its replica went away meanwhile."""
    try:
        answer: Answer = ray.get(ref, timeout=max(until_s - time.monotonic(), 0.01))
    except _AWAY:
        return None
    except RayTaskError as error:
        raise error.as_instanceof_cause() from None
    return answer


def _actor(plan: Plan, shard: int, replica: int, node: str) -> Any:
    remote: Any = ray.remote(RayReplica)
    return remote.options(
        name=f"shard-{shard}-replica-{replica}",
        namespace=plan.name,
        lifetime="detached",
        get_if_exists=True,
        max_restarts=-1,
        max_concurrency=_AT_ONCE,
        num_cpus=1,
        # Soft: a replica whose node is gone starts on another one.
        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True),
    ).remote(plan, shard, replica)
