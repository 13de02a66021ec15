"""What can go wrong between a client and us, in the shape that clients already read.

Every refusal is `{"error": {"message", "type", "param", "code"}}`: the body that OpenAI's clients
turn into their exceptions (openai/openai-openapi, `ErrorResponse`; all four keys are required).
"""

import logging
from collections.abc import Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from fairwitness.answers import QuestionError
from fairwitness.index import IndexCorrupt

_log = logging.getLogger(__name__)

_MENDED_S = 10
_TYPES = {404: "not_found_error", 429: "rate_limit_error", 503: "overloaded_error"}


class ServerError(Exception):
    """The server cannot do what it was asked; the message says what and why."""


class ApiError(ServerError):
    """A request that is answered with an error of HTTP status `status`."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        at: int | None = None,
        retry_after_s: int = 0,
    ) -> None:
        """`at`: offset of the character of `param` that is wrong, in code points."""
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code
        self.at = at
        self.retry_after_s = retry_after_s


class Busy(ApiError):
    """Too many are being served already."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(503, message, code="busy", retry_after_s=retry_after_s)


def error_body(
    status: int, message: str, param: str | None, code: str | None
) -> dict[str, dict[str, object]]:
    """Return the nested error object."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def body_of(error: Exception) -> dict[str, dict[str, object]]:
    """Return the error object of anything that was raised; what is unforeseen is logged."""
    match error:
        case ApiError():
            body = error_body(error.status, str(error), error.param, error.code)
            return body if error.at is None else {"error": {**body["error"], "at": error.at}}
        case QuestionError():
            return error_body(400, str(error), "question", "bad_question")
        case IndexCorrupt():
            _log.error("%s", error)
            message = "the index is damaged and is being made again from the log"
            return error_body(503, message, None, "damaged")
        case _:
            _log.error("unforeseen error", exc_info=error)
            return error_body(500, "something broke on our side; the log says what", None, None)


async def on_api_error(_: Request, error: Exception) -> Response:
    """Answer an ApiError."""
    assert isinstance(error, ApiError)
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
    return _response(error.status, body_of(error), headers)


async def on_question_error(_: Request, error: Exception) -> Response:
    """Answer a question that cannot be asked."""
    return _response(400, body_of(error), {})


async def on_damage(_: Request, error: Exception) -> Response:
    """Answer what came upon a damaged file; the writer makes the index again."""
    return _response(503, body_of(error), {"Retry-After": str(_MENDED_S)})


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: no such route, no such method."""
    assert isinstance(error, HTTPException)
    path = request.url.path
    message = {
        404: f"no such route: {path}",
        405: f"{path} does not take {request.method}",
    }.get(error.status_code, error.detail)
    return _response(
        error.status_code, error_body(error.status_code, message, None, None), error.headers or {}
    )


async def on_unforeseen(_: Request, error: Exception) -> Response:
    """Answer a mistake of ours."""
    return _response(500, body_of(error), {})


async def on_client_gone(_: Request, __: Exception) -> Response:
    """Nobody will read this; 499 is what nginx logs for it."""
    return Response(status_code=499)


def _response(status: int, body: object, headers: Mapping[str, str]) -> Response:
    return Response(msgspec.json.encode(body), status, dict(headers), "application/json")
