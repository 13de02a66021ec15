"""`/v1/search` and `/v1/posts/{id}`: the posts themselves, with each score taken apart."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from fairwitness.index import Hit, Query, Results
from fairwitness.posts.clock import to_iso
from fairwitness.posts.post import FOREVER_MS
from fairwitness.server.ask import as_of_ms
from fairwitness.server.bodies import json, moment_ms, read_body, read_query
from fairwitness.server.errors import ApiError
from fairwitness.server.house import House

MAX_LIMIT = 1000
_LISTS = frozenset({"lang", "network", "author"})


class SearchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to search for; as a query string or as a JSON body. Times are ISO 8601."""

    q: str = ""
    """Words; with none, the newest posts."""
    limit: int = 20
    since: str = ""
    until: str = ""
    lang: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    author: tuple[str, ...] = ()
    as_of: str = ""

    def query(self) -> Query:
        """Return the query; raises ApiError naming the field that is wrong."""
        if not 1 <= self.limit <= MAX_LIMIT:
            raise ApiError(400, f"limit: not from 1 to {MAX_LIMIT}: {self.limit}", param="limit")
        return Query(
            words=self.q,
            since_ms=moment_ms(self.since, "since") if self.since else -FOREVER_MS,
            until_ms=moment_ms(self.until, "until") if self.until else FOREVER_MS,
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
    query = body.query()
    asked_ms = as_of_ms(body.as_of)
    moment = house.home.now_ms() if asked_ms is None else asked_ms

    def find() -> Results:
        return house.home.index.search(query, as_of_ms=moment, limit=body.limit)

    results = await house.searching.run(find)
    return json(
        {
            "as_of": to_iso(moment),
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
