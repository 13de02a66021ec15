"""`POST /v1/ask`: a question in, the answer out, whole or sentence by sentence.

The JSON is exactly what `fairwitness ask --json` prints: `answers.Answer` as msgspec writes it. As
a stream the events are `said` (a sentence, and the sources that it is the first to cite) and then
`finished` (the whole answer), or `error`.
"""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from fairwitness.answers import MAX_QUESTIONS, Answer, Finished, Length, Mode, Parsed, Said, Told
from fairwitness.server import kept, sse
from fairwitness.server.bodies import json, moment_ms, read_body
from fairwitness.server.errors import ApiError, body_of
from fairwitness.server.house import House
from fairwitness.server.workers import Running, last_of, while_connected

MOST_EARLIER = 100
"""Messages of a conversation that one may send along; the last few are looked at."""


class AskBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one may ask."""

    question: str
    mode: Mode = "regular"
    lang: str = ""
    """Language of the answer, ISO 639; empty: that of the question."""
    as_of: str = ""
    """ISO 8601; only posts seen by then are read. Empty: now."""
    stream: bool = False
    keep: bool = False
    """Keep the answer, to be read back at `/v1/answers/{id}`."""
    earlier: Annotated[tuple[str, ...], Meta(max_length=MOST_EARLIER)] = ()
    """What the same person asked before, the oldest first; a follow-up leans on it."""
    explain: bool = False
    """Tell how the question was understood and what was searched, in `explained`."""
    questions: Annotated[tuple[Parsed, ...], Meta(max_length=MAX_QUESTIONS)] = ()
    """Questions as `explained` tells them, changed or not, to be asked in place of `question`."""
    length: Length = "normal"
    """How many sentences it may have."""


async def ask(request: Request) -> Response:
    """Answer a question."""
    house: House = request.app.state.house
    body = await read_body(request, AskBody)
    moment = as_of_ms(body.as_of)
    running = house.ask(
        body.question, body.mode, body.lang, moment, house.chat.model,
        earlier=body.earlier, edited=body.questions, explain=body.explain, length=body.length,
    )  # fmt: skip
    try:
        first = await while_connected(request, anext(running))
        if not body.stream:
            answer = await while_connected(request, whole(running, first))
            return json(kept.put(house, answer) if body.keep else answer)
    except BaseException:
        running.cancel()
        raise
    return sse.stream(_events(running, first, house if body.keep else None))


def as_of_ms(as_of: str) -> int | None:
    """Return the moment that `as_of` names, None for now; raises ApiError when it names none."""
    return moment_ms(as_of, "as_of") if as_of else None


async def whole(running: Running[Told], first: Told) -> Answer:
    """Return the answer that the work ends with."""
    last = await last_of(running, first)
    if not isinstance(last, Finished):
        raise ApiError(503, "the server is stopping", code="stopping")
    return last.answer


async def _events(
    running: Running[Told], first: Told, keeping: House | None
) -> AsyncIterator[bytes]:
    try:
        yield _event(_kept(first, keeping))
        async for told in sse.with_silences(running):
            yield sse.SILENCE if told is None else _event(_kept(told, keeping))
    except Exception as error:  # the response has begun, so the stream itself must say it
        yield sse.event("error", body_of(error))
    finally:
        running.cancel()


def _kept(told: Told, keeping: House | None) -> Told:
    if keeping is None or not isinstance(told, Finished):
        return told
    return Finished(kept.put(keeping, told.answer))


def _event(told: Told) -> bytes:
    return sse.event("said" if isinstance(told, Said) else "finished", told)
