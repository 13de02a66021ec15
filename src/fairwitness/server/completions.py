"""`POST /v1/chat/completions`: the API that every program already speaks.

The model `fairwitness` answers from posts (see `grounded`). The name of the loaded chat model gets
that model as it is, with no posts and nothing verified.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from fairwitness.engine.chat import (
    ChatBusyError,
    ChatDeadlineError,
    ChatError,
    ChatModel,
    Finish,
    Usage,
)
from fairwitness.engine.logprobs import TokenLogprob
from fairwitness.server import grounded, sse
from fairwitness.server.bodies import json, read_body
from fairwitness.server.chat_body import GROUNDED, ChatBody
from fairwitness.server.errors import ApiError, Busy, body_of
from fairwitness.server.house import House
from fairwitness.server.models import named
from fairwitness.server.openai_wire import Head, choice_body
from fairwitness.server.workers import Together, while_connected


async def completions(request: Request) -> Response:
    """Answer a conversation."""
    house: House = request.app.state.house
    body = await read_body(request, ChatBody)
    if body.model == GROUNDED:
        return await grounded.complete(request, house, body)
    return await _raw(request, house, named(house, body.model), body)


@dataclass(frozen=True)
class _Piece:
    """What one choice goes on with; the last one has its `finish` and its usage."""

    text: str
    logprobs: tuple[TokenLogprob, ...]
    finish: Finish | None = None
    usage: Usage | None = None


async def _raw(request: Request, house: House, chat: ChatModel, body: ChatBody) -> Response:
    """Answer with the chat model alone; each choice is an answer of its own."""
    body.options()  # what does not go together is refused before anything runs
    choices = range(body.n or 1)
    begun_s, head = time.monotonic(), Head(body.model)
    says = [partial(_pieces, chat, body, each, begun_s) for each in choices]
    running = house.chatting.start_all(says)
    try:
        async with asyncio.timeout(body.timeout_s):  # also in the line for a thread
            first = await while_connected(request, anext(running))
            if not body.stream:
                return json(await while_connected(request, _whole(running, first, head, body)))
    except (ChatError, TimeoutError) as error:
        running.cancel()
        raise _failure(error) from error
    except BaseException:
        running.cancel()
        raise
    return sse.stream(_chunks(running, first, head, body))


def _pieces(chat: ChatModel, body: ChatBody, choice: int, begun_s: float) -> Iterator[_Piece]:
    """Say one choice; runs in a thread. Raises ApiError for what the model cannot be asked."""
    try:
        options = body.options(choice, time.monotonic() - begun_s)
        stream = chat.stream(body.conversation(), options)
    except ChatError as error:
        raise _refusal(error, body) from error
    with closing(stream):
        told = 0
        try:
            for text in stream:
                logprobs = tuple(stream.logprobs[told:])
                told += len(logprobs)
                yield _Piece(text, logprobs)
        except ChatError as error:
            if not error.option:
                raise
            raise _refusal(error, body) from error
        rest = tuple(stream.logprobs[told:])
        yield _Piece("", rest, stream.finish or "stop", stream.usage)


def _refusal(error: ChatError, body: ChatBody) -> ApiError:
    if isinstance(error, ChatBusyError | ChatDeadlineError):
        return _failure(error)
    return ApiError(400, str(error), param=body.param_of(error.option), code="chat")


def _failure(error: ChatError | TimeoutError) -> ApiError:
    """What the chat model, and not who asks, is to blame for."""
    if isinstance(error, ChatBusyError):
        return Busy(str(error), retry_after_s=1)
    if isinstance(error, ChatDeadlineError | TimeoutError):
        return ApiError(504, "the time for this request is over", code="deadline")
    return ApiError(502, str(error), code="chat")


async def _whole(
    running: Together[_Piece], first: tuple[int, _Piece], head: Head, body: ChatBody
) -> dict[str, object]:
    """Return the completion, once all choices are said."""
    said: list[list[_Piece]] = [[] for _ in range(body.n or 1)]
    said[first[0]].append(first[1])
    async for choice, piece in running:
        said[choice].append(piece)
    bodies = []
    for index, pieces in enumerate(said):
        content = "".join(piece.text for piece in pieces)
        logprobs = [each for piece in pieces for each in piece.logprobs]
        told = logprobs if body.logprobs else None
        finish = pieces[-1].finish or "stop"
        bodies.append(choice_body(content, finish, index=index, logprobs=told))
    return head.completion(bodies, _sum([pieces[-1].usage for pieces in said]))


async def _chunks(
    running: Together[_Piece], first: tuple[int, _Piece], head: Head, body: ChatBody
) -> AsyncIterator[bytes]:
    usages: list[Usage | None] = []
    begun: set[int] = set()
    try:
        async for item in _with_first(running, first):
            if item is None:
                yield sse.SILENCE
                continue
            choice, piece = item
            logprobs = piece.logprobs if body.logprobs else None
            role = {} if choice in begun else {"role": "assistant"}
            begun.add(choice)
            if piece.text or piece.logprobs or role:
                delta = {**role, "content": piece.text}
                yield sse.event("", head.chunk(delta, index=choice, logprobs=logprobs))
            if piece.finish:
                yield sse.event("", head.chunk({}, piece.finish, index=choice))
                usages.append(piece.usage)
        if body.wants_usage:
            yield sse.event("", head.usage_chunk(_sum(usages)))
        yield sse.DONE
    except Exception as error:  # the response has begun, so the stream itself must say it
        told = _failure(error) if isinstance(error, ChatError) else error
        yield sse.event("", body_of(told))
    finally:
        running.cancel()


async def _with_first(
    running: Together[_Piece], first: tuple[int, _Piece]
) -> AsyncIterator[tuple[int, _Piece] | None]:
    yield first
    async for item in sse.with_silences(running):
        yield item


def _sum(usages: list[Usage | None]) -> Usage | None:
    """Return the usage of all choices: the prompt counts once. None when one does not tell."""
    known = [usage for usage in usages if usage is not None]
    if not known or len(known) < len(usages):
        return None
    return Usage(known[0].prompt_tokens, sum(usage.completion_tokens for usage in known))
