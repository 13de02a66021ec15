"""Bodies in and out: JSON that msgspec checks against a struct, or a refusal that says why.

What a client sent is checked here once; behind this door every field has the type of its struct.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from fairwitness.posts.clock import from_iso
from fairwitness.server.errors import ApiError

B = TypeVar("B", bound=msgspec.Struct)

MAX_BODY_BYTES = 1_000_000
"""More than any question or conversation that fits a model here."""

_WHERE = re.compile(r"^(?P<problem>.*?)(?: - at (?:`key` in )?`\$(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_SHOWN_CHARS = 60


def json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return `value` as JSON."""
    return Response(msgspec.json.encode(value), status, headers, "application/json")


async def read_body(request: Request, kind: type[B]) -> B:
    """Return the JSON body as `kind`; raises ApiError naming the field and its value."""
    sent = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if sent != "application/json":
        raise ApiError(415, f"Content-Type must be application/json, not {sent or 'missing'}")
    raw = await _read(request)
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _refusal(error, msgspec.json.decode(raw)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(400, f"the body is not JSON: {error}", code="bad_json") from error


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(
                413, f"the body is larger than {MAX_BODY_BYTES:,} bytes", code="too_large"
            )
    return bytes(body)


def read_query(request: Request, kind: type[B], *, lists: frozenset[str]) -> B:
    """Return the query string as `kind`; the fields in `lists` may be given several times."""
    given: dict[str, Any] = {}
    for name in request.query_params:
        values = request.query_params.getlist(name)
        given[name] = values if name in lists else values[-1]
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _refusal(error, given) from error


def moment_ms(text: str, param: str) -> int:
    """Return the ISO 8601 time `text` as Unix milliseconds; raises ApiError naming `param`."""
    try:
        return from_iso(text)
    except ValueError as error:
        raise ApiError(400, f"{param}: {error}", param=param, code="bad_time") from error


def _refusal(error: msgspec.ValidationError, sent: object) -> ApiError:
    """Turn "Expected `str`, got `int` - at `$.question`" into an error with field and value."""
    found = _WHERE.match(str(error))
    assert found is not None
    path = found["path"] or ""
    param = path.lstrip(".").removesuffix("[...]")  # msgspec names no key of a mapping
    problem = found["problem"][:1].lower() + found["problem"][1:]
    if not param:
        return ApiError(400, problem, code="bad_body")
    value = msgspec.json.encode(_value_at(sent, path)).decode()
    shown = value if len(value) <= _SHOWN_CHARS else value[:_SHOWN_CHARS] + "…"
    return ApiError(400, f"{param}: {problem}: {shown}", param=param, code="bad_value")


def _value_at(sent: Any, path: str) -> Any:
    for name, place in _STEP.findall(path):
        if name and isinstance(sent, dict):
            sent = sent.get(name)
        elif place and isinstance(sent, list):
            sent = sent[int(place)]
    return sent
