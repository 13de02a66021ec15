"""A decoder of one layer whose positions YaRN stretches to 131,072, for tests of long contexts.

With one layer, what a token sees follows from the embeddings alone, so float64 can judge any of
them.
"""

from fairwitness.models.config import DecoderConfig
from fairwitness.models.rope import Yarn, yarn_amplitude

LONG, FACTOR = 131_072, 16.0
YARN = Yarn(FACTOR, 8192, yarn_amplitude(FACTOR))


def stretched(width: int, head_size: int) -> DecoderConfig:
    """Return its shape."""
    return DecoderConfig(
        vocabulary=64,
        width=width,
        layers=1,
        query_heads=1,
        kv_heads=1,
        head_size=head_size,
        hidden=width,
        context=LONG,
        rope_base=10_000.0,
        norm_epsilon=1e-5,
        tied_head=True,
        rope_scaling=YARN,
    )
