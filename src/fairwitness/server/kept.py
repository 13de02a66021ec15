"""`GET /v1/answers/{id}`: an answer that was asked to be kept, as its posts carry it now.

Only whoever asks with `"keep": true` has an answer kept: questions are people's own.
"""

import os
import re
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from fairwitness.answers import Answer, Kept, keep, read_back
from fairwitness.server.bodies import json
from fairwitness.server.errors import ApiError
from fairwitness.server.house import House

MOST = 10_000
"""Answers that are kept; the oldest go first."""

_ID = re.compile(r"[0-9a-f]{32}")


def put(house: House, answer: Answer) -> Answer:
    """Keep `answer`, and return it with its id."""
    kept = keep(answer)
    folder = _folder(house)
    folder.mkdir(exist_ok=True)
    half = folder / f"{kept.id}.half"
    half.write_bytes(msgspec.json.encode(kept))
    os.replace(half, folder / f"{kept.id}.json")
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
    for old in files[:-MOST]:
        old.unlink(missing_ok=True)
    return msgspec.structs.replace(answer, id=kept.id)


async def answer(request: Request) -> Response:
    """Read an answer back: what was deleted or edited since is withdrawn from it."""
    house: House = request.app.state.house
    number = request.path_params["id"]
    path = _folder(house) / f"{number}.json"
    if not _ID.fullmatch(number) or not path.exists():
        raise ApiError(404, f"no such answer: {number[:40]}", param="id", code="answer_not_found")
    kept = msgspec.json.decode(path.read_bytes(), type=Kept)
    return json(await house.searching.run(lambda: read_back(kept, house.home.index)))


def _folder(house: House) -> Path:
    return house.home.folder / "answers"
