"""`POST /v1/embeddings`: texts as vectors, by our own chat model.

A vector is the hidden state of a text's last token after the last norm, made one long. The text
goes in as it is, with nothing before it; who wants a beginning token sends token ids.

Source: openai/openai-openapi, `openapi.json` 2.3.0 (CreateEmbeddingRequest,
CreateEmbeddingResponse).
"""

from base64 import b64encode
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from fairwitness.engine import EngineError, LocalChat, QueueFullError, RequestError
from fairwitness.server.bodies import json, read_body
from fairwitness.server.errors import ApiError, Busy
from fairwitness.server.house import House
from fairwitness.server.models import named
from fairwitness.server.workers import while_connected

MOST_TEXTS = 2048  # as OpenAI has it

Ids = tuple[int, ...]


class EmbeddingBody(msgspec.Struct, frozen=True):
    """What a client sends: a text, several, one text's token ids, or those of several."""

    model: str
    input: str | Annotated[tuple[str | int | Ids, ...], Meta(min_length=1)]
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: Annotated[int, Meta(ge=1)] | None = None


async def embeddings(request: Request) -> Response:
    """Return the vectors of texts."""
    house: House = request.app.state.house
    body = await read_body(request, EmbeddingBody)
    chat = named(house, body.model)
    if not isinstance(chat, LocalChat):
        raise ApiError(400, f"{chat.name} gives no vectors here", param="model", code="bad_value")
    _check_dimensions(body, chat.engine.config.width)
    texts = _texts(body, chat)
    work = house.answering.run(lambda: _embed(chat, texts))
    vectors = await while_connected(request, work)
    data = [
        {"object": "embedding", "index": index, "embedding": _spelled(body, vector)}
        for index, vector in enumerate(vectors)
    ]
    tokens = sum(len(ids) for ids in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json({"object": "list", "data": data, "model": body.model, "usage": usage})


def _check_dimensions(body: EmbeddingBody, width: int) -> None:
    """Shorter vectors mean something only where a model was trained to give them."""
    if body.dimensions not in (None, width):
        message = f"dimensions is {body.dimensions}, this model's vectors have {width}"
        raise ApiError(400, message, param="dimensions", code="bad_value")


def _texts(body: EmbeddingBody, chat: LocalChat) -> list[Ids]:
    """Return the token ids of each text; raises ApiError for what is empty or mixed."""
    sent = body.input
    if isinstance(sent, str):
        return [_encoded(chat, sent, "input")]
    ids = tuple(each for each in sent if isinstance(each, int))
    if len(ids) == len(sent):
        return [ids]
    if len(sent) > MOST_TEXTS:
        message = f"{len(sent)} texts, at most {MOST_TEXTS}"
        raise ApiError(400, message, param="input", code="bad_value")
    kinds = {type(each) for each in sent}
    if len(kinds) > 1:
        message = "input mixes texts and token ids"
        raise ApiError(400, message, param="input", code="bad_value")
    return [_encoded(chat, each, f"input[{place}]") for place, each in enumerate(sent)]


def _encoded(chat: LocalChat, text: str | int | Ids, param: str) -> Ids:
    assert not isinstance(text, int), "ids alone are one text"
    ids = tuple(chat.tokenizer.encode(text)) if isinstance(text, str) else text
    if not ids:
        raise ApiError(400, f"{param} is empty", param=param, code="bad_value")
    return ids


def _embed(chat: LocalChat, texts: list[Ids]) -> NDArray[np.float32]:
    try:
        return chat.engine.embed_all(texts, chat.adapter)
    except QueueFullError as error:
        raise Busy(str(error), retry_after_s=1) from error
    except RequestError as error:
        raise ApiError(400, str(error), param="input", code="chat") from error
    except EngineError as error:
        raise ApiError(502, str(error), code="chat") from error


def _spelled(body: EmbeddingBody, vector_d: NDArray[np.float32]) -> list[float] | str:
    """The numbers, or their bytes: float32, the smallest first."""
    if body.encoding_format == "base64":
        return b64encode(vector_d.astype("<f4").tobytes()).decode()
    return [float(number) for number in vector_d]
