"""Posts of X by the filtered stream of API v2: off unless asked for, and never above its cap.

The stream is one long answer, one JSON object a line, with an empty line at least every 20 seconds
as a sign of life. Each post costs money (`x_budget`); what was spent is in the cursor, so a restart
does not spend it again. Deletions do not come by this stream: X tells them on its compliance
streams only, so a home that keeps posts of X has to ask there.

Facts: repository xdevplatform/docs: x-api/fundamentals/consuming-streaming-data.mdx (messages),
handling-disconnections.mdx (pauses), recovery-and-redundancy.mdx (backfill), openapi.json (fields).
"""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import httpx2
import msgspec

from fairwitness.posts import clean
from fairwitness.posts.clock import Clock
from fairwitness.posts.compose import events_of
from fairwitness.posts.post import Event
from fairwitness.posts.source import Gap, SourceBatch, SourceError, SourceLost, SourceRefused
from fairwitness.posts.sources.lines import Line, Lines
from fairwitness.posts.sources.x_budget import (
    POST_MICROUSD,
    USER_MICROUSD,
    Budget,
    Spent,
    next_midnight_ms,
)
from fairwitness.posts.sources.x_posts import Message, Problem, User, XPost, read_post
from fairwitness.posts.sources.x_rules import sync_rules

log = logging.getLogger(__name__)

BASE_URL = "https://api.x.com"
STREAM_PATH = "/2/tweets/search/stream"

# Pauses that the documentation asks for; whoever reconnects doubles them.
NETWORK_PAUSE_S = 0.25
HTTP_PAUSE_S = 5.0
RATE_PAUSE_S = 60.0

_FIELDS = {
    "tweet.fields": "author_id,conversation_id,created_at,edit_history_tweet_ids,entities,lang,"
    "note_tweet,public_metrics,referenced_tweets",
    "expansions": "author_id",
    "user.fields": "username",
}

_message = msgspec.json.Decoder(Message).decode


class XStream:
    """Posts that match `rules`, up to `daily_cost_cap_usd` US dollars a UTC day.

    `backfill_minutes` (1 to 5) asks for what a break missed; X gives it to Enterprise access only.
    `silence_s` without a byte means that the connection is dead. What is already on its way when
    the cap is reached is read, for it is paid for.
    """

    def __init__(
        self,
        clock: Clock,
        bearer_token: str,
        rules: Sequence[str],
        *,
        daily_cost_cap_usd: float,
        name: str = "x",
        base_url: str = BASE_URL,
        backfill_minutes: int = 0,
        silence_s: float = 25.0,
    ) -> None:
        if not rules:
            raise ValueError("a filtered stream without rules gives nothing")
        if not 0 <= backfill_minutes <= 5:
            raise ValueError(f"backfill is 0 to 5 minutes: {backfill_minutes}")
        self.name = name
        self._clock = clock
        self._rules = tuple(rules)
        self._budget = Budget(daily_cost_cap_usd)
        self._backfill_minutes = backfill_minutes
        self._silence_s = silence_s
        self._heard_ms = 0
        self._base_url = base_url
        self._headers = {"authorization": f"Bearer {bearer_token}", "user-agent": "fairwitness"}

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield what arrives, as it arrives; an empty batch is a sign of life.

        Raises SourceLost with the pause that X asks for, or until the next UTC day when the cap is
        reached; SourceRefused for a bad token, bad rules, or an exhausted plan.
        """
        self._resume(cursor)
        self._check_cap()
        try:
            async with aclosing(self._connected()) as batches:
                async for batch in batches:
                    yield batch
        except httpx2.ReadTimeout as error:
            reason = f"{self.name}: silent for {self._silence_s:g} s"
            raise SourceLost(reason, NETWORK_PAUSE_S) from error
        except httpx2.HTTPStatusError as error:
            raise self._refusal(error.response) from None
        except (httpx2.HTTPError, msgspec.DecodeError) as error:
            reason = f"{self.name}: {type(error).__name__} {error}"
            raise SourceLost(reason, NETWORK_PAUSE_S) from error
        raise SourceLost(f"{self.name}: the stream ended", NETWORK_PAUSE_S)

    async def _connected(self) -> AsyncGenerator[SourceBatch, None]:
        timeout = httpx2.Timeout(10.0, read=self._silence_s)
        async with httpx2.AsyncClient(
            base_url=self._base_url, headers=self._headers, timeout=timeout
        ) as client:
            await sync_rules(client, self._rules, self.name)
            async with client.stream("GET", STREAM_PATH, params=self._params()) as response:
                if response.status_code != 200:
                    await response.aread()
                    response.raise_for_status()
                async with aclosing(self._listen(response)) as batches:
                    async for batch in batches:
                        yield batch

    async def _listen(self, response: httpx2.Response) -> AsyncGenerator[SourceBatch, None]:
        yield SourceBatch((), self._cursor(), self._missed())
        lines = Lines()
        async for chunk in response.aiter_bytes():
            self._heard_ms = self._clock.now_ms()
            events, dropped, problems = self._read(list(lines.feed(chunk)))
            if self._budget.is_exhausted(self._heard_ms):
                until_ms = next_midnight_ms(self._heard_ms)
                gap = Gap(self._heard_ms, until_ms, self._cap_reason())
                yield SourceBatch(events, self._cursor(), (gap,), dropped)
                self._check_cap()
            yield SourceBatch(events, self._cursor(), dropped=dropped)
            if problems:
                raise self._problem(problems)

    def _read(self, lines: list[Line]) -> tuple[tuple[Event, ...], int, tuple[Problem, ...]]:
        """Return the events of whole lines, how many could not be read, and what is wrong."""
        posts: list[tuple[XPost, tuple[User, ...]]] = []
        problems: list[Problem] = []
        dropped = 0
        for line in lines:
            if line.data is not None and not line.data.strip():
                continue  # a sign of life
            try:
                message = _message(line.data or b"")
            except (ValueError, RecursionError) as error:
                log.warning("%s: left out a message: %s", self.name, error)
                dropped += 1
                self._charge_unread(line)
                continue
            problems += message.problems()
            if message.data is not None and self._is_new(message.data, message.includes.users):
                posts.append((message.data, message.includes.users))
        return self._events(posts), dropped, tuple(problems)

    def _events(self, posts: Sequence[tuple[XPost, tuple[User, ...]]]) -> tuple[Event, ...]:
        raws = [post.raw for post, _ in posts]
        cleaned = clean.clean_all(raws, [clean.from_escaped] * len(raws))
        said = [
            read_post(post, users, self._heard_ms, text)
            for (post, users), text in zip(posts, cleaned, strict=True)
        ]
        return tuple(events_of([parts for parts in said if parts is not None]))

    def _is_new(self, post: XPost, users: tuple[User, ...]) -> bool:
        """Charge for `post`; return False when today it was said and paid for already."""
        for user in users:
            self._budget.charge(f"user:{user.id}", USER_MICROUSD, self._heard_ms)
        return self._budget.charge(f"post:{post.id}", POST_MICROUSD, self._heard_ms)

    def _charge_unread(self, line: Line) -> None:
        """Count a message that we could not read: X does."""
        resource = f"unread:{self._heard_ms}:{line.number}"
        self._budget.charge(resource, POST_MICROUSD + USER_MICROUSD, self._heard_ms)

    # --- cursor and cap

    def _resume(self, cursor: str) -> None:
        try:
            spent = msgspec.json.decode(cursor, type=Spent) if cursor else Spent()
        except msgspec.DecodeError as error:
            raise SourceRefused(f"{self.name}: not a cursor of X: {cursor[:60]!r}") from error
        self._budget.resume(spent)
        self._heard_ms = max(self._heard_ms, spent.heard_ms)

    def _cursor(self) -> str:
        return msgspec.json.encode(self._budget.spent(self._heard_ms)).decode()

    def _check_cap(self) -> None:
        now_ms = self._clock.now_ms()
        if self._budget.is_exhausted(now_ms):
            pause_s = (next_midnight_ms(now_ms) - now_ms) / 1000
            raise SourceLost(f"{self.name}: {self._cap_reason()}", pause_s)

    def _cap_reason(self) -> str:
        return f"daily cost cap of ${self._budget.cap_usd:g} reached"

    def _params(self) -> dict[str, str]:
        asked = {"backfill_minutes": str(self._backfill_minutes)} if self._can_backfill() else {}
        return _FIELDS | asked

    def _can_backfill(self) -> bool:
        return bool(self._backfill_minutes and self._heard_ms)

    def _missed(self) -> tuple[Gap, ...]:
        """Return the stretch since we last heard, but for what the backfill brings."""
        now_ms = self._clock.now_ms()
        heard_ms, self._heard_ms = self._heard_ms, now_ms
        until_ms = now_ms - self._backfill_minutes * 60_000
        if not heard_ms or until_ms <= heard_ms:
            return ()
        return (Gap(heard_ms, until_ms, "not connected"),)

    # --- what X objects to

    def _refusal(self, response: httpx2.Response) -> SourceError:
        status = response.status_code
        try:
            problem = msgspec.json.decode(response.content, type=Problem)
        except (ValueError, RecursionError):
            problem = Problem(detail=response.text[:200])
        reason = f"{self.name}: status {status} {problem.title} {problem.detail}"[:400].rstrip()
        if problem.type.endswith("/usage-capped"):
            return SourceRefused(reason)
        if status == 429:
            reset = response.headers.get("x-rate-limit-reset", "")
            wait_s = float(reset) - self._clock.now_ms() / 1000 if reset.isdecimal() else 0.0
            return SourceLost(reason, max(RATE_PAUSE_S, wait_s))
        return SourceLost(reason, HTTP_PAUSE_S) if status >= 500 else SourceRefused(reason)

    def _problem(self, problems: Sequence[Problem]) -> SourceError:
        first = problems[0]
        reason = f"{self.name}: {first.title} {first.detail}"[:400].rstrip()
        if first.type.endswith("/usage-capped"):
            return SourceRefused(reason)
        crowded = first.type.endswith("/streaming-connection")
        return SourceLost(reason, RATE_PAUSE_S if crowded else NETWORK_PAUSE_S)
