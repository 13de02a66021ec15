"""Keep listening to a source: connect, resume, and when it breaks wait and connect again.

The pause doubles up to a minute, and half of it is drawn at random ("equal jitter", Brooker, AWS
Architecture Blog 2015), so that a thousand listeners do not come back in the same second. A source
that cannot resume has missed what was said meanwhile, and that is recorded as a gap.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from fairwitness.posts.clock import Clock
from fairwitness.posts.health import SourceHealth
from fairwitness.posts.source import Gap, Source, SourceBatch, SourceLost, SourceRefused

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
LONGEST_ASKED_S = 86_400.0
"""A peer may ask for a longer pause than we would make, but for no longer than this."""

_log = logging.getLogger(__name__)


async def listen(
    source: Source, cursor: str, clock: Clock, health: SourceHealth
) -> AsyncGenerator[SourceBatch, None]:
    """Yield all that `source` says after `cursor`, over any number of connections.

    Ends when the source is exhausted or refuses; `health` says which and why. An exception that
    sources do not raise is a mistake in this one: it is logged whole, and then the connection
    counts as lost, so that one source cannot take the others down.
    """
    failures = 0
    lost_ms, why = health.last_ms, "not listening"
    health.state, health.problem = "idle", ""
    while True:
        try:
            async with aclosing(source.batches(cursor)) as batches:
                async for batch in batches:
                    if lost_ms and not cursor:
                        missed = Gap(lost_ms, max(lost_ms, clock.now_ms()), why)
                        batch = msgspec.structs.replace(batch, gaps=(*batch.gaps, missed))
                    failures, lost_ms, cursor = 0, 0, batch.cursor
                    health.state, health.problem = "live", ""
                    yield batch
            health.state, health.problem = "ended", ""
            return
        except SourceRefused as error:
            health.state, health.problem = "refused", _said(error)
            _log.error("%s", _said(error))
            return
        except (Exception, asyncio.CancelledError) as error:
            if _is_ours(error):
                raise
            failures += 1
            lost_ms, why = lost_ms or clock.now_ms(), "connection lost"
            pause_s = pause(failures, getattr(error, "retry_after_s", 0.0))
            health.reconnects += 1
            health.state, health.problem = "waiting", _said(error)
            unforeseen = None if isinstance(error, SourceLost | OSError) else error
            told = "%s: %s; connecting again in %.1f s"
            _log.warning(told, source.name, _said(error), pause_s, exc_info=unforeseen)
        await asyncio.sleep(pause_s)


def pause(failures: int, asked_s: float = 0.0) -> float:
    """Return how long to wait after so many failures in a row, at least what the peer asked."""
    ceiling_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures - 1, 10))
    return max(min(asked_s, LONGEST_ASKED_S), random.uniform(ceiling_s / 2, ceiling_s))


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _is_ours(error: BaseException) -> bool:
    """Return whether it is we who are cancelled, and not something inside the source."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling() > 0)
