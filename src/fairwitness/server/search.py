"""`/v1/search` and `/v1/posts/{id}`: the posts themselves, with each score taken apart."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from fairwitness.index import Hit, Query, Results, SyntaxProblem, all_or_any, parse
from fairwitness.posts.clock import to_iso
from fairwitness.server.ask import as_of_ms
from fairwitness.server.bodies import json, moment_ms, read_body, read_query
from fairwitness.server.errors import ApiError
from fairwitness.server.house import House

MAX_LIMIT = 1000
_LISTS = frozenset({"lang", "network", "author"})


class SearchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to search for; as a query string or as a JSON body. Times are ISO 8601."""

    q: str = ""
    """What one would type into X's search box; with nothing, the newest posts."""
    limit: int = 20
    since: str = ""
    until: str = ""
    lang: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    author: tuple[str, ...] = ()
    as_of: str = ""

    def query(self, now_ms: int) -> Query:
        """Return the query; raises ApiError naming the field that is wrong, and where."""
        if not 1 <= self.limit <= MAX_LIMIT:
            raise ApiError(400, f"limit: not from 1 to {MAX_LIMIT}: {self.limit}", param="limit")
        try:
            read = parse(self.q, now_ms)
        except SyntaxProblem as problem:
            message = f"q: {problem} (at character {problem.at + 1})"
            raise ApiError(400, message, param="q", code="bad_query", at=problem.at) from problem
        since_ms = moment_ms(self.since, "since") if self.since else read.since_ms
        until_ms = moment_ms(self.until, "until") if self.until else read.until_ms
        return msgspec.structs.replace(
            read,
            since_ms=max(since_ms, read.since_ms),
            until_ms=min(until_ms, read.until_ms),
            langs=self.lang,
            networks=self.network,
            authors=self.author,
        )


async def search(request: Request) -> Response:
    """Find posts."""
    house: House = request.app.state.house
    if request.method == "POST":
        body = await read_body(request, SearchBody)
    else:
        body = read_query(request, SearchBody, lists=_LISTS)
    asked_ms = as_of_ms(body.as_of)
    moment = house.home.now_ms() if asked_ms is None else asked_ms
    query = body.query(moment)

    def find() -> tuple[Results, bool]:
        index = house.home.index
        return all_or_any(lambda q: index.search(q, as_of_ms=moment, limit=body.limit), query)

    results, holds_all = await house.searching.run(find)
    return json(
        {
            "as_of": to_iso(moment),
            "match": "all" if holds_all else "any",
            "matched": results.matched,
            "searched": results.searched,
            "hits": [_hit(hit) for hit in results.hits],
        }
    )


async def post(request: Request) -> Response:
    """Return one post as it is now, or as it was at `as_of`."""
    house: House = request.app.state.house
    post_id = request.path_params["post_id"]
    moment = as_of_ms(request.query_params.get("as_of", ""))
    found = await house.searching.run(lambda: house.home.index.get(post_id, as_of_ms=moment))
    if found is None:
        raise ApiError(404, f"no such post: {post_id[:120]}", param="id", code="post_not_found")
    return json(found)


def _hit(hit: Hit) -> dict[str, object]:
    return {"post": hit.post, "score": hit.score, "parts": hit.parts._asdict()}
