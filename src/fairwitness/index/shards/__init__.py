"""An index of many processes: shards in Ray actors, fed by NATS JetStream."""

from fairwitness.index.shards.cluster import Cluster
from fairwitness.index.shards.errors import ClusterFault, ShardDown, StreamDown
from fairwitness.index.shards.plan import Plan
from fairwitness.index.shards.replica import Standing

__all__ = ["Cluster", "ClusterFault", "Plan", "ShardDown", "Standing", "StreamDown"]
