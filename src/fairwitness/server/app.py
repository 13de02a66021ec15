"""The application: every route of the server on one page.

Handlers find what they work on in `app.state.house`; whatever they raise becomes the nested error
that clients know.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from fairwitness.answers import QuestionError
from fairwitness.index import IndexCorrupt
from fairwitness.server import (
    ask,
    completions,
    deep,
    embeddings,
    errors,
    explain,
    feed,
    kept,
    metrics,
    models,
    page,
    search,
    status,
    trends,
    watch,
)
from fairwitness.server.errors import ApiError
from fairwitness.server.guard import Guard
from fairwitness.server.house import House


def create_app(house: House) -> Starlette:
    """Return the application over `house`, which it begins and closes."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        house.begin()
        try:
            yield
        finally:
            await house.close()

    app = Starlette(
        routes=[
            Route("/v1/ask", ask.ask, methods=["POST"]),
            Route("/v1/deep", deep.deep, methods=["POST"]),
            Route("/v1/answers/{id}", kept.answer),
            Route("/v1/watch", watch.watch, methods=["POST"]),
            Route("/v1/explain/{named:path}", explain.explain),
            Route("/v1/chat/completions", completions.completions, methods=["POST"]),
            Route("/v1/embeddings", embeddings.embeddings, methods=["POST"]),
            Route("/v1/models", models.models),
            Route("/v1/models/{name:path}", models.model),
            Route("/v1/search", search.search, methods=["GET", "POST"]),
            Route("/v1/posts/{post_id:path}", search.post),
            Route("/v1/trends", trends.trends),
            Route("/v1/status", status.status),
            Route("/v1/status/stream", status.status_stream),
            Route("/v1/replay", feed.replay, methods=["POST"]),
            Route("/v1/ingest", feed.ingest, methods=["POST"]),
            Route("/healthz", status.healthz),
            Route("/readyz", status.readyz),
            Route("/metrics", metrics.metrics),
            *page.routes(),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={
            ApiError: errors.on_api_error,
            QuestionError: errors.on_question_error,
            HTTPException: errors.on_http_error,
            IndexCorrupt: errors.on_damage,
            ClientDisconnect: errors.on_client_gone,
            Exception: errors.on_unforeseen,
        },
        lifespan=lifespan,
    )
    app.state.house = house
    app.state.board = status.StatusBoard(house)
    return app
