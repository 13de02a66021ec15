"""The web page: a few files, written by us, read once and served from memory.

No build step and nothing from elsewhere. Browsers ask again each time and get 304 while the file
is the same, so an upgrade shows at once.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FOLDER = resources.files("fairwitness.server") / "page"
_FIRST = "index.html"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Ours, because a machine's own table may say anything of `.js`."""


@dataclass(frozen=True)
class _File:
    body: bytes
    media_type: str
    etag: str


def routes() -> list[Route]:
    """Return a route for each file of the page; `/` is its first."""
    files = {entry.name: _read(entry.name) for entry in _FOLDER.iterdir()}
    return [
        Route("/" if name == _FIRST else f"/page/{name}", _serving(file))
        for name, file in files.items()
    ]


def _read(name: str) -> _File:
    body = (_FOLDER / name).read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    return _File(body, _MEDIA_TYPES[PurePath(name).suffix], etag)


def _serving(file: _File) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.body, headers=headers, media_type=file.media_type)

    return serve
