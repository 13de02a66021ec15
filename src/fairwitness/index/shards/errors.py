"""What can be wrong with an index of many processes."""

from fairwitness.index.errors import IndexFault


class ClusterFault(IndexFault):
    """The cluster cannot do what it was asked; the message names the part."""


class StreamDown(ClusterFault):
    """The stream acknowledges nothing right now; what it was told must be told again."""


class ShardDown(ClusterFault):
    """No replica of a shard answers right now, so what it holds cannot be told."""
