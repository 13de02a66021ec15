"""What a day of X costs, and the moment to stop.

Prices: repository xdevplatform/docs, x-api/getting-started/pricing.mdx (22 August 2026): $0.005 for
each post read and $0.010 for each user read, "charged per resource returned in the response", each
resource once per UTC day. Whether a user that comes along with its post is charged is not said; a
hard cap has to count it.
"""

import msgspec

DAY_MS = 86_400_000

POST_MICROUSD = 5_000
USER_MICROUSD = 10_000


class Spent(msgspec.Struct, frozen=True):
    """What a restart must know; part of the cursor."""

    day: int = 0
    """Days since 1970 in UTC."""
    microusd: int = 0
    heard_ms: int = 0
    """When the stream last gave a sign of life."""


class Budget:
    """Counts what is read against a cap in US dollars a UTC day.

    After a restart it no longer knows which ids the day's sum was for, and may count some twice:
    it errs towards stopping early.
    """

    def __init__(self, cap_usd: float) -> None:
        if not cap_usd > 0:
            raise ValueError(f"a daily cost cap must be above 0: {cap_usd}")
        self.cap_usd = cap_usd
        self._cap_microusd = round(cap_usd * 1_000_000)
        self._day = 0
        self._microusd = 0
        self._charged: set[str] = set()

    def resume(self, spent: Spent) -> None:
        """Take over what an earlier process spent; never less than what this one knows of."""
        if spent.day > self._day:
            self._day, self._microusd = spent.day, spent.microusd
            self._charged.clear()
        elif spent.day == self._day:
            self._microusd = max(self._microusd, spent.microusd)

    def charge(self, resource: str, microusd: int, now_ms: int) -> bool:
        """Count `resource`, such as `post:20`; return False when it was counted today already."""
        self._turn(now_ms)
        if resource in self._charged:
            return False
        self._charged.add(resource)
        self._microusd += microusd
        return True

    def is_exhausted(self, now_ms: int) -> bool:
        """Return whether the next post with its author might cost more than the cap."""
        self._turn(now_ms)
        return self._microusd + POST_MICROUSD + USER_MICROUSD > self._cap_microusd

    def spent(self, heard_ms: int) -> Spent:
        """Return what to keep in the cursor."""
        return Spent(self._day, self._microusd, heard_ms)

    def _turn(self, now_ms: int) -> None:
        day = now_ms // DAY_MS
        if day > self._day:
            self._day, self._microusd = day, 0
            self._charged.clear()


def next_midnight_ms(now_ms: int) -> int:
    """Return the Unix milliseconds at which the next UTC day begins."""
    return (now_ms // DAY_MS + 1) * DAY_MS
