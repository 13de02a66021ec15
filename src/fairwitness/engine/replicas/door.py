"""The door: many engines behind it, and from outside it is one.

Each request goes to one replica (`router.py` says which). When that is gone, another goes on from
the tokens so far: a token follows from the request and what stands before it, so the answer is the
one that the first would have given.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray import serve
from ray.exceptions import RayActorError, RaySystemError
from ray.serve.config import RequestRouterConfig

from fairwitness.engine.engine import NO_ADAPTERS
from fairwitness.engine.forms import FormRule
from fairwitness.engine.local import LocalChat
from fairwitness.engine.loop import IDLE, DeadlineError, Load
from fairwitness.engine.replicas.asked import BEAT_S, Asked, Heard
from fairwitness.engine.replicas.replica import AT_ONCE, Replica, Weights
from fairwitness.engine.replicas.router import PrefixRouter
from fairwitness.engine.request import EngineError, Request, Token, check_request
from fairwitness.engine.scheduler import Counts
from fairwitness.models import DecoderConfig, open_model

SILENCE_S = 10 * BEAT_S
"""After so long without a sign a replica is taken for gone."""

EMBED_S = 60.0
"""The longest that texts of one request may take; a replica at this work gives no other sign."""

MOST_TRIES = 3
"""A request that has cost three replicas their lives is not given a fourth."""

_log = logging.getLogger(__name__)

OBJECT_STORE_BYTES = 80 << 20  # about the least that Ray takes; tokens go by message

_GONE = (RayActorError, RaySystemError)
_Sent = Heard | Exception

Deploy = Callable[[Weights], Any]
"""Has all replicas take these weights, and returns a handle to them when they have."""


class ReplicasError(EngineError):
    """No replica could finish the answer."""


class Door:
    """Continues prompts as `Engine` does, on one of many. Any thread may use it."""

    def __init__(
        self, config: DecoderConfig, adapters: tuple[str, ...], replicas: Any, deploy: Deploy
    ) -> None:
        """Stand before `replicas`, a handle of Ray Serve, which all run a model of `config` and
        have these adapters."""
        self.config = config
        self.adapters = adapters
        self._replicas = replicas
        self._deploy = deploy
        self._failovers = 0
        self._under_way = 0
        self._counts = Counts()
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="door", daemon=True).start()

    def generate(
        self, request: Request, timeout_s: float | None = None
    ) -> Generator[Token, None, None]:
        """Continue the prompt; see `Engine.generate`.

        Raises:
            RequestError: at once, if the request cannot be served.
            ReplicasError: from the iterator, if no replica can finish it.
            EngineError: from the iterator, what the replica's engine raises.
        """
        check_request(request, self.config.context, self.config.vocabulary)
        form = None
        if request.rule is not None:
            if not isinstance(request.rule, FormRule):
                raise EngineError("a rule that is made of no form cannot leave its process")
            form, request = request.rule.form, replace(request, rule=None)
        return self._tokens(Asked(request, form, (), 0, timeout_s))

    def embed_all(self, texts: Sequence[tuple[int, ...]], adapter: str = "") -> NDArray[np.float32]:
        """Return what the model makes of texts; see `Engine.embed_all`, and raises what it raises.

        Raises:
            ReplicasError: no replica can.
        """
        for _ in range(MOST_TRIES):
            try:
                told = self._replicas.embed.remote(texts, adapter).result(timeout_s=EMBED_S)
            except (*_GONE, TimeoutError):
                continue
            if isinstance(told, EngineError):
                raise told
            vector_nd: NDArray[np.float32] = told
            return vector_nd
        raise ReplicasError("no replica could embed the texts")

    def warm_up(self) -> None:
        """Nothing is left to do: a replica does it before it takes requests."""

    def swap(self, model: Path) -> None:
        """Have one replica after the other go on with other weights of the same shape; see
        `Engine.swap`. Each machine has them at the same place. Meanwhile answers are of the old
        ones or of the new ones, none of both: one that loses its replica ends with an error where
        only replicas with other weights are left.

        Raises:
            ModelFileError: the file is missing, damaged, or of a kind that we do not run.
            EngineError: the model has another shape.
        """
        opened = open_model(model)
        if opened.config != self.config:
            raise EngineError("the new weights have another shape than those that run")
        if opened.packed() is None:  # read once here: no replica is given what it cannot run
            opened.parameters(np.asarray)
        self._deploy(Weights(model=str(model), edition=time.time_ns()))

    def load(self) -> Load:
        """What goes through this door; pages are the replicas' own."""
        with self._lock:
            counts = replace(self._counts)
            return replace(IDLE, running=self._under_way, counts=counts, failovers=self._failovers)

    def _tokens(self, asked: Asked) -> Generator[Token, None, None]:
        begun_s, written = time.monotonic(), list(asked.written)
        with self._lock:
            self._under_way += 1
            self._counts.prompt_tokens += len(asked.request.prompt_ids)
        try:
            for _ in range(MOST_TRIES):
                left_s = asked.timeout_s and asked.timeout_s - (time.monotonic() - begun_s)
                asked = replace(asked, written=tuple(written))
                for token, edition in self._of_one(replace(asked, timeout_s=left_s)):
                    asked = replace(asked, edition=edition)
                    written.append(token.id)
                    yield token
                    if token.finish is not None:
                        return
                _log.warning("a replica is gone; what it was answering goes on in another")
                with self._lock:
                    self._failovers += 1
        finally:
            with self._lock:
                self._under_way -= 1
                self._counts.written_tokens += len(written)
        lost = len(set(asked.tried))
        raise ReplicasError(f"no replica finished the answer; {lost} were lost on the way")

    def _of_one(self, asked: Asked) -> Generator[tuple[Token, int], None, None]:
        """The tokens of one replica, each with the edition of its weights, until the last one or
        until the replica is gone."""
        until_s = None if asked.timeout_s is None else time.monotonic() + asked.timeout_s
        sent: SimpleQueue[_Sent] = SimpleQueue()
        pump = asyncio.run_coroutine_threadsafe(self._pump(asked, sent), self._loop)
        try:
            while True:
                told = _next(sent, until_s)
                if told is None or isinstance(told, _GONE):
                    return
                if isinstance(told, Exception):
                    raise ReplicasError(f"a replica failed: {told!r}") from told
                for each in told.told:
                    if isinstance(each, EngineError):
                        raise each
                    yield each, told.edition
        finally:
            pump.cancel()

    async def _pump(self, asked: Asked, sent: SimpleQueue[_Sent]) -> None:
        """Hand over what the replica sends; that nobody sends shows at the other end."""
        answer = self._replicas.options(stream=True).answer.remote(asked)
        try:
            async for told in answer:
                sent.put(told)
        except Exception as error:
            sent.put(error)
        finally:
            answer.cancel()


def _next(sent: SimpleQueue[_Sent], until_s: float | None) -> _Sent | None:
    """What comes next; None when nothing came for SILENCE_S."""
    left_s = SILENCE_S if until_s is None else max(0.0, until_s - time.monotonic())
    try:
        return sent.get(timeout=min(left_s, SILENCE_S))
    except Empty:
        if left_s < SILENCE_S:
            raise DeadlineError("the time for this request is over") from None
        return None


def open_chat(
    name: str, path: Path, replicas: int, adapters: Mapping[str, Path] = NO_ADAPTERS
) -> LocalChat:
    """Return a chat with the model `name`, whose engines are `replicas` processes; tokenizer and
    template are read from `path` here, weights are not. `adapters` as in `Engine`; each machine
    has them at the same place.

    Raises:
        ModelFileError: missing, damaged, or of a kind that we do not run.
    """
    model = open_model(path)
    door = open_door(name, model.config, replicas, adapters)
    return LocalChat(name, door, model.tokenizer(), model.chat_template())


def open_door(
    model: str, config: DecoderConfig, replicas: int, adapters: Mapping[str, Path] = NO_ADAPTERS
) -> Door:
    """Have `replicas` engines of a model on the Ray cluster (see `join`), and return the door to
    them when they are up.

    An application that others have started for the same model is used as it is.
    """
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    join(replicas)
    serve.start(proxy_location="Disabled", logging_config={"log_level": "WARNING"})
    name = f"fairwitness-{model}".replace("/", "-").replace(":", "-")
    engines = serve.deployment(
        Replica,
        name="engine",
        num_replicas=replicas,
        max_ongoing_requests=AT_ONCE,
        health_check_period_s=1.0,
        health_check_timeout_s=SILENCE_S,
        graceful_shutdown_timeout_s=1.0,
        ray_actor_options={"num_cpus": 1},
        request_router_config=RequestRouterConfig(request_router_class=PrefixRouter),
    )

    def deploy(weights: Weights) -> Any:
        # The same version says that only the weights change: without, Serve ends all replicas.
        told = engines.options(user_config=weights, version="1", _internal=True)
        return serve.run(told.bind(dict(adapters)), name=name, route_prefix=None)

    app = serve.status().applications.get(name)
    is_there = app and app.status == "RUNNING"
    weights = Weights(model=model, edition=0)
    handle = serve.get_app_handle(name) if is_there else deploy(weights)
    return Door(config, tuple(adapters), handle, deploy)


def join(replicas: int) -> None:
    """Connect to the Ray cluster that $RAY_ADDRESS names, unless that was done; without an address,
    start one here, which ends with this process.

    Ray takes signals for itself, so a program with handlers of its own calls this before it sets
    them.
    """
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, logging_level="error")
        return
    ray.init(
        address="local",
        num_cpus=max(replicas, os.cpu_count() or 1),
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
    )
