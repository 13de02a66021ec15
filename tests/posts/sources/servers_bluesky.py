"""A Jetstream server on loopback: both wires, both compressions, cursors, clamps and refusals.

Written from the server's documents and code (github.com/bluesky-social/jetstream, docs/README.md
section 5, internal/subscribe/{handler,cursor,encoder}.go), and sharing nothing with the client.
"""

import http
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import zstandard
from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

V1_PATH = "/subscribe"
V2_PATH = "/xrpc/network.bsky.jetstream.subscribeEvents"
DICTIONARY_PATH = "/xrpc/network.bsky.jetstream.getZstdDictionary"
LEXICON = "network.bsky.jetstream.subscribeEvents"
SEQ_BELOW = 10**15


class JetstreamServer:
    """Serves `events` (in the shape of v1). A subscriber without a cursor gets them all.

    `numbered` False is the first Jetstream: no `cursor` in events, replay in order of `time_us`.
    `cut_after` ends every connection after so many frames.
    """

    def __init__(
        self,
        events: list[dict],
        *,
        numbered: bool = True,
        first_seq: int = 1000,
        dictionaries: dict[int, bytes] | None = None,
        v2_dictionary_id: int = 20260811,
    ) -> None:
        self.events = events
        self.numbered = numbered
        self.first_seq = first_seq
        self.floor = 0
        """Index of the oldest event that is still served to a cursor."""
        self.filtered = False
        self.cut_after: int | None = None
        self.stay_open = False
        self.extra_frames: dict[int, list[bytes | str]] = {}
        """Raw frames to send before the event with that index."""
        self.last_frame = ""
        """A frame to send before closing."""
        self.refuse: tuple[int, dict[str, str], str] | None = None
        self.requests: list[str] = []
        self.handshakes: list[Headers] = []
        self.finished = False
        """Whether some connection was sent the last event."""
        self._dictionaries = dictionaries or {}
        self._v2_dictionary_id = v2_dictionary_id

    async def __aenter__(self) -> "JetstreamServer":
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._answer,
            subprotocols=["xrpc.v1.json"],
            select_subprotocol=lambda _, offered: offered[0] if offered else None,
            compression=None,
            close_timeout=0.5,
        )
        self.host = "127.0.0.1:" + str(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    def url(self, version: int) -> str:
        return f"ws://{self.host}{V1_PATH if version == 1 else V2_PATH}"

    def seq(self, index: int) -> int:
        return self.first_seq + index

    def _answer(self, connection, request):
        parts = urlsplit(request.path)
        query = parse_qs(parts.query)
        self.requests.append(request.path)
        if parts.path == DICTIONARY_PATH:
            return _binary(self._dictionaries[self._v2_dictionary_id])
        self.handshakes.append(request.headers)
        if self.refuse:
            status, headers, body = self.refuse
            response = connection.respond(status, body)
            response.headers.update(headers)
            return response
        return self._answer_v2(connection, query) if parts.path == V2_PATH else None

    def _answer_v2(self, connection, query):
        for old in ("wantedCollections", "wantedDids", "compress"):
            if old in query:
                return _refusal(connection, "InvalidRequest", f"{old} is of v1")
        wanted = int(query.get("zstdDictionary", ["0"])[0])
        if wanted not in (0, self._v2_dictionary_id):
            return _refusal(
                connection,
                "UnknownZstdDictionary",
                f"unknown zstd dictionary id {wanted}; current is {self._v2_dictionary_id}",
            )
        cursor = int(query.get("cursor", ["0"])[0])
        if 0 < cursor < SEQ_BELOW and cursor < self.seq(self.floor):
            return _refusal(
                connection,
                "CursorTooOld",
                f"cursor {cursor} below lookback floor {self.seq(self.floor)}",
            )
        return None

    async def _serve(self, socket) -> None:
        parts = urlsplit(socket.request.path)
        query = parse_qs(parts.query)
        version = 1 if parts.path == V1_PATH else 2
        pack = self._packer(version, query)
        replay, clamped = self._replay(query)
        frames: list[bytes | str] = []
        if version == 2 and clamped and int(query["cursor"][0]) >= SEQ_BELOW:
            info = {"$type": f"{LEXICON}#info", "name": "OutdatedCursor", "message": "too old"}
            frames.append(json.dumps({"$type": "message", "payload": info}))
        for index in replay:
            frames += self.extra_frames.get(index, [])
            if not self.filtered or self._wanted(self.events[index], query):
                frames.append(self._frame(version, index))
        if self.last_frame:
            frames.append(self.last_frame)
        try:
            for frame in frames[: self.cut_after]:
                await socket.send(pack(frame) if isinstance(frame, str) else frame)
            self.finished = self.cut_after is None or self.cut_after >= len(frames)
            if self.stay_open:
                await socket.wait_closed()
        except ConnectionClosed:
            pass

    def _packer(self, version: int, query: dict[str, list[str]]):
        wanted = "compress" in query or "zstdDictionary" in query
        if not wanted:
            return lambda frame: frame
        dictionary_id = 1612007021 if version == 1 else self._v2_dictionary_id
        held = zstandard.ZstdCompressionDict(self._dictionaries[dictionary_id])
        return lambda frame: zstandard.ZstdCompressor(dict_data=held).compress(frame.encode())

    def _replay(self, query: dict[str, list[str]]) -> tuple[list[int], bool]:
        """Return the indexes to send and whether the cursor was moved up to the floor."""
        every = list(range(len(self.events)))
        cursor = int(query.get("cursor", ["0"])[0])
        if not cursor:
            return every, False
        if cursor < SEQ_BELOW:
            if cursor >= self.seq(len(self.events)):
                return [], False  # a number of the future: the live tip
            start = max(cursor - self.first_seq, self.floor)
            return every[start:], start != cursor - self.first_seq
        kept = every[self.floor :]
        if not self.numbered:
            kept.sort(key=lambda index: self.events[index]["time_us"])
            after = [i for i in kept if self.events[i]["time_us"] >= cursor]
        else:
            first = (i for i in kept if self.events[i]["time_us"] >= cursor)
            start = next(first, len(self.events))
            after = every[start:]
        clamped = self.floor > 0 and self.events[self.floor]["time_us"] > cursor
        return after, clamped

    def _wanted(self, event: dict, query: dict[str, list[str]]) -> bool:
        collections = query.get("wantedCollections", []) + query.get("collections", [])
        return event["kind"] != "commit" or event["commit"]["collection"] in collections

    def _frame(self, version: int, index: int) -> str:
        event = self.events[index]
        if version == 2:
            return to_v2(event, self.seq(index))
        numbered = {**event, "cursor": self.seq(index)} if self.numbered else event
        return json.dumps(numbered, ensure_ascii=False, separators=(",", ":"))


def to_v2(event: dict, seq: int) -> str:
    """Write an event of v1 as a frame of v2."""
    kind = event["kind"]
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event["time_us"])
    payload = {
        "$type": f"{LEXICON}#{kind}",
        "seq": seq,
        "did": event["did"],
        "time": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        **(event["commit"] if kind == "commit" else {kind: event[kind]}),
    }
    frame = {"$type": "message", "payload": payload}
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


def _refusal(connection, name: str, message: str) -> Response:
    response = connection.respond(400, json.dumps({"error": name, "message": message}))
    response.headers["Content-Type"] = "application/json"
    return response


def _binary(body: bytes) -> Response:
    headers = Headers({"Content-Type": "application/octet-stream"})
    headers["Content-Length"] = str(len(body))
    return Response(http.HTTPStatus.OK, "OK", headers, body)
