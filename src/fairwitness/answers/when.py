"""Time in questions: "last hour", "ayer", "昨天" as a window of Unix milliseconds."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fairwitness.posts.post import FOREVER_MS

_HOUR_MS = 3_600_000
_UNITS_MS = {"minute": 60_000, "hour": _HOUR_MS, "day": 24 * _HOUR_MS, "week": 168 * _HOUR_MS}


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """From `since_ms` up to, not including, `until_ms`."""

    since_ms: int = -FOREVER_MS
    until_ms: int = FOREVER_MS

    @property
    def whole(self) -> bool:
        """Whether the window leaves nothing out."""
        return self == TimeWindow()


# (pattern, unit): a number and a unit, or a unit alone for one of them.
_LAST = (
    (
        r"(?:in |over |during )?the (?:last|past) (\d+ )?minutes?|(?:últim|ultim)[oai]s? (\d+ )?minut[oi]s?|最近(\d+)分钟",
        "minute",
    ),
    (
        r"(?:in |over |during )?(?:the )?(?:last|past) (\d+ )?hours?|(?:la |as |las |nas )?últimas? (\d+ )?horas?|ultim[ae] (\d+ )?or[ae]|最近(\d*)个?小时|過去(\d*)時間",
        "hour",
    ),
    (
        r"(?:in |over |during )?the (?:last|past) (\d+ )?days?|últimos (\d+ )?d[ií]as|ultimi (\d+ )?giorni|最近(\d+)天",
        "day",
    ),
    (
        r"this week|(?:in |over |during )?the (?:last|past) (\d+ )?weeks?|esta semana|questa settimana|本周|这周|今週",
        "week",
    ),
)
_TODAY = r"\btoday\b|\bhoy\b|\boggi\b|\bhoje\b|\baujourd'hui\b|\bheute\b|\bсегодня\b|今天|今日"
_YESTERDAY = (
    r"\byesterday\b|\bayer\b|\bieri\b|\bontem\b|\bhier\b(?=.*\?)|\bgestern\b|\bвчера\b|昨天|昨日"
)


def window_in(question: str, now_ms: int) -> tuple[TimeWindow, str]:
    """Return the window that `question` names, read at `now_ms`, and the question without it."""
    for pattern, unit in _LAST:
        match = re.search(pattern, question, re.IGNORECASE)
        if match:
            count = next((int(group) for group in match.groups() if group and group.strip()), 1)
            window = TimeWindow(now_ms - count * _UNITS_MS[unit], now_ms + 1)
            return window, question[: match.start()] + " " + question[match.end() :]
    for pattern, days_ago in ((_TODAY, 0), (_YESTERDAY, 1)):
        match = re.search(pattern, question, re.IGNORECASE)
        if match:
            midnight = datetime.fromtimestamp(now_ms / 1000, UTC).replace(
                hour=0, minute=0, second=0, microsecond=0
            ) - timedelta(days=days_ago)
            since_ms = int(midnight.timestamp() * 1000)
            window = TimeWindow(since_ms, since_ms + _UNITS_MS["day"])
            return window, question[: match.start()] + " " + question[match.end() :]
    return TimeWindow(), question
