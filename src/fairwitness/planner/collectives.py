"""How long chips take to exchange data: latency a hop, and bytes over the slowest link.

Bandwidth terms are those of ring algorithms, which reach the bound for large messages; latency
grows with the logarithm of the group, as trees and hierarchical rings have it (Thakur et al. 2005;
docs.nvidia.com/deeplearning/nccl). `members` may be an array.
"""

from __future__ import annotations

import numpy as np

from fairwitness.planner.device import Device, Reached
from fairwitness.planner.ranges import Number


def gather_s(whole_bytes: Number, members: Number, bytes_per_s: Number, hop_s: Number) -> Number:
    """All-gather, or reduce-scatter, of `whole_bytes` over a group."""
    return (members - 1) / members * whole_bytes / bytes_per_s + hops(members) * hop_s


def reduce_s(whole_bytes: Number, members: Number, bytes_per_s: Number, hop_s: Number) -> Number:
    """All-reduce: a reduce-scatter and a gather."""
    return 2 * gather_s(whole_bytes, members, bytes_per_s, hop_s)


def exchange_s(own_bytes: Number, members: Number, bytes_per_s: Number, hop_s: Number) -> Number:
    """All-to-all: each member keeps its part of `own_bytes` and sends the others'."""
    return gather_s(own_bytes, members, bytes_per_s, hop_s)


def hops(members: Number) -> Number:
    """Steps of a tree over a group; none for one."""
    steps: Number = np.ceil(np.log2(members))
    return steps


def link(device: Device, reached: Reached, span_chips: Number) -> tuple[Number, Number]:
    """(bytes/s, latency) of a group whose members lie `span_chips` apart in all.

    A group that leaves the scale-up domain is as fast as its way out.
    """
    inside = np.asarray(span_chips) <= device.scale_up_chips
    up = device.scale_up_bytes_per_s * reached.scale_up
    out = device.scale_out_bytes_per_s * reached.scale_out
    rate: Number = np.where(inside, up, out)
    latency: Number = np.where(inside, reached.up_latency_s, reached.out_latency_s)
    return rate, latency
