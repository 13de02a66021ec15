"""The reading end of a stream: every message after a sequence, in order, none twice.

The reader alone knows how far it is, because it keeps the sequence with its index; the server is
asked for a consumer without acknowledgements that begins there. Whenever anything is odd (a jump,
a consumer that is gone, silence while there is more) the consumer is made anew from where we are.
Wire format of pull requests: docs.nats.io/reference/reference-protocols/nats_api_reference,
`CONSUMER.MSG.NEXT`.
"""

import json
import time
from contextlib import suppress
from typing import NamedTuple

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import api

from fairwitness.index.shards.plan import Plan

ANSWER_S = 2.0

_TOGETHER = 32  # messages asked for at a time, of 1 MB at most
_EXPIRES_S = 5.0
_IDLE_S = 60.0
_OVER = ("404", "408")  # nothing there, and time is up: the request has ended, the consumer lives


class Heard(NamedTuple):
    """A message as it stands in the stream."""

    sequence: int
    payload: bytes
    stored_ms: int
    """When the server took it, Unix milliseconds."""


class Extent(NamedTuple):
    """Which sequences a stream holds; `first` is `last + 1` when it is empty."""

    first: int
    last: int


class Missing(Exception):
    """The stream does not hold what comes next."""


class Follower:
    """Reads the stream of a shard from after `sequence` on."""

    def __init__(self, client: Client, plan: Plan, shard: int, sequence: int) -> None:
        self.sequence = sequence
        self._client = client
        self._stream = plan.stream_of(shard)
        self._subject = plan.subject_of(shard)
        self._streams = client.jetstream(timeout=ANSWER_S)
        self._inbox: Subscription | None = None
        self._next_subject = ""
        self._owed = 0
        self._asked_s = 0.0
        self._begun = False
        """Whether this consumer has delivered anything."""

    async def extent(self) -> Extent:
        """Ask the stream's leader what the stream holds."""
        state = (await self._streams.stream_info(self._stream)).state
        return Extent(max(state.first_seq, 1), state.last_seq)

    async def next(self, timeout_s: float) -> list[Heard]:
        """Return what has come, waiting at most `timeout_s` for the first of it.

        Raises Missing, or what the client raises when no server answers.
        """
        if self._inbox is None:
            await self._open()
        if self._owed <= 0 or time.monotonic() - self._asked_s > 2 * _EXPIRES_S:
            await self._ask()
        heard: list[Heard] = []
        message = await self._wait(timeout_s)
        while message is not None:
            if not self._take(message, heard):
                await self.restart()
                break
            message = await self._wait(0) if len(heard) < _TOGETHER else None
        return heard

    async def restart(self) -> None:
        """Let go of the consumer; the next one begins after what was returned last."""
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            with suppress(nats.errors.Error):
                await inbox.unsubscribe()

    async def _open(self) -> None:
        info = await self._streams.add_consumer(
            self._stream,
            config=api.ConsumerConfig(
                deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self.sequence + 1,
                ack_policy=api.AckPolicy.NONE,
                filter_subject=self._subject,
                inactive_threshold=_IDLE_S,
                mem_storage=True,
                num_replicas=1,
            ),
        )
        self._next_subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{info.name}"
        self._inbox = await self._client.subscribe(self._client.new_inbox())
        self._owed, self._begun = 0, False

    async def _ask(self) -> None:
        if self._inbox is None:
            return
        wanted = {"batch": _TOGETHER, "expires": int(_EXPIRES_S * 1e9)}
        await self._client.publish(
            self._next_subject, json.dumps(wanted).encode(), reply=self._inbox.subject
        )
        self._owed, self._asked_s = _TOGETHER, time.monotonic()

    async def _wait(self, timeout_s: float) -> Msg | None:
        inbox = self._inbox
        if inbox is None or (timeout_s <= 0 and not inbox.pending_msgs):
            return None
        try:
            return await inbox.next_msg(timeout_s or ANSWER_S)
        except (TimeoutError, nats.errors.TimeoutError):
            return None

    def _take(self, message: Msg, heard: list[Heard]) -> bool:
        """Add a message to what was heard; False when the consumer must be made anew."""
        status = (message.headers or {}).get("Status")
        if status is not None:
            self._owed = 0
            return status in _OVER
        self._owed -= 1
        meta = message.metadata
        sequence = meta.sequence.stream
        if sequence <= self.sequence:
            return True
        if sequence != self.sequence + 1:
            if self._begun:
                return False
            raise Missing(
                f"stream {self._stream} goes on at {sequence}, not at {self.sequence + 1}"
            )
        self.sequence, self._begun = sequence, True
        heard.append(Heard(sequence, message.data, int(meta.timestamp.timestamp() * 1_000)))
        return True
