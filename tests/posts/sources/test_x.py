"""The filtered stream, from a server that speaks it: chunks, signs of life, breaks, refusals."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import loopback as http
import pytest

from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.post import Edited, Posted
from fairwitness.posts.source import SourceBatch, SourceError, SourceLost, SourceRefused
from fairwitness.posts.sources.x import XStream
from fairwitness.posts.sources.x_budget import DAY_MS

NOON_MS = 20_000 * DAY_MS + DAY_MS // 2


def line(number: int, history: list[int] | None = None, text: str = "Straße zu 🚧") -> bytes:
    data = {
        "id": str(number),
        "text": text,
        "author_id": "7",
        "edit_history_tweet_ids": [str(each) for each in history or [number]],
    }
    message = {
        "data": data,
        "includes": {"users": [{"id": "7", "name": "Ann", "username": "ann"}]},
        "matching_rules": [{"id": "1", "tag": "fairwitness"}],
    }
    return json.dumps(message, ensure_ascii=False).encode() + b"\r\n"


Script = Callable[[asyncio.StreamWriter], AsyncIterator[bytes]]


class X:
    """An app with its rules, and a stream that plays a script of chunks on each connection."""

    def __init__(self, *scripts: list[bytes | float]) -> None:
        self.rules: dict[str, tuple[str, str]] = {}
        self.scripts = list(scripts)
        self.refusal: tuple[int, bytes, dict[str, str]] | None = None

    async def answer(self, request: http.Request, writer: asyncio.StreamWriter) -> None:
        if request.headers.get("authorization") != "Bearer s3cret":
            problem = b'{"title":"Unauthorized","type":"about:blank","status":401}'
            http.respond(writer, 401, problem)
        elif request.path == "/2/tweets/search/stream/rules":
            self.change(request, writer)
        elif self.refusal:
            http.respond(writer, *self.refusal)
        else:
            await self.play(writer)

    def change(self, request: http.Request, writer: asyncio.StreamWriter) -> None:
        if request.method == "GET":
            found = [{"id": id, "value": v, "tag": t} for id, (v, t) in self.rules.items()]
            meta = {"sent": "2024-01-15T10:35:00.000Z", "result_count": len(found)}
            http.respond(writer, 200, json.dumps({"data": found, "meta": meta}).encode())
            return
        asked = json.loads(request.body)
        errors = []
        for id in asked.get("delete", {}).get("ids", []):
            del self.rules[id]
        for rule in asked.get("add", []):
            if rule["value"].startswith("has:"):
                error = {"value": rule["value"], "title": "UnprocessableEntity"}
                error |= {"details": ["needs a standalone operator"], "type": "…/invalid-rules"}
                errors.append(error)
            else:
                self.rules[str(100 + len(self.rules))] = (rule["value"], rule["tag"])
        body = {"meta": {"summary": {"created": 0}}} | ({"errors": errors} if errors else {})
        http.respond(writer, 201, json.dumps(body).encode())

    async def play(self, writer: asyncio.StreamWriter) -> None:
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        http.start_chunks(writer, {"content-type": "application/json"})
        for step in script:
            if isinstance(step, bytes):
                await http.chunk(writer, step)
            else:
                await asyncio.sleep(step)


def stream_of(server: object, clock: VirtualClock | None = None, **options: object) -> XStream:
    settings: dict[str, object] = {"rules": ["storm lang:en"], "daily_cost_cap_usd": 5.0}
    return XStream(
        clock or VirtualClock(NOON_MS),
        "s3cret",
        base_url=server.url,
        silence_s=0.5,
        **(settings | options),  # type: ignore[arg-type]
    )


async def until_error(source: XStream, cursor: str = "") -> tuple[list[SourceBatch], SourceError]:
    batches = []
    try:
        async with asyncio.timeout(5):
            async for batch in source.batches(cursor):
                batches.append(batch)
    except SourceError as error:
        return batches, error
    raise AssertionError("a stream only ends by an error")


def ids(batches: list[SourceBatch]) -> list[str]:
    return [e.post.id for b in batches for e in b.events if isinstance(e, Posted | Edited)]


def test_posts_come_whatever_the_chunks_and_a_torn_line_is_not_a_post() -> None:
    whole = line(1) + b"\r\n" + line(2) + line(3)
    middle = whole.index("🚧".encode()) + 2
    pieces = [whole[:middle], 0.05, whole[middle : middle + 30], whole[middle + 30 :]]

    async def run() -> None:
        async with http.Loopback(X([*pieces, b"\r\n", line(4)[:40]]).answer) as server:
            batches, error = await until_error(stream_of(server))
            assert isinstance(error, SourceLost)
            assert ids(batches) == ["x:1", "x:2", "x:3"]
            posts = [event.post for batch in batches for event in batch.events]  # type: ignore[union-attr]
            assert {post.text for post in posts} == {"Straße zu 🚧"}
            assert {post.author for post in posts} == {"ann"}
            assert sum(batch.dropped for batch in batches) == 0
            (asked,) = [r for r in server.requests if r.path.endswith("/stream")]
            assert asked.query["expansions"] == ["author_id"]
            assert "backfill_minutes" not in asked.query

    asyncio.run(run())


def test_silence_is_a_loss_and_signs_of_life_are_not() -> None:
    async def run() -> None:
        alive = [0.3, b"\r\n", 0.3, b"\r\n", 0.3, line(1), 2.0]
        async with http.Loopback(X(alive).answer) as server:
            batches, error = await until_error(stream_of(server))
            assert isinstance(error, SourceLost)
            assert "silent for 0.5 s" in str(error)
            assert ids(batches) == ["x:1"]
            assert len(batches) == 4, "each sign of life is an empty batch"

    asyncio.run(run())


def test_an_edit_has_the_id_of_its_first_version() -> None:
    async def run() -> None:
        async with http.Loopback(X([line(1) + line(2, [1, 2], "Straße offen")]).answer) as server:
            batches, _ = await until_error(stream_of(server))
            posted, edited = (event for batch in batches for event in batch.events)
            assert isinstance(posted, Posted)
            assert isinstance(edited, Edited)
            assert posted.post.id == edited.post.id == "x:1"

    asyncio.run(run())


def test_after_a_break_the_backfill_is_asked_for_and_told_once() -> None:
    async def run() -> None:
        clock = VirtualClock(NOON_MS)
        x = X([line(1) + line(2)], [line(2) + line(3)])
        async with http.Loopback(x.answer) as server:
            source = stream_of(server, clock, backfill_minutes=2)
            first, _ = await until_error(source)
            clock.advance_to(NOON_MS + 90_000)
            second, _ = await until_error(source, first[-1].cursor)
            assert ids(first + second) == ["x:1", "x:2", "x:3"]
            assert not any(batch.gaps for batch in first + second)
            queries = [r.query for r in server.requests if r.path.endswith("/stream")]
            assert [query.get("backfill_minutes") for query in queries] == [None, ["2"]]
            clock.advance_to(NOON_MS + 90_000 + 600_000)
            third, _ = await until_error(source, second[-1].cursor)
            (gap,) = third[0].gaps
            assert (gap.from_ms, gap.until_ms) == (NOON_MS + 90_000, NOON_MS + 570_000)

    asyncio.run(run())


def test_a_restart_without_backfill_says_what_it_missed() -> None:
    async def run() -> None:
        clock = VirtualClock(NOON_MS)
        async with http.Loopback(X([line(1)]).answer) as server:
            first, _ = await until_error(stream_of(server, clock))
            clock.advance_to(NOON_MS + 5_000)
            second, _ = await until_error(stream_of(server, clock), first[-1].cursor)
            (gap,) = second[0].gaps
            assert (gap.from_ms, gap.until_ms) == (NOON_MS, NOON_MS + 5_000)

    asyncio.run(run())


def test_the_cap_stops_the_stream_until_the_next_day_and_survives_restarts() -> None:
    async def run() -> None:
        clock = VirtualClock(NOON_MS)
        # Ann costs 1 cent once; six posts cost 3 cents; another post and author would pass 5.
        script = [piece for n in range(1, 30) for piece in (line(n), line(n), 0.01)]
        async with http.Loopback(X(script).answer) as server:
            batches, error = await until_error(stream_of(server, clock, daily_cost_cap_usd=0.05))
            assert ids(batches) == [f"x:{n}" for n in range(1, 7)]
            assert isinstance(error, SourceLost)
            assert "daily cost cap of $0.05 reached" in str(error)
            assert error.retry_after_s == DAY_MS / 2 / 1000
            (gap,) = batches[-1].gaps
            assert gap.until_ms == 20_001 * DAY_MS
            cursor = batches[-1].cursor
            asked = len(server.requests)
            again, error = await until_error(
                stream_of(server, clock, daily_cost_cap_usd=0.05), cursor
            )
            assert (again, len(server.requests)) == ([], asked), "it does not even connect"
            clock.advance_to(20_001 * DAY_MS)
            tomorrow, _ = await until_error(
                stream_of(server, clock, daily_cost_cap_usd=0.05), cursor
            )
            assert len(ids(tomorrow)) == 6

    asyncio.run(run())


def test_a_cap_is_required_and_above_nothing() -> None:
    with pytest.raises(TypeError, match="daily_cost_cap_usd"):
        XStream(VirtualClock(), "t", ["a"])  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="above 0"):
        XStream(VirtualClock(), "t", ["a"], daily_cost_cap_usd=0)
    with pytest.raises(ValueError, match="without rules"):
        XStream(VirtualClock(), "t", [], daily_cost_cap_usd=1)
    with pytest.raises(ValueError, match="backfill"):
        XStream(VirtualClock(), "t", ["a"], daily_cost_cap_usd=1, backfill_minutes=6)


def test_rules_become_those_that_were_asked_for() -> None:
    async def run() -> None:
        x = X([line(1)])
        x.rules = {"1": ("old", "fairwitness"), "2": ("flood", "fairwitness"), "3": ("fire", "me")}
        async with http.Loopback(x.answer) as server:
            await until_error(stream_of(server, rules=["flood", "fire", "storm"]))
            assert {value for value, _ in x.rules.values()} == {"flood", "fire", "storm"}
            posts = [r for r in server.requests if r.method == "POST"]
            assert [list(json.loads(r.body)) for r in posts] == [["delete"], ["add"]]
            await until_error(stream_of(server, rules=["flood", "fire", "storm"]))
            assert len([r for r in server.requests if r.method == "POST"]) == 2

    asyncio.run(run())


def test_rules_of_somebody_else_are_not_deleted_nor_paid_for() -> None:
    async def run() -> None:
        x = X([line(1)])
        x.rules = {"1": ("cats", "pets")}
        async with http.Loopback(x.answer) as server:
            _, error = await until_error(stream_of(server))
            assert isinstance(error, SourceRefused)
            assert "'cats'" in str(error)
            assert x.rules == {"1": ("cats", "pets")}

    asyncio.run(run())


def test_a_bad_rule_is_refused_with_the_reason() -> None:
    async def run() -> None:
        async with http.Loopback(X([line(1)]).answer) as server:
            _, error = await until_error(stream_of(server, rules=["has:media"]))
            assert isinstance(error, SourceRefused)
            assert "'has:media'" in str(error)
            assert "standalone operator" in str(error)

    asyncio.run(run())


CAPPED = b'{"title":"UsageCapExceeded","type":"https://api.x.com/2/problems/usage-capped"}'
RATE = {"x-rate-limit-reset": str(NOON_MS // 1000 + 300)}


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "pause_s"),
    [
        (429, b'{"title":"Too Many Requests"}', {}, SourceLost, 60),
        (429, b"<html>", RATE, SourceLost, 300),
        (429, CAPPED, {}, SourceRefused, 0),
        (503, b"", {}, SourceLost, 5),
        (403, b'{"title":"Forbidden","detail":"no access"}', {}, SourceRefused, 0),
        (409, b'{"title":"ConnectionException","detail":"no rules"}', {}, SourceRefused, 0),
    ],
)
def test_refusals_and_pauses(
    status: int, body: bytes, headers: dict[str, str], kind: type[SourceError], pause_s: float
) -> None:
    async def run() -> None:
        x = X([])
        x.refusal = (status, body, headers)
        async with http.Loopback(x.answer) as server:
            _, error = await until_error(stream_of(server))
            assert type(error) is kind
            assert f"status {status}" in str(error)
            assert getattr(error, "retry_after_s", 0) == pause_s

    asyncio.run(run())


DISCONNECT = {
    "errors": [
        {
            "title": "operational-disconnect",
            "disconnect_type": "UpstreamOperationalDisconnect",
            "detail": "This stream has been disconnected upstream for operational reasons.",
            "type": "https://api.x.com/2/problems/operational-disconnect",
        }
    ]
}
CROWDED = {
    "title": "ConnectionException",
    "detail": "This stream is currently at the maximum allowed connection limit.",
    "connection_issue": "TooManyConnections",
    "type": "https://api.x.com/2/problems/streaming-connection",
}


@pytest.mark.parametrize(
    ("message", "kind", "pause_s"),
    [
        (DISCONNECT, SourceLost, 0.25),
        (CROWDED, SourceLost, 60),
        (json.loads(CAPPED), SourceRefused, 0),
    ],
)
def test_errors_inside_the_stream(
    message: dict[str, object], kind: type[SourceError], pause_s: float
) -> None:
    async def run() -> None:
        script = [line(1) + json.dumps(message).encode() + b"\r\n", 1.0]
        async with http.Loopback(X(script).answer) as server:
            batches, error = await until_error(stream_of(server))
            assert ids(batches) == ["x:1"]
            assert type(error) is kind
            assert str(message.get("title") or "operational-disconnect") in str(error)
            assert getattr(error, "retry_after_s", 0) == pause_s

    asyncio.run(run())


def test_what_cannot_be_read_is_counted_and_the_rest_goes_on() -> None:
    partial = json.loads(line(2)) | {"errors": [{"title": "Not Found Error"}]}
    odd = b'{"data": {"id": 5}}\r\n{"news": "of a kind to come"}\r\n\xff\r\n'

    async def run() -> None:
        script = [line(1) + odd + json.dumps(partial).encode() + b"\r\n"]
        async with http.Loopback(X(script).answer) as server:
            batches, _ = await until_error(stream_of(server))
            assert ids(batches) == ["x:1", "x:2"]
            assert sum(batch.dropped for batch in batches) == 2

    asyncio.run(run())


def test_a_bad_token_is_refused_and_never_shown() -> None:
    async def run() -> None:
        async with http.Loopback(X([]).answer) as server:
            source = XStream(
                VirtualClock(NOON_MS), "wr0ng", ["a"], daily_cost_cap_usd=1, base_url=server.url
            )
            _, error = await until_error(source)
            assert isinstance(error, SourceRefused)
            assert "401 Unauthorized" in str(error)
            assert "wr0ng" not in f"{error!r} {error.__cause__!r} {error.__context__!r}"
        _, error = await until_error(source)
        assert isinstance(error, SourceLost)
        assert error.retry_after_s == 0.25
        _, error = await until_error(source, "7")
        assert isinstance(error, SourceRefused)

    asyncio.run(run())
