"""The shape of a cluster: how many shards and replicas, where streams and folders are.

Every process of a cluster is given the same plan. The number of shards is fixed when the streams
are made, because a post belongs to the shard that its id hashes to.
"""

from pathlib import Path

import msgspec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster as it should be."""

    servers: tuple[str, ...]
    """Where NATS listens, `nats://host:port`."""
    folder: str
    """Where a node keeps the indexes of its replicas. A folder that a restarted process finds again
    spares it reading its stream from the beginning."""
    shards: int = 3
    replicas: int = 2
    """Processes for each shard, on different nodes when there are."""
    copies: int = 1
    """Copies of each stream, on as many NATS servers: 1 or 3."""
    name: str = "fw"
    """Tells clusters on the same servers apart: begins the names of streams, and is the Ray
    namespace of the replicas."""
    slice_rows: int = 1_000_000
    """When a slice is sealed; fixed when an index is begun."""

    def folder_of(self, shard: int, replica: int) -> Path:
        """Return where a replica keeps its index."""
        return Path(self.folder) / f"shard-{shard}" / f"replica-{replica}"

    def stream_of(self, shard: int) -> str:
        """Return the name of a shard's stream."""
        return f"{self.name}-posts-{shard}"

    def subject_of(self, shard: int) -> str:
        """Return the subject on which a shard's events are published."""
        return f"{self.name}.posts.{shard}"
