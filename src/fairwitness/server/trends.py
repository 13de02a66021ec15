"""`/v1/trends`: what is said much more than usual, with the posts that show it."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from fairwitness.index.trends import Listing, chart_of, listing
from fairwitness.server.bodies import json, read_query
from fairwitness.server.errors import ApiError
from fairwitness.server.house import House

MAX_LIMIT = 200
_LISTS = frozenset({"lang"})


class TrendsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which trends."""

    limit: int = 20
    lang: tuple[str, ...] = ()
    """In these languages; with none, over all and then of small languages."""


async def trends(request: Request) -> Response:
    """List trends, the most surprising first."""
    house: House = request.app.state.house
    asked = read_query(request, TrendsQuery, lists=_LISTS)
    if not 1 <= asked.limit <= MAX_LIMIT:
        raise ApiError(400, f"limit: not from 1 to {MAX_LIMIT}: {asked.limit}", param="limit")

    def find() -> Listing:
        chart = chart_of(house.home.folder)
        return listing(chart, house.home.index.get, asked.limit, asked.lang)

    return json(await house.searching.run(find))
