"""`POST /v1/chat/completions` and `GET /v1/models`: the API that every program already speaks.

The model `fairwitness` answers from posts (see `grounded`). The name of the loaded chat model gets
that model as it is, with no posts and nothing verified.
"""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response

from fairwitness.engine.chat import ChatError, ChatModel, ChatOptions, ChatStream
from fairwitness.server import grounded, sse
from fairwitness.server.bodies import json, read_body
from fairwitness.server.errors import ApiError, body_of
from fairwitness.server.house import House
from fairwitness.server.openai_wire import DEFAULT_MAX_TOKENS, GROUNDED, ChatBody, Head
from fairwitness.server.workers import Running, while_connected

_CREATED_S = 1_763_769_600
"""2025-11-22: the models' `created`, which clients want and nothing depends on."""


async def completions(request: Request) -> Response:
    """Answer a conversation."""
    house: House = request.app.state.house
    body = await read_body(request, ChatBody)
    if body.model == GROUNDED:
        return await grounded.complete(request, house, body)
    return await _raw(request, house, _model(house, body.model), body)


async def models(request: Request) -> Response:
    """List what can be asked by name."""
    house: House = request.app.state.house
    return json({"object": "list", "data": [_entry(name) for name in _names(house)]})


async def model(request: Request) -> Response:
    """Describe one model."""
    house: House = request.app.state.house
    name = request.path_params["name"]
    if name not in _names(house):
        raise _unknown(name)
    return json(_entry(name))


async def _raw(request: Request, house: House, chat: ChatModel, body: ChatBody) -> Response:
    """Answer with the chat model alone."""
    messages, options = body.conversation(), _options(body)
    opened: list[ChatStream] = []

    def pieces() -> ChatStream:
        try:
            opened.append(chat.stream(messages, options))
        except ChatError as error:
            raise ApiError(400, str(error), param="messages", code="chat") from error
        return opened[0]

    running = house.answering.start(pieces)
    head = Head(body.model)
    try:
        first = await while_connected(request, anext(running, ""))
        if not body.stream:
            content = first + await while_connected(request, _joined(running))
            stream = opened[0]
            return json(head.completion(content, stream.finish or "stop", stream.usage))
    except ChatError as error:
        raise ApiError(502, str(error), code="chat") from error
    except BaseException:
        running.cancel()
        raise
    return sse.stream(_chunks(running, first, opened, head, wants_usage=body.wants_usage))


async def _chunks(
    running: Running[str], first: str, opened: list[ChatStream], head: Head, *, wants_usage: bool
) -> AsyncIterator[bytes]:
    try:
        yield sse.event("", head.chunk({"role": "assistant", "content": first}))
        async for piece in sse.with_silences(running):
            yield sse.SILENCE if piece is None else sse.event("", head.chunk({"content": piece}))
        yield sse.event("", head.chunk({}, opened[0].finish or "stop"))
        if wants_usage:
            yield sse.event("", head.usage_chunk(opened[0].usage))
        yield sse.DONE
    except Exception as error:  # the response has begun, so the stream itself must say it
        yield sse.event("", body_of(error))
    finally:
        running.cancel()


async def _joined(running: Running[str]) -> str:
    return "".join([piece async for piece in running])


def _options(body: ChatBody) -> ChatOptions:
    stop = (body.stop,) if isinstance(body.stop, str) else body.stop or ()
    return ChatOptions(
        max_tokens=body.max_completion_tokens or body.max_tokens or DEFAULT_MAX_TOKENS,
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        seed=body.seed or 0,
        stop=tuple(text for text in stop if text),
    )


def _model(house: House, name: str) -> ChatModel:
    chat = house.chat.model
    if chat and chat.name == name:
        return chat
    if house.chat.report().state == "loading":
        raise ApiError(503, "the chat model is still loading", code="loading", retry_after_s=5)
    raise _unknown(name)


def _names(house: House) -> list[str]:
    chat = house.chat.model
    return [GROUNDED, *([chat.name] if chat else [])]


def _unknown(name: str) -> ApiError:
    return ApiError(404, f"no such model: {name[:80]}", param="model", code="model_not_found")


def _entry(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": _CREATED_S, "owned_by": "fairwitness"}
