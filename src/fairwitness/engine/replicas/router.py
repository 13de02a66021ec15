"""Ray Serve asks here which replica shall answer; the rule itself is in `routing.py`.

The interface is `ray.serve.request_router.RequestRouter` of Ray 2.60 (docs.ray.io, "Use custom
algorithm for request routing"; still called alpha). It runs in the process of the door, on a loop
of Serve's own.
"""

from random import Random
from typing import Any

from ray.serve.request_router import PendingRequest, ReplicaID, RequestRouter, RunningReplica

from fairwitness.engine.replicas.asked import Asked
from fairwitness.engine.replicas.routing import Seen, choose, page_keys


class PrefixRouter(RequestRouter):  # type: ignore[misc]  # Ray is not typed for us
    """Sends a prompt where its beginning was run before, and elsewhere when that is too busy."""

    def initialize_state(self, **_: Any) -> None:
        """Begin with nothing seen."""
        self._seen: dict[ReplicaID, Seen] = {}
        self._under_way: dict[str, ReplicaID] = {}
        self._random = Random()

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Return the replica of choice, then the others, for when that one takes no more."""
        known = {each.replica_id: each for each in candidate_replicas}
        asked = _asked(pending_request)
        if not known or pending_request is None or asked is None:
            return [candidate_replicas]
        fresh = {id_: each for id_, each in known.items() if id_.unique_id not in asked.tried}
        loads = self._loads(fresh or known)
        keys = page_keys(asked.request.prompt_ids, asked.request.adapter)
        chosen = choose(keys, self._seen, loads, self._random)
        # now and not when it is sent: others choose meanwhile
        self._seen.setdefault(chosen, Seen()).add(keys)
        self._count(pending_request, chosen)
        others = sorted(known, key=self._loads(known).__getitem__)
        return [[known[chosen]], [known[each] for each in others if each != chosen]]

    def on_request_routed(
        self, pending_request: PendingRequest, replica_id: ReplicaID, _: Any
    ) -> None:
        """A replica has taken the request, perhaps not the one of choice."""
        self._under_way[pending_request.metadata.internal_request_id] = replica_id
        asked = _asked(pending_request)
        if asked:
            asked.tried.append(replica_id.unique_id)

    def on_request_completed(self, _: ReplicaID, internal_request_id: str) -> None:
        """An answer has ended, or its replica is gone."""
        self._under_way.pop(internal_request_id, None)

    def update_replicas(self, replicas: list[RunningReplica]) -> None:
        """Forget what replicas that are gone had seen; a new one has seen nothing."""
        super().update_replicas(replicas)
        there = {each.replica_id for each in replicas}
        self._seen = {id_: seen for id_, seen in self._seen.items() if id_ in there}

    def _count(self, request: PendingRequest, replica: ReplicaID) -> None:
        """Count the request from now on; one that is given up before it is sent no longer."""
        id_ = request.metadata.internal_request_id
        if id_ not in self._under_way:
            request.future.add_done_callback(
                lambda sent: self._under_way.pop(id_, None) if sent.cancelled() else None
            )
        self._under_way[id_] = replica

    def _loads(self, replicas: dict[ReplicaID, RunningReplica]) -> dict[ReplicaID, int]:
        loads = dict.fromkeys(replicas, 0)
        for replica in list(self._under_way.values()):  # other threads end requests
            if replica in loads:
                loads[replica] += 1
        return loads


def _asked(request: PendingRequest | None) -> Asked | None:
    """What a request for an answer carries; others, such as a health check, carry nothing."""
    args = request.args if request else ()
    return args[0] if args and isinstance(args[0], Asked) else None
