"""The door of an index of many processes; it looks like the index of one folder.

Written to, it publishes to the streams and returns when they have acknowledged. Asked, it asks one
replica of each shard, waits at most `deadline_s`, and says of what it returns how much of the index
that stands for.
"""

import time
from collections.abc import Sequence

from fairwitness.index.query import Coverage, IndexStats, Query, Results
from fairwitness.index.shards.actors import Call, Replicas
from fairwitness.index.shards.errors import ShardDown
from fairwitness.index.shards.gather import counted, covered, merged
from fairwitness.index.shards.message import divide, pack, shard_of
from fairwitness.index.shards.plan import Plan
from fairwitness.index.shards.replica import Answer, Standing
from fairwitness.index.shards.stream import PATIENCE_S, Publisher
from fairwitness.posts.post import Event, Post

DEADLINE_S = 1.0
"""How long a question waits for shards before it goes on without those that are missing."""

_END_S = 10.0


class Cluster:
    """An index of many processes. Any thread may use it."""

    position: int
    """Log position up to which events are in the streams: recovery replays from here."""

    def __init__(
        self,
        plan: Plan,
        *,
        writer: str = "home",
        deadline_s: float = DEADLINE_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Connect to the cluster of `plan` and start the replicas that are missing.

        Ray must be initialised. `writer` names whose log positions are kept; each log that feeds a
        cluster has its own. Raises StreamDown or ClusterFault.
        """
        self.plan = plan
        self._writer = writer
        self._deadline_s = deadline_s
        self._stream = Publisher(plan, patience_s=patience_s)
        try:
            self.position = self._stream.position(writer)
            self._replicas = Replicas.start(plan)
        except BaseException:
            self._stream.close()
            raise
        self._applied_position = self.position

    def novel(self, events: Sequence[Event]) -> list[Event]:
        """Return the events that change something, as far as the shards that answer know."""
        places = divide(events, self.plan.shards)
        calls = {
            shard: Call("novel", ([events[place] for place in mine],))
            for shard, mine in places.items()
        }
        answers = self._replicas.ask(calls, self._deadline_s)
        fresh: dict[int, Event] = {}
        for shard, mine in places.items():
            if shard in answers:
                fresh |= {mine[at]: event for at, event in answers[shard].value}
            else:
                fresh |= {place: events[place] for place in mine if place not in fresh}
        return [event for _, event in sorted(fresh.items(), key=lambda item: item[0])]

    def apply(self, events: Sequence[Event], position: int) -> None:
        """Publish `events`, which end at log `position`; when this returns they are durable.

        Raises StreamDown when the streams acknowledge nothing for `patience_s`: then some of the
        events may be in, and all must be applied again.
        """
        places = divide(events, self.plan.shards)
        self._stream.publish(
            {
                shard: list(pack([events[place] for place in mine], position))
                for shard, mine in places.items()
            }
        )
        self._applied_position = max(self._applied_position, position)

    def refresh(self) -> None:
        """Wait until what was applied shows, at most `deadline_s`.

        Replicas refresh by themselves; a shard that is away shows it when it is back.
        """
        self._replicas.show(self._stream.acknowledged, self._deadline_s)

    def checkpoint(self) -> None:
        """Move `position`; what was applied is durable already. Raises StreamDown."""
        if self.position != self._applied_position:
            self._stream.keep_position(self._writer, self._applied_position)
            self.position = self._applied_position

    def search(self, query: Query, *, as_of_ms: int | None = None, limit: int = 50) -> Results:
        """Find posts, best first, as they were at a moment, None for now.

        Takes at most `deadline_s`; `coverage` says which shards did not answer or are behind.
        """
        answers = self._ask_all(Call("search", (query,), {"as_of_ms": as_of_ms, "limit": limit}))
        found = [answer.value for answer in answers.values()]
        return merged(found, limit, self._coverage(answers), meant=query.meaning)

    def get(self, post_id: str, *, as_of_ms: int | None = None) -> Post | None:
        """Return a post as it was at a moment, None when it is gone, not yet seen or unknown.

        Raises ShardDown when nobody who could know answers.
        """
        shard = shard_of(post_id, self.plan.shards)
        call = Call("get", (post_id,), {"as_of_ms": as_of_ms})
        answers = self._replicas.ask({shard: call}, self._deadline_s)
        if shard not in answers:
            raise ShardDown(f"no replica of shard {shard} answers, which would hold {post_id}")
        post: Post | None = answers[shard].value
        return post

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """Return in how many posts of the shards that answer each of `words` occurs, at most."""
        answers = self._ask_all(Call("frequencies", (list(words),)))
        columns = [answer.value for answer in answers.values()]
        return [sum(column[at] for column in columns) for at in range(len(words))]

    def newest_seen_ms(self, *, as_of_ms: int | None = None) -> int:
        """Return when the newest post that shows at a moment was seen; 0 when there is none."""
        answers = self._ask_all(Call("newest_seen_ms", (), {"as_of_ms": as_of_ms}))
        return max((answer.value for answer in answers.values()), default=0)

    def stats(self) -> IndexStats:
        """Count what the shards that answer have applied, each shard once."""
        answers = self._ask_all(Call("stats"))
        return counted([answer.value for answer in answers.values()])

    def coverage(self) -> Coverage:
        """Return how much of the index answers right now."""
        return self._coverage(self._ask_all(Call("newest_seen_ms")))

    def standing(self) -> dict[tuple[int, int], Standing | None]:
        """Return how each replica stands, by (shard, replica); None of one that does not say."""
        return self._replicas.standing(self._deadline_s)

    def close(self) -> None:
        """Disconnect; the replicas go on."""
        self._stream.close()

    def end(self) -> None:
        """End the replicas, and disconnect. Streams and folders stay."""
        self._replicas.end(_END_S)
        self.close()

    def _ask_all(self, call: Call) -> dict[int, Answer]:
        calls = dict.fromkeys(range(self.plan.shards), call)
        return self._replicas.ask(calls, self._deadline_s)

    def _coverage(self, answers: dict[int, Answer]) -> Coverage:
        fresh_ms = {shard: answer.fresh_ms for shard, answer in answers.items()}
        now_ms = time.time_ns() // 1_000_000
        return covered(fresh_ms, self._replicas.fresh_ms, self.plan.shards, now_ms)
