"""The writing end of the streams: acknowledged is durable.

One JetStream stream a shard. The server syncs before it acknowledges (`sync_interval: always` in
its configuration; by default it does so every two minutes and a power cut takes what it had
acknowledged, github.com/nats-io/nats-server issue 7564), and with three copies a majority has it.
A publisher that hears nothing says the same again; the stream knows a message by its id.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import api

from fairwitness.index.shards.errors import ClusterFault, StreamDown
from fairwitness.index.shards.message import Message
from fairwitness.index.shards.plan import Plan

ACK_S = 1.0
"""How long one attempt waits for its acknowledgement; one takes milliseconds."""
PATIENCE_S = 30.0
"""How long a publisher says the same again before it gives up; three servers need about six seconds
to find a new leader."""

_PAUSE_S = 0.2
_REFUSED = (nats.errors.MaxPayloadError, nats.js.errors.BadRequestError)
"""What no repetition mends."""
_T = TypeVar("_T")

_log = logging.getLogger(__name__)


async def connected(servers: Sequence[str], name: str) -> Client:
    """Return a connection that comes back by itself, however long a server is away."""
    last = ""

    async def told(error: Exception) -> None:
        nonlocal last
        said = str(error) or type(error).__name__
        if said != last:  # five times a second it would say the same
            _log.warning("%s: %s", name, said)
        last = said

    return await nats.connect(
        list(servers),
        name=name,
        error_cb=told,
        reconnect_time_wait=_PAUSE_S,
        max_reconnect_attempts=-1,
        connect_timeout=2,
    )


class Publisher:
    """Publishes from any thread. `acknowledged` is the last sequence of each stream."""

    def __init__(self, plan: Plan, *, patience_s: float = PATIENCE_S) -> None:
        """Connect and make the streams that are missing.

        Raises StreamDown when no server answers in time, and ClusterFault when the streams were
        made for another number of shards.
        """
        self.acknowledged: dict[int, int] = {}
        self._plan = plan
        self._writers = f"{plan.name}-writers"
        self._patience_s = patience_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="publish", daemon=True)
        self._thread.start()
        self._client: Client | None = None
        try:
            self._run(self._open())
        except BaseException:
            self.close()
            raise

    def publish(self, parts: Mapping[int, Sequence[Message]]) -> None:
        """Publish messages, by shard; when this returns they are acknowledged.

        Raises StreamDown after `patience_s` without acknowledgement: then any of them may be in.
        """
        self._run(self._publish_all(parts))

    def position(self, writer: str) -> int:
        """Return the position that `writer` kept last; 0 when it never did."""
        return self._run(self._position(writer))

    def keep_position(self, writer: str, position: int) -> None:
        """Keep up to which position of its log all that `writer` applied is acknowledged."""
        message = Message(str(position).encode(), f"{writer}-{position}")
        self._run(self._publish(self._writers, self._subject_of(writer), message))

    def close(self) -> None:
        """Disconnect."""
        if self._loop.is_closed():
            return
        if self._client is not None:
            with suppress(nats.errors.Error, TimeoutError):
                self._run(asyncio.wait_for(self._client.close(), ACK_S))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _subject_of(self, writer: str) -> str:
        return f"{self._plan.name}.writers.{writer}"

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self) -> None:
        servers = ", ".join(self._plan.servers)
        until_s = time.monotonic() + self._patience_s
        while True:
            try:
                await self._open_once(max(until_s - time.monotonic(), 0.1))
                return
            except (nats.errors.Error, OSError, TimeoutError) as error:
                if time.monotonic() > until_s:
                    said = str(error) or type(error).__name__
                    raise StreamDown(f"no stream at {servers}: {said}") from error
                await asyncio.sleep(_PAUSE_S)

    async def _open_once(self, timeout_s: float) -> None:
        client: Client = self._client or await asyncio.wait_for(
            connected(self._plan.servers, "fairwitness publisher"), timeout_s
        )
        self._client = client
        self._streams = client.jetstream(timeout=ACK_S)
        for shard in range(self._plan.shards):
            await self._make(self._plan.stream_of(shard), self._plan.subject_of(shard))
        await self._make(self._writers, f"{self._plan.name}.writers.*", kept=1)

    async def _make(self, name: str, subject: str, kept: int = -1) -> None:
        """Make a stream, or find it as it should be."""
        shards = str(self._plan.shards)
        try:
            info = await self._streams.stream_info(name)
        except nats.js.errors.NotFoundError:
            info = await self._streams.add_stream(
                name=name,
                subjects=[subject],
                storage=api.StorageType.FILE,
                num_replicas=self._plan.copies,
                max_msgs_per_subject=kept,
                description=f"fairwitness, {shards} shards",
            )
        made_for = (info.config.description or "").split(" ")[1:2]
        if made_for != [shards]:
            raise ClusterFault(f"stream {name} was made for {made_for} shards, not {shards}")

    async def _publish_all(self, parts: Mapping[int, Sequence[Message]]) -> None:
        done = await asyncio.gather(
            *(self._publish_in_order(shard, messages) for shard, messages in parts.items()),
            return_exceptions=True,
        )
        for failed in done:
            if failed is not None:
                raise failed

    async def _publish_in_order(self, shard: int, messages: Sequence[Message]) -> None:
        for message in messages:
            last = await self._publish(
                self._plan.stream_of(shard), self._plan.subject_of(shard), message
            )
            self.acknowledged[shard] = max(self.acknowledged.get(shard, 0), last)

    async def _publish(self, stream: str, subject: str, message: Message) -> int:
        """Say it until it is acknowledged; return its sequence."""
        until_s = time.monotonic() + self._patience_s
        headers = {"Nats-Msg-Id": message.id}
        while True:
            try:
                ack = await self._streams.publish(
                    subject, message.payload, timeout=ACK_S, stream=stream, headers=dict(headers)
                )
                return int(ack.seq)
            except _REFUSED as error:
                raise ClusterFault(f"stream {stream} refuses a message: {error}") from error
            except (nats.errors.Error, OSError, TimeoutError) as error:
                said = str(error) or type(error).__name__
                if time.monotonic() > until_s:
                    raise StreamDown(
                        f"stream {stream} at {', '.join(self._plan.servers)} acknowledged nothing"
                        f" for {self._patience_s:.0f} s: {said}"
                    ) from error
                await asyncio.sleep(_PAUSE_S)

    async def _position(self, writer: str) -> int:
        try:
            last = await self._streams.get_last_msg(self._writers, self._subject_of(writer))
        except nats.js.errors.NotFoundError:
            return 0
        except (nats.errors.Error, TimeoutError) as error:
            said = str(error) or type(error).__name__
            raise StreamDown(f"stream {self._writers} does not answer: {said}") from error
        return int(last.data or 0)
