"""`POST /v1/replay` and `/v1/ingest`: the command line hands a file to whoever holds the home.

Only programs on this machine may, since a path names a file of this machine. The answer is a line
of JSON twice a second (`intake.Progress`); when the client goes away the file is put down, and the
next time it goes on from there.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fairwitness.server.bodies import read_body
from fairwitness.server.guard import require_local
from fairwitness.server.house import House
from fairwitness.server.intake import Progress


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
    return _lines(house.intake.replay(Path(body.path), speed, body.network))


async def ingest(request: Request) -> Response:
    """Take in a file."""
    require_local(request)
    house: House = request.app.state.house
    body = await read_body(request, IngestBody)
    return _lines(house.intake.file(Path(body.path), body.network, follow=body.follow))


def _lines(progress: AsyncIterator[Progress]) -> Response:
    async def lines() -> AsyncIterator[bytes]:
        async for each in progress:
            yield msgspec.json.encode(each) + b"\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")
