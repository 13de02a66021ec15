"""Keep listening to a source: connect, resume, and when it breaks wait and connect again.

The pause doubles up to a minute and is drawn at random below that ("full jitter", Brooker, AWS
Architecture Blog 2015), so that a thousand listeners do not come back in the same second. A source
that cannot resume has missed what was said meanwhile, and that is recorded as a gap.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fairwitness.posts.clock import Clock
from fairwitness.posts.health import SourceHealth
from fairwitness.posts.source import Gap, Source, SourceBatch, SourceLost, SourceRefused

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0

_log = logging.getLogger(__name__)


async def listen(
    source: Source, cursor: str, clock: Clock, health: SourceHealth
) -> AsyncGenerator[SourceBatch, None]:
    """Yield all that `source` says after `cursor`, over any number of connections.

    Ends when the source is exhausted or refuses; `health` says which and why.
    """
    failures = 0
    lost_ms = 0
    while True:
        try:
            async with aclosing(source.batches(cursor)) as batches:
                async for batch in batches:
                    if lost_ms and not cursor:
                        missed = Gap(lost_ms, clock.now_ms(), "connection lost")
                        batch = _with_gap(batch, missed)
                    failures, lost_ms, cursor = 0, 0, batch.cursor
                    health.state, health.problem = "live", ""
                    yield batch
            health.state = "ended"
            return
        except SourceRefused as error:
            health.state, health.problem = "refused", str(error)
            _log.error("%s", error)
            return
        except (SourceLost, OSError) as error:
            failures += 1
            lost_ms = lost_ms or clock.now_ms()
            health.reconnects += 1
            health.state, health.problem = "waiting", str(error)
            pause_s = pause(failures, getattr(error, "retry_after_s", 0.0))
            _log.warning("%s; connecting again in %.1f s", error, pause_s)
            await asyncio.sleep(pause_s)


def pause(failures: int, asked_s: float = 0.0) -> float:
    """Return how long to wait after so many failures in a row, at least what the peer asked."""
    ceiling_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures - 1, 10))
    return max(asked_s, random.uniform(ceiling_s / 2, ceiling_s))


def _with_gap(batch: SourceBatch, gap: Gap) -> SourceBatch:
    return SourceBatch(batch.events, batch.cursor, (*batch.gaps, gap), batch.dropped)
