"""A Mastodon server on loopback: instance, public timeline, and both streaming transports.

Written from https://docs.joinmastodon.org and streaming/index.js of github.com/mastodon/mastodon.
"""

import asyncio
import contextlib
import json

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

TOKEN = "user-token"


class MastodonServer:
    """Holds a timeline; `post`, `edit` and `delete` tell whoever is listening."""

    def __init__(self) -> None:
        self.statuses: dict[str, dict] = {}
        self.domain = "example.social"
        self.streaming = ""
        self.listeners: list[asyncio.Queue] = []
        self.timeline_calls: list[dict] = []
        self.limit_after: int | None = None
        self.require_token = True
        self.has_instance = True
        self.stream_error: dict | None = None
        self.on_page = None

    async def __aenter__(self) -> "MastodonServer":
        app = Starlette(
            routes=[
                Route("/api/v2/instance", self._instance),
                Route("/api/v1/timelines/public", self._timeline),
                Route("/api/v1/streaming/public", self._sse),
                WebSocketRoute("/api/v1/streaming", self._websocket),
            ]
        )
        config = uvicorn.Config(
            app, port=0, log_level="critical", ws="websockets-sansio", date_header=False
        )
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.005)
        self.host = f"127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        self.url = f"http://{self.host}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self.hang_up()
        self._server.should_exit = True
        await self._task

    async def listened_to(self) -> None:
        while not self.listeners:
            await asyncio.sleep(0.005)

    def post(self, status: dict, *, silently: bool = False) -> None:
        self.statuses[status["id"]] = status
        if not silently:
            self.tell("update", status)

    def edit(self, status: dict) -> None:
        self.statuses[status["id"]] = status
        self.tell("status.update", status)

    def delete(self, local_id: str) -> None:
        del self.statuses[local_id]
        self.tell("delete", local_id)

    def tell(self, event: str, payload: dict | str) -> None:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        for queue in self.listeners:
            queue.put_nowait((event, text))

    def hang_up(self) -> None:
        for queue in self.listeners:
            queue.put_nowait(None)

    def _refuses(self, connection) -> bool:
        given = connection.headers.get("Authorization")
        return self.require_token and given != f"Bearer {TOKEN}"

    async def _instance(self, request):
        if not self.has_instance:
            return PlainTextResponse("not found", 404)
        streaming = self.streaming or f"ws://{self.host}"
        return JSONResponse(
            {"domain": self.domain, "configuration": {"urls": {"streaming": streaming}}}
        )

    async def _timeline(self, request):
        self.timeline_calls.append(dict(request.query_params))
        if self.limit_after is not None and len(self.timeline_calls) > self.limit_after:
            headers = {
                "X-RateLimit-Reset": "2026-07-04T15:00:00.000Z",
                "Date": "Sat, 04 Jul 2026 14:58:30 GMT",
            }
            return JSONResponse({"error": "Too many requests"}, 429, headers=headers)
        floor, limit = request.query_params["min_id"], int(request.query_params["limit"])
        newer = sorted(int(i) for i in self.statuses if int(i) > int(floor))[:limit]
        if self.on_page:
            self.on_page()
        return JSONResponse([self.statuses[str(i)] for i in reversed(newer)])

    async def _sse(self, request):
        if self._refuses(request):
            return JSONResponse({"error": "Missing access token"}, 401)

        async def lines():
            yield ":)\n"
            with self._listening() as queue:
                while told := await queue.get():
                    yield ":thump\n"
                    yield f"event: {told[0]}\n"
                    yield f"data: {told[1]}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    async def _websocket(self, socket):
        if self._refuses(socket):
            await socket.send_denial_response(PlainTextResponse("", 401))
            return
        await socket.accept()
        if self.stream_error:
            await socket.send_text(json.dumps(self.stream_error))
        with self._listening() as queue:
            while told := await queue.get():
                event, payload = told
                stream = [socket.query_params["stream"]]
                frame = {"stream": stream, "event": event, "payload": payload}
                await socket.send_text(payload if event == "raw" else json.dumps(frame))
        await socket.close()

    @contextlib.contextmanager
    def _listening(self):
        queue: asyncio.Queue = asyncio.Queue()
        self.listeners.append(queue)
        try:
            yield queue
        finally:
            self.listeners.remove(queue)
