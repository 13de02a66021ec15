"""`POST /v1/watch`: an answer that stays open.

The events are those of `/v1/ask` as a stream, and then `changed` (`answers.living.Changed`)
whenever something that came in makes the answer another one: new, corroborated, contradicted or
withdrawn. It holds quotes and counts alone; a model would be asked again at every post.
"""

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from fairwitness import answers
from fairwitness.answers import Answer, Changed, Finished, Length, Mode, Told, changes
from fairwitness.server import sse
from fairwitness.server.ask import whole
from fairwitness.server.bodies import read_body
from fairwitness.server.errors import Busy, body_of
from fairwitness.server.house import House
from fairwitness.server.workers import RETRY_AFTER_S, Running, while_connected

LOOK_S = 0.25
"""How often it is seen whether anything came in."""

SETTLE_S = 1.0
"""So long after the last thing that came in the question is still asked again: what is logged is
searchable a little later."""

PART = 10
"""An answer that took so long is asked again after so many times that, and watchers leave time."""

MOST = 32
"""Answers that may be open at once."""


class WatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one may watch."""

    question: str
    mode: Mode = "regular"
    lang: str = ""
    alert: int = 0
    """Tell when so many independent witnesses agree; 0: never."""
    length: Length = "normal"


async def watch(request: Request) -> Response:
    """Answer a question, and go on."""
    house: House = request.app.state.house
    body = await read_body(request, WatchBody)
    if house.watching >= MOST:
        raise Busy(f"{MOST} answers are open, try again", RETRY_AFTER_S)
    heard = house.home.report.log_position
    running = _ask(house, body)
    try:
        first = await while_connected(request, anext(running))
    except BaseException:
        running.cancel()
        raise
    return sse.stream(_events(house, body, running, first, heard))


def _ask(house: House, body: WatchBody) -> Running[Told]:
    desk = house.home.desk()
    return house.answering.start(
        lambda: answers.ask(desk, body.question, mode=body.mode, lang=body.lang, length=body.length)
    )


async def _events(
    house: House, body: WatchBody, running: Running[Told], first: Told, heard: int
) -> AsyncIterator[bytes]:
    house.watching += 1
    try:
        last = first
        yield _event(first)
        async for last in running:
            yield _event(last)
        if isinstance(last, Finished):
            async for event in _living(house, body, last.answer, heard):
                yield event
    except Exception as error:  # the response has begun, so the stream itself must say it
        yield sse.event("error", body_of(error))
    finally:
        house.watching -= 1
        running.cancel()


async def _living(
    house: House, body: WatchBody, answer: Answer, heard: int
) -> AsyncIterator[bytes]:
    pause_s, settled_s, spoken_s = LOOK_S, 0.0, time.monotonic()
    while not await _closing(house, pause_s):
        pause_s = LOOK_S
        position = house.home.report.log_position
        if position != heard:
            heard, settled_s = position, time.monotonic() + SETTLE_S
        now_s = time.monotonic()
        if now_s < settled_s and (again := await _again(house, body)) is not None:
            pause_s = max(LOOK_S, min(2.0, PART * (time.monotonic() - now_s) / MOST))
            index = house.home.index
            found = await asyncio.to_thread(changes, answer, again, index, body.alert)
            if found:
                answer, spoken_s = again, now_s
                yield sse.event("changed", Changed(tuple(found), again))
        if now_s - spoken_s > sse.KEEP_ALIVE_S:
            spoken_s = now_s
            yield sse.SILENCE


async def _again(house: House, body: WatchBody) -> Answer | None:
    """Return the answer as it is now, None when too many ask at once."""
    try:
        running = _ask(house, body)
    except Busy:
        return None
    try:
        return await whole(running, await anext(running))
    finally:
        running.cancel()


async def _closing(house: House, timeout_s: float) -> bool:
    try:
        await asyncio.wait_for(house.closing.wait(), timeout_s)
    except TimeoutError:
        return False
    return True


def _event(told: Told) -> bytes:
    return sse.event("finished" if isinstance(told, Finished) else "said", told)
