"""`GET /v1/explain/{id or address}`: one post, its thread, who denies it, who else reports it."""

from starlette.requests import Request
from starlette.responses import Response

from fairwitness import answers
from fairwitness.answers import UnknownPost
from fairwitness.server.ask import as_of_ms
from fairwitness.server.bodies import json
from fairwitness.server.errors import ApiError
from fairwitness.server.house import House


async def explain(request: Request) -> Response:
    """Explain a post as of now, or as of `as_of`."""
    house: House = request.app.state.house
    named = request.path_params["named"]
    moment = as_of_ms(request.query_params.get("as_of", ""))
    desk = house.home.desk()
    try:
        told = await house.answering.run(lambda: answers.explain(desk, named, moment))
    except UnknownPost as error:
        raise ApiError(404, str(error), param="id", code="post_not_found") from error
    return json(told)
