"""`POST /v1/replay` and `/v1/ingest`: the command line hands a file to whoever holds the home.

Only programs on this machine may, since a path names a file of this machine. The answer is a line
of JSON twice a second (`home.Progress`); when the client goes away the file is put down, and the
next time it goes on from there.
"""

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fairwitness.home import IntakeRefused, Progress
from fairwitness.server.bodies import read_body
from fairwitness.server.errors import ApiError
from fairwitness.server.guard import require_local
from fairwitness.server.house import House

_STATUS_OF = {"live": 409, "busy": 409, "down": 503, "bad_value": 400}


class ReplayBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which capture to play; `speed` is how many of its seconds pass in one of ours."""

    path: str
    speed: Annotated[float, Meta(gt=0)] | Literal["max"] = "max"
    network: str = ""


class IngestBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which file to take in as seen now; `network` for rows that do not say theirs."""

    path: str
    network: str = ""
    follow: bool = False


async def replay(request: Request) -> Response:
    """Play a capture on a virtual clock."""
    require_local(request)
    house: House = request.app.state.house
    body = await read_body(request, ReplayBody)
    speed = None if body.speed == "max" else body.speed
    return await _lines(house.writer.replay(Path(body.path), speed, body.network))


async def ingest(request: Request) -> Response:
    """Take in a file."""
    require_local(request)
    house: House = request.app.state.house
    body = await read_body(request, IngestBody)
    return await _lines(house.writer.file(Path(body.path), body.network, follow=body.follow))


async def _lines(taking_in: Awaitable[AsyncIterator[Progress]]) -> Response:
    try:
        progress = await taking_in
    except IntakeRefused as refused:
        status, field = _STATUS_OF[refused.code], refused.field or None
        raise ApiError(status, str(refused), param=field, code=refused.code) from refused

    async def lines() -> AsyncIterator[bytes]:
        async for each in progress:
            yield msgspec.json.encode(each) + b"\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")
