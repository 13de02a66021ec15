"""`POST /v1/deep`: a report on a question, whole or as it grows.

As a stream the events are `progressed` (which step of the plan, and the report by now: whoever
leaves has the last of them) and then `reported`, or `error`.
"""

from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from fairwitness import answers
from fairwitness.answers import Budget, Mode, Progressed, Report, Reported
from fairwitness.server import sse
from fairwitness.server.ask import as_of_ms
from fairwitness.server.bodies import json, read_body
from fairwitness.server.errors import ApiError, body_of
from fairwitness.server.house import House
from fairwitness.server.workers import Running, last_of, while_connected

MOST = Budget(seconds=300.0, tokens=100_000)
"""What one report may cost at most: it holds one of few threads."""

Told = Progressed | Reported


class DeepBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one may have a report on."""

    question: str
    mode: Mode = "regular"
    lang: str = ""
    as_of: str = ""
    """ISO 8601; only posts seen by then are read. Empty: now."""
    seconds: float = Budget().seconds
    tokens: int = Budget().tokens
    stream: bool = False


async def deep(request: Request) -> Response:
    """Report on a question."""
    house: House = request.app.state.house
    body = await read_body(request, DeepBody)
    running = _begin(house, body)
    try:
        first = await while_connected(request, anext(running))
        if not body.stream:
            return json(await while_connected(request, _whole(running, first)))
    except BaseException:
        running.cancel()
        raise
    return sse.stream(_events(running, first))


def _begin(house: House, body: DeepBody) -> Running[Told]:
    for name in ("seconds", "tokens"):
        most = getattr(MOST, name)
        if not 0 <= getattr(body, name) <= most:
            raise ApiError(400, f"{name}: from 0 to {most:g}", param=name, code="bad_value")
    moment = as_of_ms(body.as_of)
    budget = Budget(body.seconds, body.tokens)
    desk = house.home.desk(lambda: house.chat.model)
    return house.answering.start(
        lambda: answers.deep(
            desk, body.question, mode=body.mode, lang=body.lang, as_of_ms=moment, budget=budget
        )
    )


async def _whole(running: Running[Told], first: Told) -> Report:
    last = await last_of(running, first)
    if not isinstance(last, Reported):
        raise ApiError(503, "the server is stopping", code="stopping")
    return last.report


async def _events(running: Running[Told], first: Told) -> AsyncIterator[bytes]:
    try:
        yield _event(first)
        async for told in sse.with_silences(running):
            yield sse.SILENCE if told is None else _event(told)
    except Exception as error:  # the response has begun, so the stream itself must say it
        yield sse.event("error", body_of(error))
    finally:
        running.cancel()


def _event(told: Told) -> bytes:
    return sse.event("reported" if isinstance(told, Reported) else "progressed", told)
