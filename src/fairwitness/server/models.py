"""`GET /v1/models`: what can be asked by name, and who answers to a name.

A model with an adapter is a model of its own, named `model:adapter`; `parent` says whose it is, as
vLLM has it (ModelCard in vllm/entrypoints/openai/protocol.py of vllm-project/vllm).
"""

from starlette.requests import Request
from starlette.responses import Response

from fairwitness.engine import LocalChat
from fairwitness.engine.chat import ChatModel
from fairwitness.server.bodies import json
from fairwitness.server.chat_body import GROUNDED
from fairwitness.server.errors import ApiError
from fairwitness.server.house import House

_CREATED_S = 1_763_769_600
"""2025-11-22: the models' `created`, which clients want and nothing depends on."""


async def models(request: Request) -> Response:
    """List what can be asked by name."""
    house: House = request.app.state.house
    return json({"object": "list", "data": _entries(house)})


async def model(request: Request) -> Response:
    """Describe one model."""
    house: House = request.app.state.house
    name = request.path_params["name"]
    found = next((entry for entry in _entries(house) if entry["id"] == name), None)
    if found is None:
        raise _unknown(name)
    return json(found)


def named(house: House, name: str) -> ChatModel:
    """Return the chat model of this name; raises ApiError."""
    chat = house.chat.named(name)
    if chat:
        return chat
    if house.chat.report().state == "loading":
        raise ApiError(503, "the chat model is still loading", code="loading", retry_after_s=5)
    raise _unknown(name)


def _entries(house: House) -> list[dict[str, object]]:
    return [
        _entry(GROUNDED, None),
        *(_entry(each.name, _parent(each)) for each in house.chat.models),
    ]


def _parent(chat: ChatModel) -> str | None:
    if isinstance(chat, LocalChat) and chat.adapter:
        return chat.name.removesuffix(f":{chat.adapter}")
    return None


def _entry(name: str, parent: str | None) -> dict[str, object]:
    entry: dict[str, object] = {
        "id": name,
        "object": "model",
        "created": _CREATED_S,
        "owned_by": "fairwitness",
    }
    return entry | {"parent": parent} if parent else entry


def _unknown(name: str) -> ApiError:
    return ApiError(404, f"no such model: {name[:80]}", param="model", code="model_not_found")
